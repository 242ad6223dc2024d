// SPDX-License-Identifier: Apache-2.0
// The objects of one resource as of now, in key order within namespaces, with a window of recent events for watches that resume.
// Written only by the cacher, in revision order. @source the role of upstream's storage/cacher watchCache.
import { internalError } from '#machinery';
import type { CachedObject } from './cached-object.ts';
import type { UnreadableValueError } from './unreadable-value.ts';
import type { Interest } from './watch-channel.ts';

export interface CacheEvent {
  readonly type: 'put' | 'delete';
  readonly revision: number;
  /** The new state; for a delete the last state, at the delete's revision. */
  readonly current: CachedObject;
  readonly previous: CachedObject | undefined;
}

/** Whoever is told of events: a watcher's channel, or what turns them into another version for one. */
export interface EventSink {
  readonly interest: Interest;
  /** Takes an event; never blocks. */
  offer(event: CacheEvent): void;
  /** There will be no more events: the resource is gone. */
  close(): void;
}

/** What stores and handlers read: the cache itself, or a view of it in another version. */
export interface ObjectCache {
  find(key: string): CachedObject | undefined;
  list(namespace: string): readonly CachedObject[];
  since(revision: number): readonly CacheEvent[] | undefined;
  readonly windowStart: number;
  subscribe(sink: EventSink): Disposable;
}

/** Events kept for watches that resume; older resourceVersions get 410 and list again. */
const WINDOW = 10_000;

export class ResourceCache implements ObjectCache {
  /** By name under the resource's prefix: `namespace/name` or `name`. */
  readonly #objects = new Map<string, CachedObject>();
  readonly #byNamespace = new Map<string, Map<string, CachedObject>>();
  readonly #byNode = new Map<string, Map<string, CachedObject>>();
  #sorted: readonly CachedObject[] | undefined;
  readonly #sortedByNamespace = new Map<string, readonly CachedObject[]>();
  #unreadable: Map<string, UnreadableValueError> | undefined = undefined;
  #window: CacheEvent[] = [];
  /** Events at or before this revision are not in the window. */
  #windowStart: number;
  readonly #broad = new Set<EventSink>();
  readonly #narrow = new Map<string, Set<EventSink>>();
  #generation = 0;

  constructor(windowStart: number) {
    this.#windowStart = windowStart;
  }

  get size(): number {
    return this.#objects.size;
  }

