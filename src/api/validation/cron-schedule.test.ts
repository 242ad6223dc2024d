// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isTimeZone, scheduleProblem, timeZoneProblems } from './cron-schedule.ts';

for (const text of [
  '* * * * *',
  '*/5 0-6 1,15 jan-mar mon',
  '@hourly',
  '@every 1h30m',
  '0 0 ? * 0',
  '1,,2 * * * *',
  '*-5 * * * *',
  'CRON_TZ=Asia/Seoul 0 * * * *',
  '+5 * * * *',
]) {
  test(`the schedule ${JSON.stringify(text)} is right`, () => {
    assert.equal(scheduleProblem(text), undefined);
  });
}

for (const [text, problem] of [
  ['* * * *', 'expected exactly 5 fields, found 4: [* * * *]'],
  ['99 * * * *', 'end of range (99) above maximum (59): 99'],
  ['5-1 * * * *', 'beginning of range (5) beyond end of range (1): 5-1'],
  ['*/0 * * * *', 'step of range should be a positive number: */0'],
  ['1-2-3 * * * *', 'too many hyphens: 1-2-3'],
  ['1/2/3 * * * *', 'too many slashes: 1/2/3'],
  ['a * * * *', 'failed to parse int from a: strconv.Atoi: parsing "a": invalid syntax'],
  ['@every 5', 'failed to parse duration @every 5: time: missing unit in duration "5"'],
  ['@every 5x', 'failed to parse duration @every 5x: time: unknown unit "x" in duration "5x"'],
  ['@often', 'unrecognized descriptor: @often'],
  ['TZ=No/Where * * * * *', 'provided bad location No/Where: unknown time zone No/Where'],
] as const) {
  test(`the schedule ${JSON.stringify(text)} is refused as upstream refuses it`, () => {
    assert.equal(scheduleProblem(text), problem);
  });
}

for (const zone of ['UTC', 'Asia/Seoul', 'US/Pacific', 'Etc/GMT+5', 'America/Argentina/Buenos_Aires', 'Zulu', 'EST5EDT']) {
  test(`${zone} is a time zone`, () => assert.ok(isTimeZone(zone)));
}
for (const zone of ['asia/seoul', 'Asia/SEOUL', '+09:00', '+0900', 'utc', 'No/Where', '']) {
  test(`${JSON.stringify(zone)} is none`, () => assert.ok(!isTimeZone(zone)));
}

test('a zone is no path', () => {
  assert.deepEqual(timeZoneProblems('../etc'), ['unknown time zone ../etc']);
});

test('no text makes the parser throw', () => {
  fc.assert(fc.property(fc.string(), (text) => void scheduleProblem(text)));
});
