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
import type { ObjectText } from './object-text.ts';
import { type CacheEvent, ResourceCache } from './resource-cache.ts';
import { UnreadableValueError } from './unreadable-value.ts';

/** Revisions replayed at start, so that watches resume over a restart. */
const REPLAYED = 5_000;
const ROOT = '/registry/';
const NOTHING = new Uint8Array();

interface Waiter {
  readonly revision: number;
  readonly resolve: () => void;
}

export interface CacherOptions {
  readonly store: Store;
  readonly logger: Logger;
  /** Turns stored bytes into an object. @throws If they are no object of ours. */
  readonly decode: (value: Uint8Array, key: string) => MutableObject;
  /** Prefixes below `/registry/`, longest first where one begins another: `services/specs/`, `pods/`. */
  readonly prefixes: readonly string[];
  /** Objects that bring a prefix of their own into being: definitions of custom resources. */
  readonly definitions?: { readonly prefix: string; readonly prefixOf: (object: MutableObject) => string };
}

/** Where an object of a storage key is kept. */
interface Place {
  readonly cache: ResourceCache;
  readonly key: string;
}

/** What the bytes of a write stand for. */
interface Written {
  readonly object: MutableObject;
  readonly text: ObjectText | undefined;
}

/** A value under no known prefix, or the object it was. */
interface Unclaimed {
  readonly revision: number;
  readonly value: Uint8Array;
  readonly object?: MutableObject;
}

export class Cacher {
  readonly #store: Store;
  readonly #logger: Logger;
  readonly #decode: (value: Uint8Array, key: string) => MutableObject;
  readonly #caches = new Map<string, ResourceCache>();
  /** Objects handed over by writers that are at work, so that their bytes need not be parsed again. */
  readonly #written = new Map<Uint8Array, Written>();
  readonly #progress = new Set<() => void>();
  readonly #definitions: CacherOptions['definitions'];
  /** What lies under prefixes that nobody has named yet, by key: objects whose definition is gone, or comes later. */
  readonly #unclaimed = new Map<string, Unclaimed>();
  #waiters: Waiter[] = [];
  #revision = 0;

  constructor(options: CacherOptions) {
    this.#store = options.store;
    this.#logger = options.logger;
    this.#decode = options.decode;
    this.#definitions = options.definitions;
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

  /** As `cache`; undefined where there is no such prefix. */
  findCache(prefix: string): ResourceCache | undefined {
    return this.#caches.get(prefix);
  }

  /** Begins to keep a prefix, with what already lies under it. */
  #addPrefix(prefix: string, revision: number): void {
    if (this.#caches.has(prefix)) return;
    const cache = new ResourceCache(revision);
    this.#caches.set(prefix, cache);
    const root = `${ROOT}${prefix}`;
    for (const [key, unclaimed] of this.#unclaimed) {
      if (!key.startsWith(root)) continue;
      this.#unclaimed.delete(key);
      const cached = this.#cached({ cache, key: key.slice(root.length) }, unclaimed, key);
      if (cached !== undefined) cache.load(cached);
    }
  }

  /** Forgets a prefix: its watches end. What is left under it is kept aside, for a definition that comes again. */
  #removePrefix(prefix: string): void {
    const cache = this.#caches.get(prefix);
    if (cache === undefined) return;
    this.#caches.delete(prefix);
    cache.closeWatchers();
    for (const { key, revision, object } of cache.list('')) {
      this.#unclaimed.set(`${ROOT}${prefix}${key}`, { revision, value: NOTHING, object: object as MutableObject });
    }
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

  /**
   * Tells the cacher what object the bytes of a coming write stand for. The object belongs to the cache from now on; `letGo` has to
   * follow when the write has been applied, or has failed.
   */
  handOver(value: Uint8Array, object: MutableObject, text?: ObjectText): void {
    this.#written.set(value, { object, text });
  }

  letGo(value: Uint8Array): void {
    this.#written.delete(value);
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
      for (const item of items) this.#loadItem(item, start);
    }
    this.#revision = start;
    return start;
  }

  #loadItem({ key, modRevision: revision, value }: { key: string; modRevision: number; value: Uint8Array }, start: number): void {
    const place = this.#placeOf(key);
    if (place === undefined) {
      this.#unclaimed.set(key, { revision, value });
      return;
    }
    const cached = this.#cached(place, { revision, value }, key);
    if (cached === undefined) return;
    place.cache.load(cached);
    const prefix = this.#definedPrefix(key, cached);
    if (prefix !== undefined) this.#addPrefix(prefix, start);
  }

  #definedPrefix(key: string, { object }: CachedObject): string | undefined {
    const definitions = this.#definitions;
    return definitions !== undefined && key.startsWith(`${ROOT}${definitions.prefix}`)
      ? definitions.prefixOf(object as MutableObject)
      : undefined;
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
    if (place === undefined) {
      if (event.type === 'delete') this.#unclaimed.delete(event.key);
      else this.#unclaimed.set(event.key, { revision: event.revision, value: event.value });
      return;
    }
    const previous = place.cache.peek(place.key);
    if (event.type === 'delete') {
      place.cache.markReadable(place.key);
      if (previous === undefined) return;
      const prefix = this.#definedPrefix(event.key, previous);
      if (prefix !== undefined) this.#removePrefix(prefix);
      place.cache.apply({ type: 'delete', revision: event.revision, current: previous.withRevision(event.revision), previous });
      return;
    }
    const current = this.#cached(place, event, event.key);
    if (current === undefined) return;
    const prefix = this.#definedPrefix(event.key, current);
    if (prefix !== undefined) this.#addPrefix(prefix, event.revision);
    const applied: CacheEvent = { type: 'put', revision: event.revision, current, previous };
    place.cache.apply(applied);
  }

  #cached({ cache, key }: Place, { revision, value, object: kept }: Unclaimed, storageKey: string): CachedObject | undefined {
    const written = this.#written.get(value);
    try {
      const object = written?.object ?? kept ?? this.#decode(value, storageKey);
      object.metadata.resourceVersion = String(revision);
      cache.markReadable(key);
      return new CachedObject(key, revision, object, written?.text);
    } catch (error) {
      // One unreadable value must not stop the server; the object is as if absent, or, encrypted, fails those who ask for it.
      if (error instanceof UnreadableValueError) cache.markUnreadable(key, error);
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
