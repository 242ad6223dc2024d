// SPDX-License-Identifier: Apache-2.0
// What a push source (a WebSocket) hands to a pull reader. `onFull` and `onEmpty` let the source hold back beyond a bound.

export interface QueueOptions {
  /** @default 64 */
  readonly limit?: number;
  onFull?(): void;
  onEmpty?(): void;
}

export class PushQueue<T> implements AsyncIterable<T> {
  readonly #items: T[] = [];
  readonly #options: QueueOptions;
  #wake: (() => void) | undefined;
  #ended = false;

  constructor(options: QueueOptions = {}) {
    this.#options = options;
  }

  push(item: T): void {
    if (this.#ended) return;
    this.#items.push(item);
    if (this.#items.length === (this.#options.limit ?? 64)) this.#options.onFull?.();
    this.#wake?.();
  }

  end(): void {
    this.#ended = true;
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<T> {
    for (;;) {
      const item = this.#items.shift();
      if (item !== undefined) {
        if (this.#items.length === 0) this.#options.onEmpty?.();
        yield item;
      } else if (this.#ended) return;
      else
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
    }
  }
}
