// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FakeClock } from '#component';
import { makeNode, makePodInfo } from '../_objects.ts';
import type { Plugin } from '../framework/plugin.ts';
import { Heap } from './heap.ts';
import { SchedulingQueue } from './scheduling-queue.ts';

const onNode: Plugin = { name: 'A', requeueOn: [{ resource: 'Node', actions: ['add'] }] };
const nodeAdded = { resource: 'Node', action: 'add', node: makeNode('n') } as const;
const drain = (queue: SchedulingQueue) => Array.from({ length: queue.activeSize }, () => queue.poll()?.info.pod.metadata.name);

test('poll() gives the highest priority first, then the oldest', async () => {
  const clock = new FakeClock();
  const queue = new SchedulingQueue(clock);
  queue.add(makePodInfo('first'));
  await clock.advance(1);
  queue.add(makePodInfo('second'));
  queue.add(makePodInfo('urgent', { spec: { priority: 10 } }));

  assert.deepEqual(drain(queue), ['urgent', 'first', 'second']);
});

test('a rejected Pod waits for an event its plugin knows, and is not woken by others', () => {
  const queue = new SchedulingQueue(new FakeClock());
  queue.add(makePodInfo('p'));
  const queued = queue.poll();
  assert.ok(queued);
  queue.reject(queued, [onNode]);
  queue.onEvent({ resource: 'Volume', action: 'add' });

  assert.equal(queue.poll(), undefined);
  queue.onEvent(nodeAdded);
  assert.equal(queue.poll()?.info.key, 'default/p');
  queue.close();
});

test('a Pod that failed by an error waits for its backoff, which doubles', async () => {
  const clock = new FakeClock();
  const queue = new SchedulingQueue(clock);
  queue.add(makePodInfo('p'));
  for (const waitMs of [1000, 2000, 4000, 8000, 10_000, 10_000]) {
    const queued = queue.poll();
    assert.ok(queued);
    queue.fail(queued);
    await clock.advance(waitMs - 1);
    assert.equal(queue.poll(), undefined);
    await clock.advance(1);
  }
  assert.equal(queue.activeSize, 1);
});

test('what no event woke is tried again after five minutes', async () => {
  const clock = new FakeClock();
  const queue = new SchedulingQueue(clock);
  queue.add(makePodInfo('p'));
  const queued = queue.poll();
  assert.ok(queued);
  queue.reject(queued, [onNode]);
  await clock.advance(5 * 60_000);

  assert.equal(queue.activeSize, 1);
  assert.equal(clock.pending, 0);
});

test('a deleted Pod does not come back from its binding', () => {
  const queue = new SchedulingQueue(new FakeClock());
  queue.add(makePodInfo('p'));
  const queued = queue.poll();
  assert.ok(queued);
  queue.delete('default/p');
  queue.fail(queued);

  assert.equal(queue.size, 0);
});

test('Heap gives items in order whatever was removed meanwhile', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(50), fc.boolean())), (steps) => {
      const heap = new Heap<number>((a, b) => a < b, String);
      const model = new Set<number>();
      for (const [value, isAdded] of steps) {
        if (isAdded) {
          heap.push(value);
          model.add(value);
        } else assert.equal(heap.delete(String(value)), model.delete(value));
      }
      const out = Array.from({ length: heap.size }, () => heap.pop());
      assert.deepEqual(
        out,
        [...model].sort((a, b) => a - b),
      );
    }),
  );
});
