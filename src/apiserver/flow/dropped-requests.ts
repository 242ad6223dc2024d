// SPDX-License-Identifier: Apache-2.0
// How long clients of an overloaded priority level are told to stay away: twice as long while many requests are dropped, a second
// less once few are. Looked at when a request is dropped, and never otherwise.
// @source upstream apiserver pkg/util/flowcontrol/dropped_requests_tracker.go

const LONGEST_SECONDS = 32;
/** Dropped requests for each second of the pause, at which it is doubled. */
const MANY = 3;

interface Second {
  readonly at: number;
  readonly count: number;
}

export class DroppedRequests {
  #retryAfter = 1;
  #doubledAt = 0;
  #history: Second[] = [];
  #second = 0;
  #count = 0;

  /** What `Retry-After` says. */
  get retryAfterSeconds(): number {
    return this.#retryAfter;
  }

  /** @param now In milliseconds. */
  record(now: number): void {
    const second = Math.floor(now / 1000);
    if (second === this.#second) {
      this.#count += 1;
      return;
    }
    const past = { at: this.#second, count: this.#count };
    this.#history = [...this.#history, past].filter(({ at }) => past.at - at <= LONGEST_SECONDS);
    this.#second = second;
    this.#count = 1;
    this.#adjust(second);
  }

  #adjust(second: number): void {
    const since = second - this.#retryAfter;
    const dropped = this.#history.reduce((sum, { at, count }) => (at >= since && at < second ? sum + count : sum), 0);
    if (second - this.#doubledAt >= this.#retryAfter && dropped >= MANY * this.#retryAfter) {
      this.#retryAfter = Math.min(LONGEST_SECONDS, this.#retryAfter * 2);
      this.#doubledAt = second;
    } else if (dropped < this.#retryAfter && this.#retryAfter > 1) this.#retryAfter -= 1;
  }
}
