// SPDX-License-Identifier: Apache-2.0
// Remembers what a controller has asked for and its cache has not yet shown (upstream's UIDTrackingControllerExpectations), so that a
// cache that is behind never makes it create or delete too many. Expectations are given up after five minutes.
import type { Clock } from '#component';

const GIVE_UP_MS = 5 * 60_000;

interface Expectation {
  creations: number;
  readonly deletions: Set<string>;
  readonly at: number;
}

export class Expectations {
  readonly #clock: Clock;
  readonly #byKey = new Map<string, Expectation>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether everything expected has been seen, so that the cache may be acted upon. */
  satisfied(key: string): boolean {
    const found = this.#byKey.get(key);
    if (found === undefined) return true;
    return (found.creations <= 0 && found.deletions.size === 0) || this.#clock.now() - found.at > GIVE_UP_MS;
  }

  expectCreations(key: string, count: number): void {
    this.#byKey.set(key, { creations: count, deletions: new Set(), at: this.#clock.now() });
  }

  /** @param pods Keys of the Pods that will be deleted. */
  expectDeletions(key: string, pods: readonly string[]): void {
    this.#byKey.set(key, { creations: 0, deletions: new Set(pods), at: this.#clock.now() });
  }

  expect(key: string, creations: number, pods: readonly string[]): void {
    this.#byKey.set(key, { creations, deletions: new Set(pods), at: this.#clock.now() });
  }

  /** A creation was seen, or failed. */
  created(key: string, count = 1): void {
    const found = this.#byKey.get(key);
    if (found !== undefined) found.creations -= count;
  }

  /** A deletion was seen, or failed. */
  deleted(key: string, pod: string): void {
    this.#byKey.get(key)?.deletions.delete(pod);
  }

  forget(key: string): void {
    this.#byKey.delete(key);
  }
}
