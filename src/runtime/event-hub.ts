// SPDX-License-Identifier: Apache-2.0
// Fans runtime events out to every reader. Each reader has a queue; one that falls too far behind loses the oldest events, since
// readers look at the state anyway and an event only says where.
import type { RuntimeEvent } from './runtime.ts';

const QUEUE_LIMIT = 10_000;

export class EventHub {
  readonly #readers = new Set<(event: RuntimeEvent) => void>();

  emit(event: RuntimeEvent): void {
    for (const reader of this.#readers) reader(event);
  }

  /** Subscribes at once, not at the first `next()`: nothing is missed between. After `signal` it gives what is queued and ends. */
  subscribe(signal: AbortSignal): AsyncIterable<RuntimeEvent> {
    const queue: RuntimeEvent[] = [];
    let wake: (() => void) | undefined;
    const reader = (event: RuntimeEvent): void => {
      if (queue.length >= QUEUE_LIMIT) queue.shift();
      queue.push(event);
      wake?.();
    };
    const stop = (): void => {
      this.#readers.delete(reader);
      wake?.();
    };
    if (!signal.aborted) this.#readers.add(reader);
    signal.addEventListener('abort', stop, { once: true });
    return {
      async *[Symbol.asyncIterator]() {
        try {
          for (;;) {
            const next = queue.shift();
            if (next !== undefined) yield next;
            else if (signal.aborted) return;
            else
              await new Promise<void>((resolve) => {
                wake = resolve;
              });
          }
        } finally {
          signal.removeEventListener('abort', stop);
          stop();
        }
      },
    };
  }
}
