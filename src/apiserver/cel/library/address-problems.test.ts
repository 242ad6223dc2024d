// SPDX-License-Identifier: Apache-2.0
// What is said of texts that are no addresses.
import assert from 'node:assert/strict';
import { isIP } from 'node:net';
import { test } from 'node:test';
import fc from 'fast-check';
import { addressProblem } from './address-problems.ts';

const PROBLEMS: readonly (readonly [string, string])[] = [
  ['', 'unable to parse IP'],
  ['host', 'unable to parse IP'],
  ['10.0.0', 'IPv4 address too short'],
  ['10.0.0.1.2', 'IPv4 address too long'],
  ['10.0.0.256', 'IPv4 field has value >255'],
  ['10.0.0.01', 'IPv4 field has octet with leading zero'],
  ['10..0.1', 'IPv4 field must have at least one digit (at ".0.1")'],
  ['10.0.0.', 'IPv4 field must have at least one digit (at ".")'],
  ['10.0.x.1', 'unexpected character (at "x.1")'],
  ['%eth0', 'missing IPv6 address'],
  ['fd00::%', 'zone must be a non-empty string'],
  ['fd00:1', 'address string too short'],
  ['fd00::1::2', 'multiple :: in address (at ":2")'],
  ['fd00:12345::', 'each group must have four or less digits (at "12345::")'],
  ['fd00:1g::', 'unexpected character, want colon (at "g::")'],
  ['fd00:1:', 'colon must be followed by more characters (at ":")'],
  ['1:2:3:4:5:6:7:8:9', 'trailing garbage after address (at "9")'],
  ['1:2:3:4::5:6:7:8', 'the :: must expand to at least one field of zeros'],
  ['1:2:10.0.0.1', 'embedded IPv4 address must replace the final 2 fields of the address (at "10.0.0.1")'],
];
for (const [text, problem] of PROBLEMS) {
  test(`${JSON.stringify(text)}: ${problem}`, () => assert.equal(addressProblem(text), problem));
}

test('addresses have no problem, and other texts have one', () => {
  const part = fc.constantFrom('0', '1', '10', '255', 'fd00', ':', '::', '.', 'x');
  fc.assert(
    fc.property(fc.array(part, { maxLength: 16 }), (parts) => {
      const text = parts.join('');
      assert.equal(addressProblem(text) === '', isIP(text) !== 0, text);
    }),
    { numRuns: 500 },
  );
});
