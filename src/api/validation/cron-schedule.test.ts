// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { scheduleProblem } from './cron-schedule.ts';

for (const text of ['* * * * *', '*/5 0-6 1,15 jan-mar mon', '@hourly', '@every 1h30m', '0 0 ? * 0']) {
  test(`the schedule ${JSON.stringify(text)} is right`, () => {
    assert.equal(scheduleProblem(text), undefined);
  });
}

for (const [text, problem] of [
  ['* * * *', 'expected exactly 5 fields, found 4: [* * * *]'],
  ['99 * * * *', 'end of range (99) above maximum (59): 99'],
  ['5-1 * * * *', 'beginning of range (5) beyond end of range (1): 5-1'],
  ['*/0 * * * *', 'step of range should be a positive number: */0'],
] as const) {
  test(`the schedule ${JSON.stringify(text)} is refused as upstream refuses it`, () => {
    assert.equal(scheduleProblem(text), problem);
  });
}

test('no text makes the parser throw', () => {
  fc.assert(fc.property(fc.string(), (text) => void scheduleProblem(text)));
});
