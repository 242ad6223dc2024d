// SPDX-License-Identifier: Apache-2.0
// Shared informers: one reflector and one cache per resource, however many read it. The contract is in informer.ts.
import { type Clock, type Logger, systemClock } from '#component';
import type { DeepReadonly, KubeObject, Resource } from '#machinery';
import { cacheKey, ObjectCache } from './cache.ts';
import type { Client } from './client.ts';
import type { EventHandler, IndexFunction, Informer, InformerFactory, InformerOptions, Lister } from './informer.ts';
import { Reflector, type ReflectorSink } from './reflector.ts';

export interface InformerFactoryOptions {
  readonly logger: Logger;
  /** @default systemClock */
  readonly clock?: Clock;
  /** @default Math.random */
  readonly random?: () => number;
}

/** A factory whose informers read through `client`. */
export function createInformerFactory(client: Client, { logger, clock = systemClock, random }: InformerFactoryOptions): InformerFactory {
  return new SharedInformers({ client, logger, clock, ...(random === undefined ? {} : { random }) });
}

interface Parts {
  readonly client: Client;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly random?: () => number;
}

class SharedInformers implements InformerFactory {
  readonly #parts: Parts;
  readonly #informers = new Map<string, CachedInformer<KubeObject>>();
  readonly #running = new Map<CachedInformer<KubeObject>, Promise<void>>();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  informer<T extends KubeObject>(resource: Resource<T>, options: InformerOptions = {}): Informer<T> {
    const { namespace = '', fieldSelector = '', labelSelector = '' } = options;
    const key = [resource.group, resource.version, resource.resource, namespace, fieldSelector, labelSelector].join('|');
    const known = this.#informers.get(key);
    if (known !== undefined) return known as unknown as Informer<T>;
    const made = new CachedInformer(resource, options, this.#parts);
    this.#informers.set(key, made as unknown as CachedInformer<KubeObject>);
    return made;
  }

  start(signal: AbortSignal): void {
    for (const informer of this.#informers.values()) {
      if (!this.#running.has(informer)) this.#running.set(informer, informer.run(signal));
    }
  }

  async waitForSync(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    let abort: () => void = () => undefined;
    const aborted = new Promise<never>((_, reject) => {
      abort = () => reject(signal.reason);
      signal.addEventListener('abort', abort, { once: true });
    });
    try {
      await Promise.race([aborted, Promise.all([...this.#running.keys()].map((informer) => informer.synced))]);
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }

  async drained(): Promise<void> {
    await Promise.all(this.#running.values());
  }
}

class CachedInformer<T extends KubeObject> implements Informer<T>, ReflectorSink<T> {
  readonly synced: Promise<void>;
  readonly #cache = new ObjectCache<T>();
  readonly #handlers = new Set<EventHandler<T>>();
  readonly #reflector: Reflector<T>;
  readonly #logger: Logger;
  readonly #resource: string;
  #settle: () => void = () => undefined;
  #hasSynced: boolean;
  #started: boolean;

  constructor(resource: Resource<T>, options: InformerOptions, parts: Parts) {
    this.#logger = parts.logger;
    this.#resource = resource.resource;
    this.#hasSynced = false;
    this.#started = false;
    this.synced = new Promise((resolve) => {
      this.#settle = resolve;
    });
    this.#reflector = new Reflector({ ...parts, ...options, resource, sink: this });
  }

  get lister(): Lister<T> {
    return this.#cache;
  }

  get hasSynced(): boolean {
    return this.#hasSynced;
  }

  addHandler(handler: EventHandler<T>): Disposable {
    const own = { ...bound(handler) };
    this.#handlers.add(own);
    if (this.#hasSynced) for (const object of this.#cache.list()) this.#call(() => own.add?.(object, true));
    return { [Symbol.dispose]: () => void this.#handlers.delete(own) };
  }

  addIndex(name: string, index: IndexFunction<T>): void {
    if (this.#started) throw new Error(`add index "${name}" to the informer of ${this.#resource}: it runs already`);
    this.#cache.addIndex(name, index);
  }

  run(signal: AbortSignal): Promise<void> {
    this.#started = true;
    return this.#reflector.run(signal);
  }

  replace(objects: readonly DeepReadonly<T>[]): void {
    const initial = !this.#hasSynced;
    const gone = new Set(this.#cache.keys());
    const changes = objects.map((object) => {
      gone.delete(cacheKey(object));
      return { object, before: this.#cache.set(object) };
    });
    const deleted = [...gone].flatMap((key) => this.#cache.delete(key) ?? []);
    // The cache is whole before any handler runs.
    for (const object of deleted) this.#each((handler) => handler.delete?.(object));
    for (const { object, before } of changes) this.#notify(before, object, initial);
    this.#hasSynced = true;
    this.#settle();
  }

  apply(type: 'ADDED' | 'MODIFIED' | 'DELETED', object: DeepReadonly<T>): void {
    if (type !== 'DELETED') {
      this.#notify(this.#cache.set(object), object, false);
      return;
    }
    this.#cache.delete(cacheKey(object));
    this.#each((handler) => handler.delete?.(object));
  }

  #notify(before: DeepReadonly<T> | undefined, after: DeepReadonly<T>, initial: boolean): void {
    if (before === undefined) this.#each((handler) => handler.add?.(after, initial));
    else if (before.metadata.uid !== after.metadata.uid) {
      // Deleted and made anew while nobody looked: owners tell the two apart by uid.
      this.#each((handler) => {
        handler.delete?.(before);
        handler.add?.(after, false);
      });
    } else if (before.metadata.resourceVersion !== after.metadata.resourceVersion) this.#each((handler) => handler.update?.(before, after));
  }

  #each(run: (handler: EventHandler<T>) => void): void {
    for (const handler of this.#handlers) this.#call(() => run(handler));
  }

  /** A handler must not throw; one that does must not stop the others or the watch. */
  #call(run: () => void): void {
    try {
      run();
    } catch (error) {
      this.#logger.error({ err: error, resource: this.#resource }, 'Event handler threw');
    }
  }
}

/** A handler registered twice is called twice, so each registration is an object of its own. */
function bound<T extends KubeObject>(handler: EventHandler<T>): EventHandler<T> {
  return {
    add: (object, initial) => handler.add?.(object, initial),
    update: (before, after) => handler.update?.(before, after),
    delete: (object) => handler.delete?.(object),
  };
}
