// SPDX-License-Identifier: Apache-2.0
// A watched selection of a resource held in memory: the node's Pods, one ConfigMap, all Services. Each can be stopped by itself,
// which the shared informers cannot, and the node authorizer allows only such narrow watches.
import { type Client, type ListOptions, Reflector } from '#client';
import type { Clock, Logger } from '#component';
import { type DeepReadonly, type KubeObject, keyOf, type Resource } from '#machinery';

export interface SelectionOptions<T extends KubeObject> {
  readonly client: Client;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly resource: Resource<T>;
  readonly where?: Pick<ListOptions, 'namespace' | 'fieldSelector' | 'labelSelector'>;
  /** After each change; `object` is undefined where it is gone, then `before` is the last state. */
  changed(object: DeepReadonly<T> | undefined, before: DeepReadonly<T> | undefined): void;
}

export class Selection<T extends KubeObject> {
  readonly #options: SelectionOptions<T>;
  readonly #synced = Promise.withResolvers<void>();
  readonly objects = new Map<string, DeepReadonly<T>>();

  constructor(options: SelectionOptions<T>) {
    this.#options = options;
  }

  /** Resolves after the first list, and when the run ends before it. */
  get synced(): Promise<void> {
    return this.#synced.promise;
  }

  /** Runs until `signal`; never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const { client, clock, logger, resource, where } = this.#options;
    const sink = {
      replace: (objects: readonly DeepReadonly<T>[]) => this.#replace(objects),
      apply: (type: string, object: DeepReadonly<T>) => (type === 'DELETED' ? this.#remove(object) : this.#put(object)),
    };
    await new Reflector<T>({ client, clock, logger, resource, sink, ...where }).run(signal);
    this.#synced.resolve();
  }

  #replace(objects: readonly DeepReadonly<T>[]): void {
    const gone = new Map(this.objects);
    for (const object of objects) {
      gone.delete(this.#key(object));
      this.#put(object);
    }
    for (const object of gone.values()) this.#remove(object);
    this.#synced.resolve();
  }

  #key(object: DeepReadonly<T>): string {
    return keyOf((object as DeepReadonly<KubeObject>).metadata);
  }

  #put(object: DeepReadonly<T>): void {
    const key = this.#key(object);
    const before = this.objects.get(key);
    this.objects.set(key, object);
    const version = (of: DeepReadonly<T>) => (of as DeepReadonly<KubeObject>).metadata.resourceVersion;
    if (before === undefined || version(before) !== version(object)) this.#options.changed(object, before);
  }

  #remove(last: DeepReadonly<T>): void {
    this.objects.delete(this.#key(last));
    this.#options.changed(undefined, last);
  }
}
