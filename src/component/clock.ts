// SPDX-License-Identifier: Apache-2.0
// Time is injected: whatever waits or stamps takes a `Clock`, so that tests advance it instead of sleeping.

export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Calls `run` once after `delayMs`; disposing cancels. The timer keeps the process alive. */
  after(delayMs: number, run: () => void): Disposable;
  /** Resolves after `delayMs`. @throws `signal.reason` if aborted first. */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>;
}

/** The longest delay a Node timer takes; longer ones would fire at once. */
const MAX_DELAY_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  after(delayMs, run) {
    const timer = setTimeout(run, Math.min(Math.max(0, delayMs), MAX_DELAY_MS));
    return { [Symbol.dispose]: () => clearTimeout(timer) };
  },
  sleep: (delayMs, signal) => sleepOn(systemClock, delayMs, signal),
};

/** `Clock.sleep` in terms of `Clock.after`. */
export function sleepOn(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const timer = clock.after(delayMs, () => {
      signal?.removeEventListener('abort', abort);
      resolve();
    });
    function abort(): void {
      timer[Symbol.dispose]();
      reject(signal?.reason);
    }
    signal?.addEventListener('abort', abort, { once: true });
  });
}

/** The last second that was asked for: nearly always it is asked for again. */
let lastSecond = { seconds: Number.NaN, text: '' };

/** `2026-01-02T03:04:05Z`, as `metav1.Time` is written. */
export function formatTime(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  if (lastSecond.seconds !== seconds) lastSecond = { seconds, text: `${new Date(ms).toISOString().slice(0, 19)}Z` };
  return lastSecond.text;
}

/** `2026-01-02T03:04:05.678000Z`, as `metav1.MicroTime` is written. */
export function formatMicroTime(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 23)}000Z`;
}
