// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { testSchema } from './_test-schemas.ts';
import { scanErrors, strictErrors } from './json-strict.ts';
import type { Schema } from './schema.ts';

const pod: Schema = testSchema('v1', 'Pod');
const ANYTHING: Schema = { kind: 'any', name: '' };

/** Texts of objects, with keys that a Pod has and some that it has not, some twice, spaces where JSON lets them be. */
const key = fc.constantFrom('metadata', 'labels', 'spec', 'containers', 'name', 'a', 'x:y', 'q\\"', '\\u0061', '__proto__', '');
const space = fc.constantFrom('', '', ' ', '\n', '\t ');
const { node: text } = fc.letrec<{ node: string }>((tie) => ({
  node: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom('"a"', '"a:b"', '"\\\\"', '"\\":"', '1', '-0.5e3', 'true', 'null', '[]', '{}'),
    fc.array(fc.tuple(space, tie('node'), space), { maxLength: 3 }).map((items) => `[${items.map((item) => item.join('')).join(',')}]`),
    fc
      .array(fc.tuple(key, space, tie('node'), space), { maxLength: 4 })
      .map((members) => `{${members.map(([name, before, value, after]) => `"${name}"${before}:${before}${value}${after}`).join(',')}}`),
  ),
}));

test('strictErrors() tells what a scan of the whole text tells', () => {
  fc.assert(
    fc.property(text, fc.constantFrom(pod, ANYTHING), (document, schema) => {
      assert.deepEqual(strictErrors(document, schema, JSON.parse(document)), scanErrors(document, schema));
    }),
    { numRuns: 3_000 },
  );
});

test('strictErrors() finds unknown and repeated fields, and none in what is embedded', () => {
  const errors = (document: string, schema: Schema = pod) => strictErrors(document, schema, JSON.parse(document));

  assert.deepEqual(errors('{"metadata":{"name":"a","labels":{"any":"thing"}},"spec":{"containers":[{"name":"b"}]}}'), []);
  assert.deepEqual(errors('{"metadata":{"nam":"a"},"spec":{"containers":[{"name":"b","nme":"c"}]}}'), [
    'unknown field "metadata.nam"',
    'unknown field "spec.containers[0].nme"',
  ]);
  assert.deepEqual(errors('{"metadata":{"labels":{"a":"1","\\u0061":"2"}}}'), ['duplicate field "metadata.labels.a"']);
  assert.deepEqual(errors('{"metadata":{"managedFields":[{"fieldsV1":{"f:a":{},"f:a":{}}}]}}'), []);
  assert.deepEqual(errors('{"odd":1,"odd":2,"kind":"a","kind":"b"}'), ['unknown field "odd"', 'duplicate field "kind"']);
  assert.deepEqual(errors('{"a":[{"b":1,"b":2}]}', ANYTHING), ['duplicate field "a[0].b"']);
});

test('fields are told as Go quotes them', () => {
  assert.deepEqual(strictErrors('{"a\\tb":1,"\\u0007":2}', pod, { 'a\tb': 1, '\u0007': 2 }), [
    'unknown field "a\\tb"',
    'unknown field "\\a"',
  ]);
});
