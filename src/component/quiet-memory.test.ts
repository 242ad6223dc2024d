// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from './fake-clock.ts';
import { giveBackMemoryWhenQuiet } from './quiet-memory.ts';

test('memory is given back once after every time of work, and never from a large heap', async () => {
  const clock = new FakeClock();
  const stop = new AbortController();
  let usedMs = 0;
  let heap = 20 * 2 ** 20;
  let collected = 0;
  const memory = { usedMs: () => usedMs, heapBytes: () => heap, collect: () => (collected += 1) };
  const running = giveBackMemoryWhenQuiet(clock, stop.signal, memory);
  /** Collections within the next 15 s, in which the process works so long. */
  const during = async (workMs: number) => {
    const before = collected;
    usedMs += workMs;
    await clock.advance(15_000);
    return collected - before;
  };

  assert.deepEqual([await during(900), await during(0), await during(0)], [0, 1, 0]);
  assert.deepEqual([await during(100), await during(100)], [0, 0], 'too little to be worth it');
  assert.equal(await during(100), 1);
  heap = 200 * 2 ** 20;
  assert.deepEqual([await during(5_000), await during(0)], [0, 0]);

  stop.abort();
  await running;
});
