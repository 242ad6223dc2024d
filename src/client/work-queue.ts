// SPDX-License-Identifier: Apache-2.0
// The rate-limited work queue of controllers (client-go's util/workqueue).
//
// Guarantees: a key waits at most once; a key being worked on is not handed out again until `done`, and is queued again then if
// it was added meanwhile; order is first come, first served.
// `addRateLimited` waits the larger of a per-key delay (5 ms doubling to 1000 s) and a shared bucket (10 per second, 100 burst).
import { type Clock, systemClock } from '#component';

export interface RateLimitedQueueOptions {
  /** @default systemClock */
  readonly clock?: Clock;
  /** @default 5 */
  readonly baseDelayMs?: number;
  /** @default 1_000_000 */
  readonly maxDelayMs?: number;
  /** The shared bucket: additions per second. @default 10 */
  readonly qps?: number;
  /** @default 100 */
  readonly burst?: number;
}

interface Delayed extends Disposable {
  readonly at: number;
}

export class RateLimitedQueue<K> {
  readonly #clock: Clock;
  readonly #baseDelayMs: number;
  readonly #maxDelayMs: number;
  readonly #bucket: TokenBucket;
  /** In the queue or to be queued again: insertion order is the order of work. */
  readonly #ready = new Set<K>();
  readonly #processing = new Set<K>();
  readonly #again = new Set<K>();
  readonly #failures = new Map<K, number>();
  readonly #delayed = new Map<K, Delayed>();
  readonly #waiting = new Set<(key: K) => void>();

  constructor({ clock = systemClock, baseDelayMs = 5, maxDelayMs = 1_000_000, qps = 10, burst = 100 }: RateLimitedQueueOptions = {}) {
    this.#clock = clock;
    this.#baseDelayMs = baseDelayMs;
    this.#maxDelayMs = maxDelayMs;
    this.#bucket = new TokenBucket(clock, qps, burst);
  }

  /** Keys that wait for a worker now; not those delayed or worked on. */
  get length(): number {
    return this.#ready.size;
  }

  /** Keys that were handed out and are not done. */
  get processing(): number {
    return this.#processing.size;
  }

  add(key: K): void {
    if (this.#processing.has(key)) {
      this.#again.add(key);
      return;
    }
    if (this.#ready.has(key)) return;
    const [taker] = this.#waiting;
    if (taker === undefined) {
      this.#ready.add(key);
      return;
    }
    this.#waiting.delete(taker);
    this.#processing.add(key);
    taker(key);
  }

  /** Adds after a delay; of several delays for a key the earliest counts. */
  addAfter(key: K, delayMs: number): void {
    if (delayMs <= 0) {
      this.add(key);
      return;
    }
    const at = this.#clock.now() + delayMs;
    const pending = this.#delayed.get(key);
    if (pending !== undefined && pending.at <= at) return;
    pending?.[Symbol.dispose]();
    const timer = this.#clock.after(delayMs, () => {
      this.#delayed.delete(key);
      this.add(key);
    });
    this.#delayed.set(key, { at, [Symbol.dispose]: () => timer[Symbol.dispose]() });
  }

  /** Adds after the delay that the key's failures so far have earned. */
  addRateLimited(key: K): void {
    const failures = this.#failures.get(key) ?? 0;
    this.#failures.set(key, failures + 1);
    const own = Math.min(this.#maxDelayMs, this.#baseDelayMs * 2 ** Math.min(failures, 50));
    this.addAfter(key, Math.max(own, this.#bucket.reserve()));
  }

  /** The key succeeded (or is given up): its next failure starts with the shortest delay. */
  forget(key: K): void {
    this.#failures.delete(key);
  }

  /** How often `addRateLimited` was called for a key since `forget`. */
  requeues(key: K): number {
    return this.#failures.get(key) ?? 0;
  }

  /** The next key, waiting for one; undefined once the signal has aborted. Call `done` with it after the work. */
  take(signal: AbortSignal): Promise<{ readonly key: K } | undefined> {
    if (signal.aborted) return Promise.resolve(undefined);
    for (const key of this.#ready) {
      this.#ready.delete(key);
      this.#processing.add(key);
      return Promise.resolve({ key });
    }
    return new Promise((resolve) => {
      const taker = (key: K) => {
        signal.removeEventListener('abort', abort);
        resolve({ key });
      };
      const abort = () => {
        this.#waiting.delete(taker);
        resolve(undefined);
      };
      this.#waiting.add(taker);
      signal.addEventListener('abort', abort, { once: true });
    });
  }

  done(key: K): void {
    this.#processing.delete(key);
    if (this.#again.delete(key)) this.add(key);
  }

  /** Drops what is delayed, so that no timer keeps the process alive. Keys that wait stay. */
  cancelDelayed(): void {
    for (const pending of this.#delayed.values()) pending[Symbol.dispose]();
    this.#delayed.clear();
  }
}

/** `golang.org/x/time/rate` in one method: a reservation is always granted, for later if need be. */
class TokenBucket {
  readonly #clock: Clock;
  readonly #qps: number;
  readonly #burst: number;
  #tokens: number;
  #at: number;

  constructor(clock: Clock, qps: number, burst: number) {
    this.#clock = clock;
    this.#qps = qps;
    this.#burst = burst;
    this.#tokens = burst;
    this.#at = clock.now();
  }

  /** Takes a token. @returns Milliseconds until it is there. */
  reserve(): number {
    const now = this.#clock.now();
    this.#tokens = Math.min(this.#burst, this.#tokens + (Math.max(0, now - this.#at) / 1000) * this.#qps) - 1;
    this.#at = now;
    return this.#tokens >= 0 ? 0 : (-this.#tokens / this.#qps) * 1000;
  }
}
