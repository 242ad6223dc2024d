// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { addressOf, firstServiceAddress, formatAddress, IpPrefix } from './ip.ts';

test('numbers and IPv6 texts turn into each other', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 2n ** 128n - 1n }), (value) => {
      assert.equal(addressOf(formatAddress(value, 'IPv6')), value);
    }),
  );
});

test('a prefix drops the bits behind its length and knows what it covers', () => {
  const wide = new IpPrefix('10.0.3.9/16');

  assert.equal(formatAddress(wide.first, 'IPv4'), '10.0.0.0');
  assert.equal(formatAddress(wide.last, 'IPv4'), '10.0.255.255');
  assert.equal(wide.covers(new IpPrefix('10.0.4.0/24')), true);
  assert.equal(wide.covers(wide), true);
  assert.equal(new IpPrefix('10.0.4.0/24').covers(wide), false);
  assert.equal(new IpPrefix('::/0').covers(wide), false);
});

test('hosts of a prefix are neither its first address nor the broadcast address of IPv4', () => {
  const has = (cidr: string, address: string) => new IpPrefix(cidr).containsHost(address);

  assert.deepEqual(
    ['10.0.0.0', '10.0.0.1', '10.0.0.254', '10.0.0.255', '10.0.1.0', 'fd00::1', 'x'].map((address) => has('10.0.0.0/24', address)),
    [false, true, true, false, false, false, false],
  );
  assert.deepEqual(
    ['fd00::', 'fd00::1', 'fd00::ffff', 'fd00::1:0'].map((address) => has('fd00::/112', address)),
    [false, true, true, false],
  );
});

test('what is no CIDR is refused', () => {
  for (const text of ['', '10.0.0.0', '10.0.0.0/33', 'fd00::/129', '10.0.0.0/-1', '10.0.0.0/1e1', 'x/8'])
    assert.throws(() => new IpPrefix(text), RangeError, text);
});

test('the kubernetes Service has the first address of the first range', () => {
  assert.equal(firstServiceAddress('10.96.0.0/16,fd00::/112'), '10.96.0.1');
  assert.equal(firstServiceAddress('fd00:10:96::/112'), 'fd00:10:96::1');
});
