// SPDX-License-Identifier: Apache-2.0
// Contracts of the caches that components read: listers, informers and the factory that shares one watch per resource.
import type { DeepReadonly, KubeObject, Resource } from '#machinery';

export type IndexFunction<T> = (object: DeepReadonly<T>) => readonly string[];

/** Reads a synced cache. Objects are shared: never change one. Keys are `namespace/name`, or `name`. */
export interface Lister<T extends KubeObject> {
  find(key: string): DeepReadonly<T> | undefined;
  /** All, or those of a namespace; in no order. */
  list(namespace?: string): readonly DeepReadonly<T>[];
  /** Those for which the index function of `addIndex` gave `value`. @throws {RangeError} If there is no such index. */
  byIndex(index: string, value: string): readonly DeepReadonly<T>[];
  readonly size: number;
}

export interface EventHandler<T extends KubeObject> {
  /** `initial` is true for objects of the first list. */
  add?(object: DeepReadonly<T>, initial: boolean): void;
  /** Also called on a relist with an equal object only if its resourceVersion changed. */
  update?(before: DeepReadonly<T>, after: DeepReadonly<T>): void;
  /** `object` is the last state seen. */
  delete?(object: DeepReadonly<T>): void;
}

export interface InformerOptions {
  readonly namespace?: string;
  readonly fieldSelector?: string;
  readonly labelSelector?: string;
}

/**
 * One reflector with its cache.
 *
 * Flow: list and watch (streaming list where the server has it), apply events in order, call handlers after the cache has changed.
 * Guarantees: handlers see every object that stays; intermediate states may be left out after a relist. Handlers run on the event
 * loop in registration order and must not block or throw.
 * Errors: a broken watch resumes from the last resourceVersion with backoff; a 410 lists again.
 */
export interface Informer<T extends KubeObject> {
  readonly lister: Lister<T>;
  readonly hasSynced: boolean;
  /** Before or after start; a late handler gets an `add` for what is there. Disposing removes it. */
  addHandler(handler: EventHandler<T>): Disposable;
  /** Only before start. */
  addIndex(name: string, index: IndexFunction<T>): void;
}

export interface InformerFactory {
  /** The shared informer of a resource (and options); made on first ask. It runs once `start` was called. */
  informer<T extends KubeObject>(resource: Resource<T>, options?: InformerOptions): Informer<T>;
  /** Starts what was asked for; may be called again after more was. Everything stops with `signal`. */
  start(signal: AbortSignal): void;
  /** Resolves when all that was started has synced. */
  waitForSync(signal: AbortSignal): Promise<void>;
  /** Resolves when, after the signal of `start`, everything has ended. */
  drained(): Promise<void>;
}
