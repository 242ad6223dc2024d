// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatIndexes, freeIndexes, parseIndexes } from './indexes.ts';

test('formatIndexes() writes ranges as upstream does', () => {
  assert.equal(formatIndexes([]), '');
  assert.equal(formatIndexes([3, 1, 2, 7, 9, 8, 5]), '1-3,5,7-9');
  assert.equal(formatIndexes([0, 1]), '0,1');
});

test('parseIndexes() leaves out what is broken or too high', () => {
  assert.deepEqual([...parseIndexes('0-2,x,9', 3)], [0, 1, 2]);
});

test('parseIndexes() undoes formatIndexes()', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.nat(200)), (indexes) =>
      assert.deepEqual(
        [...parseIndexes(formatIndexes(indexes), 201)],
        [...indexes].sort((a, b) => a - b),
      ),
    ),
  );
});

test('freeIndexes() gives the lowest', () => {
  assert.deepEqual(freeIndexes(new Set([0, 2]), 2, 10), [1, 3]);
  assert.deepEqual(freeIndexes(new Set([0]), 5, 2), [1]);
});
