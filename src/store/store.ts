// SPDX-License-Identifier: Apache-2.0
// The store contract: versioned keys under one revision counter, with etcd's semantics. Three implementations (memory, SQLite,
// etcd) run the suite in store.contract.ts. Keys are etcd's, `/registry/<resource>/<namespace>/<name>`; values are opaque bytes.

/** A point in the store's history. 0 means "none" or "newest", depending on the parameter. */
export type Revision = number;

export interface Versioned {
  readonly key: string;
  readonly value: Uint8Array;
  readonly createRevision: Revision;
  readonly modRevision: Revision;
}

export interface StoreEvent {
  readonly type: 'put' | 'delete';
  readonly key: string;
  readonly revision: Revision;
  /** The value written; for a delete, empty. */
  readonly value: Uint8Array;
  /** The revision of the key's creation: equal to `revision` on a create. */
  readonly createRevision: Revision;
}

export interface RangeOptions {
  /** At most this many. 0: all. @default 0 */
  readonly limit?: number;
  /** As of this revision. @default newest */
  readonly revision?: Revision;
  /** Keys strictly after this one, for continuing. */
  readonly after?: string;
}

export interface RangeResult {
  /** In key order. */
  readonly items: readonly Versioned[];
  readonly revision: Revision;
  /** Whether more keys follow under the prefix. */
  readonly more: boolean;
  /** How many keys are under the prefix after `after`, including those not returned. */
  readonly count: number;
}

/** A conflict returns what is there now: no second read. */
export type WriteResult =
  | { readonly ok: true; readonly revision: Revision }
  | { readonly ok: false; readonly current: Versioned | undefined };

export interface PutOptions {
  /** The key disappears, as a delete event, when this many seconds passed without another put. */
  readonly ttlSeconds?: number;
}

/**
 * Guarantees: every successful write raises the revision by exactly 1 and is durable when its promise resolves (memory: never).
 * Reads see every write that was answered before they began. Revisions never go back, also over restarts.
 */
export interface Store extends AsyncDisposable {
  /** The newest revision that is answered. */
  readonly revision: Revision;
  /** @throws {CompactedError} If `at` is compacted. */
  find(key: string, at?: Revision): Promise<Versioned | undefined>;
  /** @throws {CompactedError} If `options.revision` is compacted. @throws {FutureRevisionError} If it is yet to come. */
  range(prefix: string, options?: RangeOptions): Promise<RangeResult>;
  /** Writes only if the key's modRevision is still `expected` (0: must not exist; undefined: whatever is there). */
  put(key: string, value: Uint8Array, expected: Revision | undefined, options?: PutOptions): Promise<WriteResult>;
  /** Deletes only if the key's modRevision is still `expected` (undefined: whatever is there; absent keys conflict). */
  delete(key: string, expected: Revision | undefined): Promise<WriteResult>;
  /**
   * Yields every event with revision > `after` under `prefix`, in order, none skipped, in batches as they were committed.
   * A consumer that falls more than the store's bound behind is ended with `SlowWatcherError`.
   * @throws {CompactedError} If `after` is compacted: list again.
   */
  watch(prefix: string, after: Revision, signal: AbortSignal): AsyncIterable<readonly StoreEvent[]>;
  /** Forgets history up to `revision`; the newest state of every key stays readable. */
  compact(revision: Revision): Promise<void>;
  /** Bytes on disk (memory: of the values). */
  size(): Promise<number>;
}

/** Thrown when a revision asked for is no longer kept. */
export class CompactedError extends Error {
  readonly compactRevision: Revision;

  constructor(asked: Revision, compactRevision: Revision) {
    super(`read revision ${asked}: compacted up to ${compactRevision}`);
    this.name = 'CompactedError';
    this.compactRevision = compactRevision;
  }
}

/** Thrown when a revision asked for was never written. */
export class FutureRevisionError extends Error {
  readonly current: Revision;

  constructor(asked: Revision, current: Revision) {
    super(`read revision ${asked}: the newest is ${current}`);
    this.name = 'FutureRevisionError';
    this.current = current;
  }
}

/** Thrown when a watcher's unread events exceed the bound. */
export class SlowWatcherError extends Error {
  constructor(prefix: string) {
    super(`watch "${prefix}": consumer too far behind`);
    this.name = 'SlowWatcherError';
  }
}

/** Thrown when the store cannot write: a full disk, a file gone. Nothing of the write is kept. */
export class StoreUnavailableError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'StoreUnavailableError';
  }
}
