// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseQuery } from './query.ts';

const QUERIES: [search: string, pairs: [string, string][]][] = [
  ['', []],
  [
    'a=1&b=x%20y&a=2+3',
    [
      ['a', '1'],
      ['b', 'x y'],
      ['a', '2 3'],
    ],
  ],
  ['limit=%zz&a=1', [['a', '1']]],
  ['a=1;b=2&c=3', [['c', '3']]],
  ['a=5%', []],
  ['%=1&pretty', [['pretty', '']]],
];
for (const [search, pairs] of QUERIES) {
  test(`parseQuery(${JSON.stringify(search)}) has ${pairs.length} pairs`, () => {
    assert.deepEqual([...parseQuery(search)], pairs);
  });
}
