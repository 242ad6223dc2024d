// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { duplicateValue, field, forbiddenField, invalidValue, notSupported, quote, required, tooMany } from './field-error.ts';

test('a path names fields, indexes and keys as upstream prints them', () => {
  const path = field('spec', 'containers').index(0).child('resources', 'limits').key('cpu');

  assert.equal(String(path), 'spec.containers[0].resources.limits[cpu]');
});

for (const [cause, message] of [
  [required('a'), 'Required value'],
  [required('a', 'why'), 'Required value: why'],
  [invalidValue('a', 'x', 'why'), 'Invalid value: "x": why'],
  [invalidValue('a', null, 'why'), 'Invalid value: null: why'],
  [invalidValue('a', { b: [1] }, 'why'), 'Invalid value: {"b":[1]}: why'],
  [notSupported('a', 'x', ['B', 'A']), 'Unsupported value: "x": supported values: "B", "A"'],
  [duplicateValue('a', 3), 'Duplicate value: 3'],
  [forbiddenField('a', 'why'), 'Forbidden: why'],
  [tooMany('a', 3, 1), 'Too many: 3: must have at most 1 item'],
] as const) {
  test(`the cause ${cause.reason} reads ${JSON.stringify(message)}`, () => {
    assert.equal(cause.message, message);
  });
}

test('a quoted text never holds a raw quote, line break or control character inside', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      const inner = quote(text).slice(1, -1).replace(/\\./g, '');
      // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must be gone
      assert.doesNotMatch(inner, /["\u0000-\u001f]/);
    }),
  );
});

test('what Go does not print is quoted by its number', () => {
  assert.equal(quote('a\u0000\u00a0\u200b\u{e0001}é 😀'), '"a\\x00\\u00a0\\u200b\\U000e0001é 😀"');
});
