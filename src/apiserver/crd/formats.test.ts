// SPDX-License-Identifier: Apache-2.0
// String formats, as a table of what fits and what does not; and that no text makes a check fail.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatCheck } from './formats.ts';

const CASES: Readonly<Record<string, readonly [fits: readonly string[], not: readonly string[]]>> = {
  'date-time': [
    ['2020-01-02T03:04:05Z', '2020-01-02T03:04:05.6+01:00'],
    ['now', '2020-13-02T03:04:05Z', '2020-01-02'],
  ],
  date: [['2020-02-29'], ['2021-02-29', '2020-1-2']],
  duration: [
    ['1h30m', '3 days', '-5s'],
    ['soon', '5'],
  ],
  ipv4: [['10.0.0.1'], ['10.0.0.256', '::1']],
  ipv6: [['::1'], ['10.0.0.1', 'x']],
  cidr: [
    ['10.0.0.0/8', 'fd00::/64'],
    ['10.0.0.0', '10.0.0.0/33'],
  ],
  email: [
    ['a@example.com', 'A <a@example.com>'],
    ['a', '@b'],
  ],
  hostname: [
    ['a.example.com', 'localhost'],
    ['-a', 'a..b'],
  ],
  uri: [
    ['https://example.com/a', '/a'],
    ['a b', 'example'],
  ],
  byte: [
    ['aGk=', ''],
    ['a', 'a==='],
  ],
  mac: [['01:23:45:67:89:ab'], ['01:23:45']],
  uuid: [['123e4567-e89b-12d3-a456-426614174000'], ['123']],
  uuid4: [['123e4567-e89b-42d3-a456-426614174000'], ['123e4567-e89b-12d3-a456-426614174000']],
  isbn: [['978-3-16-148410-0', '0-306-40615-2'], ['978-3-16-148410-1']],
  creditcard: [['4111 1111 1111 1111'], ['4111 1111 1111 1112']],
  hexcolor: [['#fff', 'a1b2c3'], ['#ff']],
  rgbcolor: [['rgb(0, 128,255)'], ['rgb(0,0,256)']],
  'k8s-short-name': [['a-b'], ['a.b', 'A']],
  'k8s-long-name': [['a.b'], ['A']],
};

for (const [format, [fits, not]] of Object.entries(CASES)) {
  test(`formatCheck('${format}') tells what fits`, () => {
    const check = formatCheck(format);
    assert.deepEqual(
      fits.map((text) => check?.(text)),
      fits.map(() => true),
    );
    assert.deepEqual(
      not.map((text) => check?.(text)),
      not.map(() => false),
    );
  });
}

test('formatCheck() answers for any text, and knows no other format', () => {
  assert.equal(formatCheck('int-or-string'), undefined);
  assert.equal(formatCheck('constructor'), undefined);
  const texts = fc.oneof(fc.string(), fc.emailAddress(), fc.ipV6(), fc.webUrl(), fc.uuid());
  fc.assert(
    fc.property(texts, fc.constantFrom(...Object.keys(CASES)), (text, format) => {
      assert.equal(typeof formatCheck(format)?.(text), 'boolean');
    }),
  );
});

test('formatCheck() reads hostile texts once: repetitions that could be cut in many ways', () => {
  const hostile = ['a', '1', '.a', 'a.', 'a-', '1s', '1.', ' ', 'aa=='].map((part) => `${part.repeat(120)}!`);
  for (const format of Object.keys(CASES).filter((name) => name !== 'password')) {
    const taken = hostile.filter((text) => formatCheck(format)?.(text));
    assert.deepEqual(taken, [], format);
  }
});
