// SPDX-License-Identifier: Apache-2.0
// Hands committed events to watchers, in order, with a bound on what a slow one may leave unread. Used by every store that
// commits in this process; history before the watch began comes from the store itself.
import { type Revision, SlowWatcherError, type StoreEvent } from './store.ts';

/** Events a watcher may leave unread before it is cut off. A cacher reads at once; only a stuck consumer gets here. */
const MAX_UNREAD = 100_000;

interface Watcher {
  readonly prefix: string;
  unread: StoreEvent[];
  wake: (() => void) | undefined;
  failed: Error | undefined;
}

export class WatchHub {
  readonly #watchers = new Set<Watcher>();
  #closed = false;

  /** Gives a committed batch to all watchers of its keys. */
  publish(events: readonly StoreEvent[]): void {
    for (const watcher of this.#watchers) {
      for (const event of events) if (event.key.startsWith(watcher.prefix)) watcher.unread.push(event);
      if (watcher.unread.length > MAX_UNREAD) {
        watcher.failed = new SlowWatcherError(watcher.prefix);
        watcher.unread = [];
      }
      watcher.wake?.();
    }
  }

  /**
   * Events under `prefix` after `after`: first what `history` yields, then live ones.
   *
   * @param history Reads events after a revision up to now; called once, after live events are already being kept, so that
   * nothing falls between. May yield events that also come live: they are dropped by revision.
   */
  async *watch(
    prefix: string,
    after: Revision,
    history: () => Promise<readonly StoreEvent[]>,
    signal: AbortSignal,
  ): AsyncGenerator<readonly StoreEvent[]> {
    signal.throwIfAborted();
    const watcher: Watcher = { prefix, unread: [], wake: undefined, failed: undefined };
    this.#watchers.add(watcher);
    const wake = () => watcher.wake?.();
    signal.addEventListener('abort', wake, { once: true });
    try {
      let last = after;
      const past = await history();
      if (past.length > 0) {
        last = past.at(-1)?.revision ?? last;
        yield past;
      }
      while (!signal.aborted && !this.#closed) {
        if (watcher.failed !== undefined) throw watcher.failed;
        const batch = watcher.unread.filter((event) => event.revision > last);
        watcher.unread = [];
        if (batch.length > 0) {
          last = batch.at(-1)?.revision ?? last;
          yield batch;
          continue;
        }
        await new Promise<void>((resolve) => {
          watcher.wake = resolve;
        });
        watcher.wake = undefined;
      }
    } finally {
      this.#watchers.delete(watcher);
      signal.removeEventListener('abort', wake);
    }
  }

  /** Ends every watch. */
  close(): void {
    this.#closed = true;
    for (const watcher of this.#watchers) watcher.wake?.();
  }
}
