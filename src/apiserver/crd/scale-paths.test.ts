// SPDX-License-Identifier: Apache-2.0
// Paths of the scale endpoint: what keeps them from naming a number or a text.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pathProblem } from './scale-paths.ts';

for (const [fact, object, problem] of [
  ['a whole number is one', { spec: { replicas: 3 } }, undefined],
  ['nothing is no problem', { spec: {} }, undefined],
  ['nor is null on the way', { spec: null }, undefined],
  ['a text is no number', { spec: { replicas: 'x' } }, '.spec.replicas accessor error: x is of the type string, expected int64'],
  ['nor is a fraction', { spec: { replicas: 1.5 } }, '.spec.replicas accessor error: 1.5 is of the type float64, expected int64'],
  ['null has no type', { spec: { replicas: null } }, '.spec.replicas accessor error: <nil> is of the type <nil>, expected int64'],
  [
    'a list has no members',
    { spec: [true] },
    '.spec.replicas accessor error: [true] is of the type []interface {}, expected map[string]interface{}',
  ],
] as const) {
  test(`pathProblem(): ${fact}`, () => {
    assert.equal(pathProblem(object, '.spec.replicas', 'int64'), problem);
  });
}
