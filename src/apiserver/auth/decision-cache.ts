// SPDX-License-Identifier: Apache-2.0
// Answers of a webhook for a while: a bounded map whose entries expire, and which asks only once for questions in flight.
import type { Clock } from '#component';

export interface DecisionCacheOptions<T> {
  readonly clock: Pick<Clock, 'now'>;
  /** How long an answer counts, in milliseconds; 0: it is not kept. */
  readonly ttlMs: (answer: T) => number;
  /** @default 8192, upstream's size */
  readonly size?: number;
}

export class DecisionCache<T> {
  readonly #options: DecisionCacheOptions<T>;
  readonly #answers = new Map<string, { readonly answer: T; readonly until: number }>();
  readonly #asking = new Map<string, Promise<T>>();

  constructor(options: DecisionCacheOptions<T>) {
    this.#options = options;
  }

  /** What is known and still counts. */
  peek(key: string): T | undefined {
    const found = this.#answers.get(key);
    if (found === undefined) return undefined;
    if (found.until > this.#options.clock.now()) return found.answer;
    this.#answers.delete(key);
    return undefined;
  }

  /** The known answer, or that of `ask`; a failure of `ask` is everybody's who waits, and not kept. */
  async get(key: string, ask: () => Promise<T>): Promise<T> {
    const known = this.peek(key);
    if (known !== undefined) return known;
    let asking = this.#asking.get(key);
    if (asking === undefined) {
      asking = ask().finally(() => this.#asking.delete(key));
      this.#asking.set(key, asking);
    }
    const answer = await asking;
    this.#keep(key, answer);
    return answer;
  }

  #keep(key: string, answer: T): void {
    const { clock, ttlMs, size = 8192 } = this.#options;
    const ttl = ttlMs(answer);
    if (ttl <= 0) return;
    this.#answers.delete(key);
    this.#answers.set(key, { answer, until: clock.now() + ttl });
    // Maps keep the order of insertion: the first is the oldest.
    for (const oldest of this.#answers.keys()) {
      if (this.#answers.size <= size) break;
      this.#answers.delete(oldest);
    }
  }
}
