// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseSchedule, ScheduleError } from './schedule.ts';

const CASES: readonly (readonly [schedule: string, zone: string | undefined, after: string, next: string])[] = [
  ['*/15 * * * *', undefined, '2026-01-01T00:00:00Z', '2026-01-01T00:15:00Z'],
  ['0 9 * * mon-fri', undefined, '2026-01-02T09:00:00Z', '2026-01-05T09:00:00Z'],
  ['30 4 1,15 * 5', undefined, '2026-01-01T05:00:00Z', '2026-01-02T04:30:00Z'],
  ['@hourly', undefined, '2026-01-01T00:59:59Z', '2026-01-01T01:00:00Z'],
  ['@every 90s', undefined, '2026-01-01T00:00:00Z', '2026-01-01T00:01:30Z'],
  ['0 0 29 2 *', undefined, '2026-01-01T00:00:00Z', '2028-02-29T00:00:00Z'],
  ['0 0 * * 7', undefined, '2026-01-01T00:00:00Z', '2026-01-04T00:00:00Z'],
  ['0 12 * * *', 'Asia/Seoul', '2026-01-01T00:00:00Z', '2026-01-01T03:00:00Z'],
  ['TZ=America/New_York 0 12 * * *', undefined, '2026-07-01T00:00:00Z', '2026-07-01T16:00:00Z'],
  // Clocks skip 02:30 on this day.
  ['30 2 * * *', 'Europe/Berlin', '2026-03-28T12:00:00Z', '2026-03-30T00:30:00Z'],
];

for (const [schedule, zone, after, next] of CASES) {
  test(`next() of ${schedule}${zone === undefined ? '' : ` in ${zone}`} after ${after} is ${next}`, () => {
    assert.equal(new Date(parseSchedule(schedule, zone).next(Date.parse(after)) ?? 0).toISOString(), next.replace('Z', '.000Z'));
  });
}

for (const text of ['', '* * * *', '60 * * * *', '* * * 13 *', '5-1 * * * *', '*/0 * * * *', '@never', '@every soon']) {
  test(`parseSchedule() refuses ${JSON.stringify(text)}`, () => {
    assert.throws(() => parseSchedule(text), ScheduleError);
  });
}

test('next() is undefined for a day that never comes', () => {
  assert.equal(parseSchedule('0 0 31 2 *').next(Date.UTC(2026, 0, 1)), undefined);
});

test('parseSchedule() reads any text or throws a ScheduleError', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.array(fc.constantFrom('*', '1', '-', '/', ',', ' ', '@', 'mon', '59', '?')).map((parts) => parts.join('')),
      ),
      (text) => {
        try {
          parseSchedule(text);
        } catch (error) {
          assert.ok(error instanceof ScheduleError);
        }
      },
    ),
  );
});

test('next() is always later, and at the minute asked for', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 59 }),
      fc.integer({ min: 0, max: 23 }),
      fc.date({ min: new Date('2020-01-01'), max: new Date('2030-01-01'), noInvalidDate: true }),
      (minute, hour, from) => {
        const at = parseSchedule(`${minute} ${hour} * * *`).next(from.getTime()) ?? 0;
        assert.ok(at > from.getTime() && at - from.getTime() <= 86_400_000);
        assert.equal(new Date(at).getUTCMinutes(), minute);
        assert.equal(new Date(at).getUTCHours(), hour);
      },
    ),
  );
});
