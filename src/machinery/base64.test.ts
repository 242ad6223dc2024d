// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { base64Problem, canonicalBase64 } from './base64.ts';

const PLACES: [text: string, problem: number | undefined][] = [
  ['', undefined],
  ['YWJj', undefined],
  ['YQ==', undefined],
  ['YW\nI=\r\n', undefined],
  ['!!', 0],
  ['YWJj!', 4],
  ['abc', 0],
  ['YWJjY', 4],
  ['YQ=', 3],
  ['YQ=a', 2],
  ['YQ==YQ==', 4],
  ['YWI=x', 4],
  ['Y===', 1],
  ['====', 0],
  ['YW\nJ*', 4],
];
for (const [text, problem] of PLACES) {
  test(`base64Problem(${JSON.stringify(text)}) is ${problem}`, () => {
    assert.equal(base64Problem(text), problem);
  });
}

test('canonicalBase64() joins lines, and drops bits that are left over', () => {
  assert.deepEqual(['YW\nJj', 'YR==', 'YWJ=', 'YQ=='].map(canonicalBase64), ['YWJj', 'YQ==', 'YWI=', 'YQ==']);
});

test('what is encoded is nothing to complain of, and written the same', () => {
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      const text = Buffer.from(bytes).toString('base64');
      assert.deepEqual([base64Problem(text), canonicalBase64(text)], [undefined, text]);
    }),
  );
});
