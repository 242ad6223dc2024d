// SPDX-License-Identifier: Apache-2.0
// Exponential back-off by key: doubles from `initialMs` to `maxMs`, forgotten after twice the maximum without use.
// @source upstream client-go util/flowcontrol/backoff.go
import type { Clock } from '#component';

interface Entry {
  delayMs: number;
  updatedAt: number;
}

export class Backoff {
  readonly #entries = new Map<string, Entry>();
  readonly #clock: Clock;
  readonly #initialMs: number;
  readonly #maxMs: number;

  constructor(clock: Clock, initialMs: number, maxMs: number) {
    this.#clock = clock;
    this.#initialMs = initialMs;
    this.#maxMs = maxMs;
  }

  /** Records one more failure seen at `eventAt`. */
  next(key: string, eventAt = this.#clock.now()): void {
    const entry = this.#entries.get(key);
    const now = this.#clock.now();
    if (entry === undefined || eventAt - entry.updatedAt > 2 * this.#maxMs) {
      this.#entries.set(key, { delayMs: this.#initialMs, updatedAt: now });
      return;
    }
    entry.delayMs = Math.min(entry.delayMs * 2, this.#maxMs);
    entry.updatedAt = now;
  }

  /** The present delay, 0 if there was no failure. */
  delayOf(key: string): number {
    return this.#entries.get(key)?.delayMs ?? 0;
  }

  /** When the wait that began at `eventAt` ends; undefined if it is over. */
  waitUntil(key: string, eventAt: number): number | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined || eventAt - entry.updatedAt > 2 * this.#maxMs) return undefined;
    const until = eventAt + entry.delayMs;
    return until > this.#clock.now() ? until : undefined;
  }

  /** As `waitUntil`, from the last failure. */
  waitUntilSinceUpdate(key: string): number | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    return this.waitUntil(key, entry.updatedAt);
  }

  reset(key: string): void {
    this.#entries.delete(key);
  }

  /** Forgets every key that begins with `prefix`: a Pod is gone. */
  resetAll(prefix: string): void {
    for (const key of this.#entries.keys()) if (key.startsWith(prefix)) this.#entries.delete(key);
  }
}
