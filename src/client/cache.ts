// SPDX-License-Identifier: Apache-2.0
// The cache behind a lister: objects by key, and by whatever indexes were added. Objects are kept as they came and handed out
// shared. Index entries are updated in place, so a change costs its own entries and nothing else.
import { type DeepReadonly, type KubeObject, keyOf } from '#machinery';
import type { IndexFunction, Lister } from './informer.ts';

/** The index every cache of namespaced objects has. */
const NAMESPACE = 'namespace';

interface Index<T> {
  readonly of: IndexFunction<T>;
  readonly buckets: Map<string, Map<string, DeepReadonly<T>>>;
}

export class ObjectCache<T extends KubeObject> implements Lister<T> {
  readonly #objects = new Map<string, DeepReadonly<T>>();
  readonly #indexes = new Map<string, Index<T>>();
  #all: readonly DeepReadonly<T>[] | undefined;

  constructor() {
    this.#all = undefined;
    this.addIndex(NAMESPACE, (object) => [metaOf(object).namespace ?? '']);
  }

  get size(): number {
    return this.#objects.size;
  }

  find(key: string): DeepReadonly<T> | undefined {
    return this.#objects.get(key);
  }

  list(namespace?: string): readonly DeepReadonly<T>[] {
    if (namespace !== undefined && namespace !== '') return this.byIndex(NAMESPACE, namespace);
    this.#all ??= [...this.#objects.values()];
    return this.#all;
  }

  byIndex(index: string, value: string): readonly DeepReadonly<T>[] {
    const found = this.#indexes.get(index);
    if (found === undefined) throw new RangeError(`read index "${index}": no such index`);
    const bucket = found.buckets.get(value);
    return bucket === undefined ? [] : [...bucket.values()];
  }

  keys(): IterableIterator<string> {
    return this.#objects.keys();
  }

  addIndex(name: string, of: IndexFunction<T>): void {
    const index: Index<T> = { of, buckets: new Map() };
    for (const [key, object] of this.#objects) insert(index, key, object);
    this.#indexes.set(name, index);
  }

  /** @returns What was there before. */
  set(object: DeepReadonly<T>): DeepReadonly<T> | undefined {
    const key = cacheKey(object);
    const before = this.#objects.get(key);
    this.#objects.set(key, object);
    this.#all = undefined;
    for (const index of this.#indexes.values()) {
      if (before !== undefined) remove(index, key, before);
      insert(index, key, object);
    }
    return before;
  }

  /** @returns What was there before. */
  delete(key: string): DeepReadonly<T> | undefined {
    const before = this.#objects.get(key);
    if (before === undefined) return undefined;
    this.#objects.delete(key);
    this.#all = undefined;
    for (const index of this.#indexes.values()) remove(index, key, before);
    return before;
  }
}

/** `namespace/name`, or `name`. */
export function cacheKey(object: DeepReadonly<KubeObject>): string {
  return keyOf(metaOf(object));
}

function metaOf(object: DeepReadonly<KubeObject>): { readonly name: string; readonly namespace?: string | undefined } {
  return object.metadata;
}

function insert<T>(index: Index<T>, key: string, object: DeepReadonly<T>): void {
  for (const value of index.of(object)) {
    const bucket = index.buckets.get(value);
    if (bucket === undefined) index.buckets.set(value, new Map([[key, object]]));
    else bucket.set(key, object);
  }
}

function remove<T>(index: Index<T>, key: string, object: DeepReadonly<T>): void {
  for (const value of index.of(object)) {
    const bucket = index.buckets.get(value);
    bucket?.delete(key);
    if (bucket?.size === 0) index.buckets.delete(value);
  }
}
