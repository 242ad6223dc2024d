// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock, settle, silentLogger } from '#component';
import { DONE, requeueAfter, runController, TerminalError } from './controller.ts';
import { RateLimitedQueue } from './work-queue.ts';

test('take() gives a key once however often it was added, and again after done() if it was added meanwhile', async (t) => {
  const queue = new RateLimitedQueue<string>({ clock: new FakeClock() });
  queue.add('a');
  queue.add('b');
  queue.add('a');

  const first = await queue.take(t.signal);
  queue.add('a');
  assert.equal((await queue.take(t.signal))?.key, 'b');
  assert.equal(queue.length, 0);
  queue.done('a');

  assert.equal(first?.key, 'a');
  assert.equal((await queue.take(t.signal))?.key, 'a');
});

test('addRateLimited() doubles from 5 ms until forget()', async () => {
  const clock = new FakeClock();
  const queue = new RateLimitedQueue<string>({ clock });
  const stop = new AbortController();
  const delays: number[] = [];

  for (let round = 0; round < 4; round++) {
    const start = clock.now();
    queue.addRateLimited('a');
    const taken = queue.take(stop.signal).then(() => delays.push(clock.now() - start));
    await clock.advance(5 * 2 ** round);
    await taken;
    queue.done('a');
  }
  queue.forget('a');

  assert.deepEqual(delays, [5, 10, 20, 40]);
  assert.equal(queue.requeues('a'), 0);
});

test('the shared bucket holds back a flood of different keys', async () => {
  const clock = new FakeClock();
  const queue = new RateLimitedQueue<number>({ clock, qps: 10, burst: 3 });
  for (let key = 0; key < 5; key++) queue.addRateLimited(key);

  await clock.advance(5);
  assert.equal(queue.length, 3);
  await clock.advance(200);
  assert.equal(queue.length, 5);
});

test('addAfter() keeps the earlier of two times', async () => {
  const clock = new FakeClock();
  const queue = new RateLimitedQueue<string>({ clock });
  queue.addAfter('a', 100);
  queue.addAfter('a', 10);
  queue.addAfter('a', 50);

  await clock.advance(10);

  assert.equal(queue.length, 1);
  assert.equal(clock.pending, 0);
});

test('runController() retries a throw, heeds a requeue, gives up on a TerminalError and drains', async () => {
  const clock = new FakeClock();
  const queue = new RateLimitedQueue<string>({ clock });
  const stop = new AbortController();
  const seen: string[] = [];
  const reconcile = async (key: string) => {
    seen.push(key);
    const times = seen.filter((other) => other === key).length;
    if (key === 'throws' && times === 1) throw new Error('once');
    if (key === 'terminal') throw new TerminalError('never');
    return key === 'again' && times === 1 ? requeueAfter(1000) : DONE;
  };
  const running = runController({ name: 'test', workers: 2, queue, reconcile, logger: silentLogger, signal: stop.signal });
  for (const key of ['throws', 'terminal', 'again']) queue.add(key);

  await clock.advance(5);
  assert.deepEqual(seen.sort(), ['again', 'terminal', 'throws', 'throws']);
  await clock.advance(1000);

  assert.equal(seen.filter((key) => key === 'again').length, 2);
  queue.addAfter('late', 5000);
  stop.abort();
  await running;
  assert.equal(clock.pending, 0);
  await settle();
});
