// SPDX-License-Identifier: Apache-2.0
// Keeps every object of the store in memory, fed by one watch in commit order, split by resource prefix. Reads are answered from
// here at a revision proven fresh: a reader waits until the cache has reached what the store has answered.
//
// Invariant: caches change only in `#apply`, in revision order, on the event loop.
import type { Logger } from '#component';
import { ApiError } from '#machinery';
import { CompactedError, type Store, type StoreEvent } from '#store';
import type { MutableObject } from '../registry/strategy.ts';
import { CachedObject } from './cached-object.ts';
import { type CacheEvent, ResourceCache } from './resource-cache.ts';

/** Revisions replayed at start, so that watches resume over a restart. */
const REPLAYED = 5_000;
const ROOT = '/registry/';

interface Waiter {
  readonly revision: number;
  readonly resolve: () => void;
}

export interface CacherOptions {
  readonly store: Store;
  readonly logger: Logger;
  /** Turns stored bytes into an object. @throws If they are no object of ours. */
  readonly decode: (value: Uint8Array) => MutableObject;
  /** Prefixes below `/registry/`, longest first where one begins another: `services/specs/`, `pods/`. */
  readonly prefixes: readonly string[];
}

export class Cacher {
  readonly #store: Store;
  readonly #logger: Logger;
  readonly #decode: (value: Uint8Array) => MutableObject;
  readonly #caches = new Map<string, ResourceCache>();
  /** Objects handed over by the writer, so that its bytes need not be parsed again. */
  readonly #written = new WeakMap<Uint8Array, MutableObject>();
  readonly #progress = new Set<() => void>();
  #waiters: Waiter[] = [];
  #revision = 0;

  constructor(options: CacherOptions) {
    this.#store = options.store;
    this.#logger = options.logger;
    this.#decode = options.decode;
    for (const prefix of options.prefixes) this.#caches.set(prefix, new ResourceCache(0));
  }

  /** The newest revision the caches show. */
  get revision(): number {
    return this.#revision;
  }

  /** @throws {RangeError} If the prefix was not named at construction or by `addPrefix`. */
  cache(prefix: string): ResourceCache {
    const found = this.#caches.get(prefix);
    if (found === undefined) throw new RangeError(`find the cache of "${prefix}": no such prefix`);
    return found;
  }

  /** Every cache with its prefix, for metrics. */
  caches(): Iterable<[string, ResourceCache]> {
    return this.#caches;
  }

  /** Loads the present state, then follows the store until `signal`. Resolves `ready` through the callback. */
  async run(signal: AbortSignal, ready: () => void): Promise<void> {
    const start = await this.#load();
    const end = this.#store.revision;
    if (start >= end) ready();
    let announced = start >= end;
    for await (const batch of this.#store.watch(ROOT, start, signal)) {
      for (const event of batch) this.#apply(event);
      this.#advance(batch.at(-1)?.revision ?? this.#revision);
      if (!announced && this.#revision >= end) {
        announced = true;
        ready();
      }
    }
  }

  /** Tells the cacher what object the bytes of a coming write stand for. The object belongs to the cache from now on. */
  handOver(value: Uint8Array, object: MutableObject): void {
    this.#written.set(value, object);
  }

  /** Resolves once the caches show `revision`; at once where they do. */
  reached(revision: number): Promise<void> | undefined {
    if (this.#revision >= revision) return undefined;
    return new Promise((resolve) => this.#waiters.push({ revision, resolve }));
  }

  /** Resolves once a read sees every answered write: at once, unless a commit is just being applied. */
  fresh(): Promise<void> | undefined {
    return this.reached(this.#store.revision);
  }

  /** Called after every applied batch: bookmarks and requests that wait for a revision use it. */
  onProgress(run: () => void): Disposable {
    this.#progress.add(run);
    return { [Symbol.dispose]: () => void this.#progress.delete(run) };
  }

  async #load(): Promise<number> {
    const start = await this.#startRevision();
    const { items } = await this.#store.range(ROOT, start > 0 ? { revision: start } : { limit: 1 });
    for (const cache of this.#caches.keys()) this.#caches.set(cache, new ResourceCache(start));
    if (start > 0) {
      for (const item of items) {
        const place = this.#placeOf(item.key);
        if (place === undefined) continue;
        const cached = this.#cached(place.key, item.modRevision, item.value);
        if (cached !== undefined) place.cache.load(cached);
      }
    }
    this.#revision = start;
    return start;
  }

  /** A little before now, so that the events in between fill the windows. */
  async #startRevision(): Promise<number> {
    const wanted = Math.max(0, this.#store.revision - REPLAYED);
    try {
      await this.#store.range(ROOT, { revision: Math.max(1, wanted), limit: 1 });
      return wanted;
    } catch (error) {
      if (error instanceof CompactedError) return error.compactRevision;
      return 0; // Nothing was ever written.
    }
  }

  #apply(event: StoreEvent): void {
    const place = this.#placeOf(event.key);
    if (place === undefined) return;
    const previous = place.cache.find(place.key);
    if (event.type === 'delete') {
      if (previous === undefined) return;
      place.cache.apply({ type: 'delete', revision: event.revision, current: previous.withRevision(event.revision), previous });
      return;
    }
    const current = this.#cached(place.key, event.revision, event.value);
    if (current === undefined) return;
    const applied: CacheEvent = { type: 'put', revision: event.revision, current, previous };
    place.cache.apply(applied);
  }

  #cached(key: string, revision: number, value: Uint8Array): CachedObject | undefined {
    const written = this.#written.get(value);
    try {
      const object = written ?? this.#decode(value);
      object.metadata.resourceVersion = String(revision);
      return new CachedObject(key, revision, object);
    } catch (error) {
      // One unreadable value must not stop the server; the object is as if absent.
      this.#logger.error(
        { key, error: error instanceof ApiError ? error.message : String(error) },
        'Skipped a stored value that cannot be decoded',
      );
      return undefined;
    }
  }

  #placeOf(key: string): { cache: ResourceCache; key: string } | undefined {
    for (let slash = key.indexOf('/', ROOT.length); slash > 0; slash = key.indexOf('/', slash + 1)) {
      const cache = this.#caches.get(key.slice(ROOT.length, slash + 1));
      if (cache !== undefined) return { cache, key: key.slice(slash + 1) };
    }
    return undefined;
  }

  #advance(revision: number): void {
    this.#revision = revision;
    if (this.#waiters.length > 0) {
      const waiting = this.#waiters;
      this.#waiters = [];
      for (const waiter of waiting) {
        if (waiter.revision <= revision) waiter.resolve();
        else this.#waiters.push(waiter);
      }
    }
    for (const run of this.#progress) run();
  }
}
