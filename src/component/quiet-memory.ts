// SPDX-License-Identifier: Apache-2.0
// Gives memory back once work is over. V8 keeps what a burst (the start, a thousand Pods) has made it take until its next full
// collection, which a process that has gone quiet never comes to: here it gets one.
import type { Clock } from './clock.ts';

/** What there is to see and do; `processMemory` outside of tests. */
export interface ProcessMemory {
  /** CPU time that the process has used, in milliseconds. */
  usedMs(): number;
  heapBytes(): number;
  /** Collects everything and returns what is free to the system. */
  collect(): void;
}

const LOOK_MS = 15_000;
/** Less than this of a core is quiet. */
const QUIET_SHARE = 0.05;
/** So much work makes it worth a collection. */
const WORK_MS = 250;
/** The collection of a larger heap would be felt, by whoever asks something just then. */
const LARGEST_HEAP = 100 * 2 ** 20;

/** Undefined where the process runs without `--expose-gc`. */
export function processMemory(): ProcessMemory | undefined {
  const { gc } = globalThis;
  if (gc === undefined) return undefined;
  return {
    usedMs() {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1000;
    },
    heapBytes: () => process.memoryUsage().heapUsed,
    // Only this flavor shrinks the young generation.
    collect: () => gc({ type: 'major', flavor: 'last-resort' }),
  };
}

/** Looks every 15 s until `signal`: one collection for every time of work that has ended. */
export async function giveBackMemoryWhenQuiet(clock: Clock, signal: AbortSignal, memory = processMemory()): Promise<void> {
  if (memory === undefined) return;
  let collectedAt = 0;
  let seen = memory.usedMs();
  for (;;) {
    await clock.sleep(LOOK_MS, signal).catch(() => undefined);
    if (signal.aborted) return;
    const used = memory.usedMs();
    const isQuiet = used - seen < LOOK_MS * QUIET_SHARE;
    seen = used;
    if (!isQuiet || used - collectedAt < WORK_MS || memory.heapBytes() > LARGEST_HEAP) continue;
    memory.collect();
    collectedAt = memory.usedMs();
  }
}
