// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CidrSet } from './cidr-set.ts';

test('allocate() gives each block once and undefined when none is left', () => {
  const set = new CidrSet('10.0.0.0/23', 24);

  assert.deepEqual([set.allocate(), set.allocate(), set.allocate()], ['10.0.0.0/24', '10.0.1.0/24', undefined]);
});

test('a released block is given again, an occupied one is not', () => {
  const set = new CidrSet('10.0.0.0/22', 24);
  set.occupy('10.0.0.0/24');
  const first = set.allocate();
  set.release('10.0.1.0/24');

  assert.equal(first, '10.0.1.0/24');
  assert.deepEqual(
    [set.allocate(), set.allocate(), set.allocate(), set.allocate()],
    ['10.0.2.0/24', '10.0.3.0/24', '10.0.1.0/24', undefined],
  );
});

test('occupy() of a block outside of the range is refused', () => {
  assert.equal(new CidrSet('10.0.0.0/16', 24).occupy('10.1.0.0/24'), false);
});

test('IPv6 ranges are cut too', () => {
  const set = new CidrSet('fd00:10::/56', 64);

  assert.deepEqual([set.allocate(), set.allocate()], ['fd00:10::/64', 'fd00:10:0:1::/64']);
});

test('a block longer than the range is refused', () => {
  assert.throws(() => new CidrSet('10.0.0.0/24', 16), RangeError);
  assert.throws(() => new CidrSet('nonsense', 24), RangeError);
});
