// SPDX-License-Identifier: Apache-2.0
// Empty lists and maps of the client's document are shown as such in errors.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testSchema } from './_test-schemas.ts';
import { showGiven } from './given-value.ts';

const pod = testSchema('v1', 'Pod');
const shown = (field: string, given: unknown) =>
  showGiven([{ reason: 'FieldValueInvalid', field, message: 'Invalid value: null: because' }], given, pod)[0]?.message;

const CASES: readonly (readonly [string, string, unknown, string])[] = [
  ['an empty map', 'spec.nodeSelector', { spec: { nodeSelector: {} } }, '{}'],
  ['an empty list', 'spec.tolerations', { spec: { tolerations: [] } }, '[]'],
  ['an empty list within a list', 'spec.containers[0].args', { spec: { containers: [{ args: [] }] } }, '[]'],
  ['null', 'spec.nodeSelector', { spec: { nodeSelector: null } }, 'null'],
  ['nothing', 'spec.nodeSelector', { spec: {} }, 'null'],
  ['an empty struct', 'spec.affinity', { spec: { affinity: {} } }, 'null'],
  ['no document', 'spec.nodeSelector', undefined, 'null'],
];
for (const [what, field, given, value] of CASES) {
  test(`${what} is shown as ${value}`, () => assert.equal(shown(field, given), `Invalid value: ${value}: because`));
}
