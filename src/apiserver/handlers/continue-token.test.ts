// SPDX-License-Identifier: Apache-2.0
// Tokens of lists: what is read back, and what is wrong with others.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ApiError } from '#machinery';
import { formatContinue, parseContinue } from './continue-token.ts';

const V1 = 'meta.k8s.io/v1';
const encoded = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
const problemOf = (token: string) => {
  try {
    return parseContinue(token);
  } catch (error) {
    assert.ok(error instanceof ApiError && error.code === 400);
    return error.message.replace('invalid continue token: continue key is not valid', '');
  }
};

const WRONG: [token: string, problem: string][] = [
  ['!', ': illegal base64 data at input byte 0'],
  ['abcde', ': illegal base64 data at input byte 4'],
  [encoded(null), ': server does not recognize this encoded version '],
  [encoded({ v: 'x', rv: 1, start: 'a' }), ': server does not recognize this encoded version x'],
  [encoded({ v: V1, rv: 0, start: 'a' }), ': incorrect encoded start resourceVersion (version meta.k8s.io/v1)'],
  [encoded({ v: V1, rv: 1 }), ': encoded start key empty (version meta.k8s.io/v1)'],
  [encoded({ v: V1, rv: 1, start: '../a' }), ': ../a'],
  [encoded({ v: V1, rv: 1, start: 'a/./b' }), ': a/./b'],
  [encoded({ v: V1, rv: 1, start: 'a//b' }), ': a//b'],
  [encoded({ v: V1, rv: 1.5, start: 'a' }), ': json: cannot unmarshal number 1.5 into Go struct field continueToken.rv of type int64'],
  [encoded({ v: 1, rv: 1, start: 'a' }), ': json: cannot unmarshal number into Go struct field continueToken.v of type string'],
  [encoded([]), ': json: cannot unmarshal array into Go value of type storage.continueToken'],
];
for (const [token, problem] of WRONG) {
  test(`parseContinue() refuses ${Buffer.from(token, 'base64url')}`, () => {
    assert.equal(problemOf(token), problem);
  });
}

test('parseContinue() takes a start at the root, and the revision of now', () => {
  assert.deepEqual(parseContinue(encoded({ v: V1, rv: -1, start: '/' })), { revision: -1, start: '' });
});

test('parseContinue() reads what formatContinue() made', () => {
  const name = fc.stringMatching(/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/);
  fc.assert(
    fc.property(fc.integer({ min: 1 }), fc.array(name, { minLength: 1, maxLength: 2 }), (revision, parts) => {
      const token = { revision, start: parts.join('/') };
      assert.deepEqual(parseContinue(formatContinue(token)), token);
    }),
  );
});

test('parseContinue() takes or refuses any text, and throws nothing else', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.json().map((text) => Buffer.from(text).toString('base64url')),
      ),
      (text) => void problemOf(text),
    ),
  );
});
