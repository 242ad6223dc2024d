// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { countIndexes, overlapOf } from './job-indexes.ts';

describe('indexes of a Job', () => {
  const cases: readonly (readonly [string, number | string])[] = [
    ['', 0],
    ['1,3-5,7', 5],
    ['3,2', 'non-increasing order, previous: 3, current: 2'],
    ['4-4', 'non-increasing order, previous: 4, current: 4'],
    ['a', 'cannot convert string to integer for index: "a"'],
    ['10', 'too large index: "10"'],
    ['1-2-3', `the fragment "1-2-3" violates the requirement that an index interval can have at most two parts separated by '-'`],
  ];
  for (const [text, expected] of cases) it(`"${text}" means ${expected}`, () => assert.equal(countIndexes(text, 10), expected));

  it('count what was written', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(999)), (list) => {
        const sorted = list.toSorted((a, b) => a - b);
        assert.equal(countIndexes(sorted.join(','), 1000), sorted.length);
      }),
    );
  });

  it('overlap where both lists have one', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(50)), fc.uniqueArray(fc.nat(50)), (one, other) => {
        const text = (list: readonly number[]) => list.toSorted((a, b) => a - b).join(',');
        const both = one.filter((index) => other.includes(index)).toSorted((a, b) => a - b);
        assert.equal(overlapOf(text(one), text(other), 100), both[0]);
      }),
    );
  });

  it('answer any text', () => {
    fc.assert(fc.property(fc.string(), (text) => ['number', 'string'].includes(typeof countIndexes(text, 10))));
  });
});
