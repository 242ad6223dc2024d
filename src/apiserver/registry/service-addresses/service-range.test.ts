// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ServiceRange } from './service-range.ts';

test('a range has neither its network nor its broadcast address, and each other one once', () => {
  const range = new ServiceRange('10.96.0.0/28');

  const all = [...range.candidates(() => 0)];

  assert.equal(new Set(all).size, 14);
  assert.equal(range.contains('10.96.0.0'), false);
  assert.equal(range.contains('10.96.0.15'), false);
  assert.ok(all.every((address) => range.contains(address)));
});

test('a large range begins anywhere, and is not walked to its end', () => {
  const range = new ServiceRange('fd00::/64');

  const [first = ''] = range.candidates((below) => below - 1);

  assert.equal(range.contains(first), true);
  assert.ok(first > 'fd00::ffff:0:0:0', first);
});