  get watcherCount(): number {
    let count = this.#broad.size;
    for (const channels of this.#narrow.values()) count += channels.size;
    return count;
  }

  /** Changes with every change: what is derived from the cache knows by it when to be made anew. */
  get generation(): number {
    return this.#generation;
  }

  find(key: string): CachedObject | undefined {
    return this.#objects.get(key) ?? (this.#unreadable === undefined ? undefined : this.#refuseOne(key));
  }

  /** As `find`, for those who keep the cache: what cannot be read is as if absent. */
  peek(key: string): CachedObject | undefined {
    return this.#objects.get(key);
  }

  /** Books a stored value that cannot be read: requests that would show it fail, until it is overwritten or removed. */
  markUnreadable(key: string, why: UnreadableValueError): void {
    this.#unreadable ??= new Map();
    this.#unreadable.set(key, why);
  }

  /** Takes back what `markUnreadable` has said. */
  markReadable(key: string): void {
    if (this.#unreadable?.delete(key) === true && this.#unreadable.size === 0) this.#unreadable = undefined;
  }

  #refuseOne(key: string): undefined {
    const why = this.#unreadable?.get(key);
    if (why !== undefined) throw internalError(why.message);
    return undefined;
  }

  #refuseAny(namespace: string): void {
    for (const [key, why] of this.#unreadable ?? [])
      if (namespace === '' || namespaceOf(key) === namespace)
        throw internalError(`unable to transform key ${JSON.stringify(why.key)}: ${why.message}`);
  }

  /** All, or those of a namespace, in key order. Shared: never change it. */
  list(namespace: string): readonly CachedObject[] {
    if (this.#unreadable !== undefined) this.#refuseAny(namespace);
    if (namespace === '') {
      this.#sorted ??= sortByKey(this.#objects.values());
      return this.#sorted;
    }
    let sorted = this.#sortedByNamespace.get(namespace);
    if (sorted === undefined) {
      sorted = sortByKey(this.#byNamespace.get(namespace)?.values() ?? []);
      this.#sortedByNamespace.set(namespace, sorted);
    }
    return sorted;
  }

  /** The objects whose `spec.nodeName` is `node`: Pods of a node. */
  onNode(node: string): readonly CachedObject[] {
    const found = this.#byNode.get(node);
    return found === undefined ? [] : [...found.values()];
  }

  /** Applies one event and tells the watchers it may concern. */
  apply(event: CacheEvent): void {
    const { current } = event;
    const namespace = namespaceOf(current.key);
    this.#sorted = undefined;
    this.#generation += 1;
    this.#sortedByNamespace.delete(namespace);
    if (event.type === 'delete') this.#remove(current.key, namespace);
    else this.#set(current, namespace);
    this.#window.push(event);
    if (this.#window.length > WINDOW * 1.25) {
      const dropped = this.#window.splice(0, this.#window.length - WINDOW);
      this.#windowStart = dropped.at(-1)?.revision ?? this.#windowStart;
    }
    this.#dispatch(event, namespace);
  }

  /** Puts an object in place without an event: the first load. */
  load(object: CachedObject): void {
    this.#generation += 1;
    this.#set(object, namespaceOf(object.key));
  }

  /** Events after `revision`, or undefined if some of them are no longer kept. */
  since(revision: number): readonly CacheEvent[] | undefined {
    if (revision < this.#windowStart) return undefined;
    let low = 0;
    let high = this.#window.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#window[middle]?.revision ?? 0) > revision) high = middle;
      else low = middle + 1;
    }
    return this.#window.slice(low);
  }

  get windowStart(): number {
    return this.#windowStart;
  }

  /** Registers a watcher under the narrowest index its interest allows. */
  subscribe(channel: EventSink): Disposable {
    const bucket = this.#bucketOf(channel.interest);
    bucket.add(channel);
    return {
      [Symbol.dispose]: () => {
        bucket.delete(channel);
        if (bucket.size === 0) for (const key of indexKeys(channel.interest)) this.#narrow.delete(key);
      },
    };
  }

  /** Ends every watch: the resource is no longer served. */
  closeWatchers(): void {
    for (const sink of [...this.#broad, ...[...this.#narrow.values()].flatMap((bucket) => [...bucket])]) sink.close();
  }

  #bucketOf(interest: Interest): Set<EventSink> {
    const [key] = indexKeys(interest);
    if (key === undefined) return this.#broad;
    let bucket = this.#narrow.get(key);
    if (bucket === undefined) {
      bucket = new Set();
      this.#narrow.set(key, bucket);
    }
    return bucket;
  }

  #dispatch(event: CacheEvent, namespace: string): void {
    for (const channel of this.#broad) channel.offer(event);
    if (this.#narrow.size === 0) return;
    this.#offer(`name:${event.current.key}`, event);
    if (namespace !== '') this.#offer(`namespace:${namespace}`, event);
    const now = nodeOf(event.current);
    const before = event.previous === undefined ? '' : nodeOf(event.previous);
    if (now !== '') this.#offer(`node:${now}`, event);
    if (before !== '' && before !== now) this.#offer(`node:${before}`, event);
  }

  #offer(key: string, event: CacheEvent): void {
    const channels = this.#narrow.get(key);
    if (channels !== undefined) for (const channel of channels) channel.offer(event);
  }

  #set(object: CachedObject, namespace: string): void {
    const before = this.#objects.get(object.key);
    const node = nodeOf(object);
    if (before !== undefined && nodeOf(before) !== node) dropFrom(this.#byNode, nodeOf(before), object.key);
    if (node !== '') addTo(this.#byNode, node, object);
    this.#objects.set(object.key, object);
    if (namespace !== '') addTo(this.#byNamespace, namespace, object);
  }

  #remove(key: string, namespace: string): void {
    const before = this.#objects.get(key);
    this.#objects.delete(key);
    if (before !== undefined) dropFrom(this.#byNode, nodeOf(before), key);
    dropFrom(this.#byNamespace, namespace, key);
  }
}

type Index = Map<string, Map<string, CachedObject>>;

function addTo(index: Index, value: string, object: CachedObject): void {
  const found = index.get(value);
  if (found === undefined) index.set(value, new Map([[object.key, object]]));
  else found.set(object.key, object);
}

function dropFrom(index: Index, value: string, key: string): void {
  const found = index.get(value);
  found?.delete(key);
  if (found?.size === 0) index.delete(value);
}

/** The one index a watcher is filed under: the object, else the node, else the namespace. */
function indexKeys({ namespace, name, nodeName }: Interest): readonly string[] {
  if (name !== '') return [`name:${namespace === '' ? name : `${namespace}/${name}`}`];
  if (nodeName !== '') return [`node:${nodeName}`];
  return namespace === '' ? [] : [`namespace:${namespace}`];
}

function nodeOf(cached: CachedObject): string {
  return (cached.object as { spec?: { nodeName?: string } }).spec?.nodeName ?? '';
}

function namespaceOf(key: string): string {
  const slash = key.indexOf('/');
  return slash < 0 ? '' : key.slice(0, slash);
}

function sortByKey(objects: Iterable<CachedObject>): readonly CachedObject[] {
  return [...objects].sort((a, b) => (a.key < b.key ? -1 : 1));
}
