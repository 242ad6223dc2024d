// SPDX-License-Identifier: Apache-2.0
// Growing waits between attempts, with jitter, that start over after a quiet time: as client-go's backoff manager does.
import type { Clock } from '#component';

export interface BackoffOptions {
  readonly clock: Clock;
  readonly initialMs: number;
  readonly maxMs: number;
  /** @default 2 */
  readonly factor?: number;
  /** Up to this share is added at random. @default 1 */
  readonly jitter?: number;
  /** After so long without a failure the wait starts at the initial one again. @default never */
  readonly resetMs?: number;
  /** @default Math.random */
  readonly random?: () => number;
}

export class Backoff {
  readonly #options: BackoffOptions;
  #nextMs: number;
  #lastAt: number;

  constructor(options: BackoffOptions) {
    this.#options = options;
    this.#nextMs = options.initialMs;
    this.#lastAt = options.clock.now();
  }

  reset(): void {
    this.#nextMs = this.#options.initialMs;
  }

  /** How long to wait now; the next wait is longer. */
  next(): number {
    const { clock, initialMs, maxMs, factor = 2, jitter = 1, resetMs = Number.POSITIVE_INFINITY, random = Math.random } = this.#options;
    const now = clock.now();
    if (now - this.#lastAt > resetMs) this.#nextMs = initialMs;
    this.#lastAt = now;
    const wait = this.#nextMs;
    this.#nextMs = Math.min(maxMs, this.#nextMs * factor);
    return wait * (1 + jitter * random());
  }

  /** @throws `signal.reason` if aborted first. */
  wait(signal: AbortSignal): Promise<void> {
    return this.#options.clock.sleep(this.next(), signal);
  }
}
