// SPDX-License-Identifier: Apache-2.0
// Values as Go prints them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { goValue } from './go-print.ts';

const CASES: readonly (readonly [value: unknown, text: string])[] = [
  [null, '<nil>'],
  ['a', 'a'],
  [[1, 'b'], '[1 b]'],
  [{ b: [true], a: null }, 'map[a:<nil> b:[true]]'],
  [0, '0'],
  [-12, '-12'],
  [1.5, '1.5'],
  [0.0001, '0.0001'],
  [0.00001, '1e-05'],
  [1.25e-7, '1.25e-07'],
  [1e21, '1e+21'],
];

for (const [value, text] of CASES) {
  test(`goValue() of ${JSON.stringify(value)}`, () => {
    assert.equal(goValue(value), text);
  });
}
