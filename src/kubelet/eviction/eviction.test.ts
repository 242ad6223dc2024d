// SPDX-License-Identifier: Apache-2.0
// Node pressure: which figures cross a threshold, and who goes first.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_EVICTION } from '../options.ts';
import { podOf, spec } from '../testing/objects.ts';
import { crossedSignals, evictionOrder } from './eviction-manager.ts';

const GOOD = {
  memoryAvailableBytes: 1e9,
  diskAvailableBytes: 50,
  diskCapacityBytes: 100,
  inodesFree: 50,
  inodes: 100,
  pids: 1,
  maxPids: 100,
};
const IMAGES = { usedBytes: 50, capacityBytes: 100 };

test('crossedSignals() names what is short, memory first', () => {
  assert.deepEqual(crossedSignals(GOOD, IMAGES, DEFAULT_EVICTION), []);
  const bad = { ...GOOD, memoryAvailableBytes: 1, diskAvailableBytes: 9, inodesFree: 4 };
  assert.deepEqual(crossedSignals(bad, { usedBytes: 90, capacityBytes: 100 }, DEFAULT_EVICTION), [
    'memory.available',
    'imagefs.available',
    'nodefs.available',
    'nodefs.inodesFree',
  ]);
});

test('evictionOrder() takes those above their requests first, then low priority, then the largest excess', () => {
  const use = (name: string, request: string, memoryBytes: number, priority = 0) => ({
    pod: podOf({ containers: [spec('web', { resources: { requests: { memory: request } } })], priority }, { metadata: { name } }),
    memoryBytes,
    diskBytes: 0,
    pids: 0,
  });
  const uses = [use('within', '1000', 500), use('important', '0', 900, 10), use('small', '0', 100), use('large', '0', 800)];
  assert.deepEqual(
    evictionOrder(uses, 'memory').map(({ pod }) => pod.metadata.name),
    ['large', 'small', 'important', 'within'],
  );
});
