// SPDX-License-Identifier: Apache-2.0
// One watcher's view of a resource: filters events by its selectors, turns entering and leaving the selection into ADDED and
// DELETED, and keeps what its reader has not taken yet, within a bound. A reader too slow is ended, never buffered without end.
import type { CachedObject } from './cached-object.ts';
import type { CacheEvent } from './resource-cache.ts';

/** What a watcher asks for, in terms the cache has indexes for. Empty strings mean any. */
export interface Interest {
  readonly namespace: string;
  readonly name: string;
  readonly nodeName: string;
}

export interface WatchItem {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly object: CachedObject;
}

/** Unread events a watcher may have. @source upstream's per-watcher channels hold 10 to 1000; ours are references, so more is cheap. */
const MAX_UNREAD = 20_000;

export class WatchChannel {
  readonly interest: Interest;
  readonly #matches: (object: CachedObject) => boolean;
  readonly #after: number;
  #unread: WatchItem[] = [];
  #wake: (() => void) | undefined;
  #overflowed = false;
  #closed = false;

  /** @param after Events up to this revision, which may be yet to come, are not told. */
  constructor(interest: Interest, matches: (object: CachedObject) => boolean, after = 0) {
    this.interest = interest;
    this.#matches = matches;
    this.#after = after;
  }

  /** Takes an event of the cache; never blocks. */
  offer(event: CacheEvent): void {
    if (event.revision <= this.#after) return;
    const item = this.judge(event);
    if (item === undefined || this.#closed) return;
    if (this.#unread.length >= MAX_UNREAD) {
      this.#overflowed = true;
      this.close();
      return;
    }
    this.#unread.push(item);
    this.#wake?.();
  }

  /** Whether it ended because its reader was too slow. */
  get overflowed(): boolean {
    return this.#overflowed;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Takes all that is unread; an empty answer means closed or `wake` was called by a timer. */
  async take(): Promise<readonly WatchItem[]> {
    if (this.#unread.length === 0 && !this.#closed) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = undefined;
    }
    const taken = this.#unread;
    this.#unread = [];
    return taken;
  }

  /** Lets a waiting `take` return, so that its caller can send a bookmark. */
  nudge(): void {
    this.#wake?.();
  }

  close(): void {
    this.#closed = true;
    this.#wake?.();
  }

  /** What an event means to this watcher; undefined if nothing. */
  judge({ type, current, previous }: CacheEvent): WatchItem | undefined {
    const before = previous !== undefined && this.#matches(previous);
    if (type === 'delete') return before ? { type: 'DELETED', object: current } : undefined;
    const now = this.#matches(current);
    if (now) return { type: before ? 'MODIFIED' : 'ADDED', object: current };
    return before ? { type: 'DELETED', object: leaving(previous, current) } : undefined;
  }
}

/** What a watcher sees of an object that no longer matches: the old state at the new revision, as upstream sends it. */
function leaving(previous: CachedObject, current: CachedObject): CachedObject {
  return previous.withRevision(current.revision);
}
