// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { addressOf, formatAddress } from './ip-number.ts';
import { ServiceRange } from './service-range.ts';

test('a range has neither its network nor its broadcast address, and each other one once', () => {
  const range = new ServiceRange('10.96.0.0/28');

  const all = [...range.candidates(() => 0)];

  assert.equal(new Set(all).size, 14);
  assert.equal(range.first, '10.96.0.1');
  assert.equal(range.contains('10.96.0.0'), false);
  assert.equal(range.contains('10.96.0.15'), false);
  assert.ok(all.every((address) => range.contains(address)));
});

test('an IPv6 range gives canonical addresses', () => {
  assert.equal(new ServiceRange('fd00:10:96::/112').first, 'fd00:10:96::1');
});

test('numbers and IPv6 texts turn into each other', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 2n ** 128n - 1n }), (value) => {
      assert.equal(addressOf(formatAddress(value, 'IPv6')), value);
    }),
  );
});
