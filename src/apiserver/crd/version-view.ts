// SPDX-License-Identifier: Apache-2.0
// The objects of a custom resource as one of its versions shows them: converted, pruned and defaulted by the schema as it is now.
// Each state is converted once and kept as long as the cache keeps the state itself; a state that needs no change is shared as it is.
//
// Flow: conversion `None` happens on the spot. A conversion webhook takes time: whoever reads goes through `read`, and events wait
// for theirs in order. When the definition changes, the view ends and with it its watches, as upstream's do.
import { type DeepReadonly, deepEqual } from '#machinery';
import { CachedObject } from '../cacher/cached-object.ts';
import type { CacheEvent, EventSink, ObjectCache, ResourceCache } from '../cacher/resource-cache.ts';
import type { MutableObject } from '../registry/strategy.ts';

type Stored = DeepReadonly<MutableObject>;

export interface VersionConverter {
  /** At once; undefined where it takes a webhook. Makes a new object. */
  readonly now: ((object: Stored) => MutableObject) | undefined;
  /** @throws {ApiError} 500 If the webhook fails. */
  all(objects: readonly Stored[]): Promise<MutableObject[]>;
}

/** Thrown when a state was written while those before it were converted: to be read again. */
class NotConvertedError extends Error {}

export class VersionView implements ObjectCache {
  readonly #cache: () => ResourceCache | undefined;
  readonly #converter: VersionConverter;
  readonly #made = new WeakMap<CachedObject, CachedObject>();
  readonly #lists = new WeakMap<readonly CachedObject[], readonly CachedObject[]>();
  readonly #sinks = new Set<EventSink>();
  #ended = false;

  /** @param cache The cache as it is now; undefined when the resource is gone. */
  constructor(cache: () => ResourceCache | undefined, converter: VersionConverter) {
    this.#cache = cache;
    this.#converter = converter;
  }

  get windowStart(): number {
    return this.#cache()?.windowStart ?? 0;
  }

  /** Whether reads have to go through `read`. */
  get isSlow(): boolean {
    return this.#converter.now === undefined;
  }

  find(key: string): CachedObject | undefined {
    const found = this.#cache()?.find(key);
    return found === undefined ? undefined : this.view(found);
  }

  list(namespace: string): readonly CachedObject[] {
    const stored = this.#cache()?.list(namespace) ?? [];
    let list = this.#lists.get(stored);
    if (list === undefined) {
      const viewed = stored.map((cached) => this.view(cached));
      // The array itself is shared where it can be: bytes of lists are kept by it.
      list = viewed.every((cached, index) => cached === stored[index]) ? stored : viewed;
      this.#lists.set(stored, list);
    }
    return list;
  }

  since(revision: number): readonly CacheEvent[] | undefined {
    return this.#cache()
      ?.since(revision)
      ?.map((event) => this.#event(event));
  }

  subscribe(sink: EventSink): Disposable {
    if (this.#ended) {
      sink.close();
      return { [Symbol.dispose]: () => undefined };
    }
    const inner = this.#cache()?.subscribe(this.isSlow ? this.#slowSink(sink) : this.#quickSink(sink));
    this.#sinks.add(sink);
    return {
      [Symbol.dispose]: () => {
        this.#sinks.delete(sink);
        inner?.[Symbol.dispose]();
      },
    };
  }

  /** Ends every watch of this view. */
  end(): void {
    this.#ended = true;
    for (const sink of this.#sinks) sink.close();
  }

  /** A stored state as this version shows it. What takes a webhook must have been prepared. */
  view(stored: CachedObject): CachedObject {
    const known = this.#made.get(stored);
    if (known !== undefined) return known;
    const { now } = this.#converter;
    if (now === undefined) throw new NotConvertedError(`read ${stored.key}: not converted yet`);
    return this.#keep(stored, now(stored.object));
  }

  #keep(stored: CachedObject, object: MutableObject): CachedObject {
    const made = deepEqual(object, stored.object) ? stored : new CachedObject(stored.key, stored.revision, object);
    this.#made.set(stored, made);
    return made;
  }

  /** Prepares, then reads at once; again where somebody wrote in between. */
  async read<T>(prepare: () => Promise<void>, read: () => T): Promise<T> {
    for (;;) {
      await prepare();
      try {
        return read();
      } catch (error) {
        if (!(error instanceof NotConvertedError)) throw error;
      }
    }
  }

  /** Converts what a read of a key (or '': of everything) is about to see. */
  async prepare(key: string): Promise<void> {
    const cache = this.#cache();
    if (!this.isSlow || cache === undefined) return;
    const found = key === '' ? cache.list('') : [cache.find(key)].filter((one) => one !== undefined);
    await this.prepareAll(found);
  }

  /** Converts states that are not yet. One call, however many there are. */
  async prepareAll(stored: readonly CachedObject[]): Promise<void> {
    const missing = this.isSlow ? stored.filter((cached) => !this.#made.has(cached)) : [];
    if (missing.length === 0) return;
    const converted = await this.#converter.all(missing.map(({ object }) => object));
    for (const [index, cached] of missing.entries()) {
      const object = converted[index];
      if (object !== undefined) this.#keep(cached, object);
    }
  }

  /** Converts what is in the window after a revision, for a watch that resumes. */
  async prepareSince(revision: number): Promise<void> {
    const events = this.isSlow ? (this.#cache()?.since(revision) ?? []) : [];
    await this.prepareAll(events.flatMap(({ current, previous }) => (previous === undefined ? [current] : [current, previous])));
  }

  #event(event: CacheEvent): CacheEvent {
    const previous = event.previous === undefined ? undefined : this.view(event.previous);
    return { ...event, current: this.view(event.current), previous };
  }

  #quickSink(sink: EventSink): EventSink {
    return { interest: sink.interest, offer: (event) => sink.offer(this.#event(event)), close: () => sink.close() };
  }

  #slowSink(sink: EventSink): EventSink {
    let turn: Promise<void> = Promise.resolve();
    const pass = async (event: CacheEvent) => {
      await this.prepareAll(event.previous === undefined ? [event.current] : [event.current, event.previous]);
      sink.offer(this.#event(event));
    };
    return {
      interest: sink.interest,
      // A failed conversion ends the watch: its client lists again.
      offer: (event) => {
        turn = turn.then(() => pass(event)).catch(() => sink.close());
      },
      close: () => sink.close(),
    };
  }
}
