// SPDX-License-Identifier: Apache-2.0
// Keeps a sink equal to a collection of the API server: list, then watch, for ever (client-go's tools/cache.Reflector).
//
// Flow: list in pages, hand over the whole, watch from its resourceVersion. A watch that ends is opened again where it stopped.
// Guarantees: the sink sees events in the server's order, each once; after a relist it sees the newest state of everything.
// Errors: refused connections and 429s are retried with backoff from the same place; 410 lists again. Nothing is thrown but the
// sink's own errors; it ends only with the signal.
// It lists and watches apart: streaming lists are not asked for.
import type { Clock, Logger } from '#component';
import { ApiError, apiVersionOf, type DeepReadonly, isExpired, type KubeObject, qualifiedResource, type Resource } from '#machinery';
import { Backoff } from './backoff.ts';
import type { Client, ListOptions, WatchEvent } from './client.ts';

export interface ReflectorSink<T extends KubeObject> {
  /** The whole present state. */
  replace(objects: readonly DeepReadonly<T>[]): void;
  apply(type: 'ADDED' | 'MODIFIED' | 'DELETED', object: DeepReadonly<T>): void;
}

export interface ReflectorOptions<T extends KubeObject> {
  readonly client: Client;
  readonly resource: Resource<T>;
  readonly sink: ReflectorSink<T>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly namespace?: string | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
  /** @default Math.random */
  readonly random?: () => number;
}

const PAGE_SIZE = 500;
const MIN_WATCH_SECONDS = 300;
/** A watch that ended sooner without a single event was probably refused by something in between. */
const SHORT_WATCH_MS = 1000;

export class Reflector<T extends KubeObject> {
  readonly #options: ReflectorOptions<T>;
  readonly #backoff: Backoff;
  readonly #random: () => number;
  /** The version the sink has; undefined where a list is due. */
  #version: string | undefined;
  /** What the next list asks for: `0` takes any cached state, '' the newest. */
  #listVersion: string;

  constructor(options: ReflectorOptions<T>) {
    const { clock, random = Math.random } = options;
    this.#options = options;
    this.#random = random;
    this.#backoff = new Backoff({ clock, random, initialMs: 800, maxMs: 30_000, resetMs: 120_000 });
    this.#version = undefined;
    this.#listVersion = '0';
  }

  /** Runs until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        if (this.#version === undefined) await this.#list(signal);
        await this.#watch(signal);
      } catch (error) {
        if (signal.aborted) return;
        if (this.#forget(error)) continue;
        await this.#pause(error, signal);
      }
    }
  }

  /** On a 410: the state is too old to go on from. Whether to list at once. */
  #forget(error: unknown): boolean {
    if (!isExpired(error)) return false;
    const first = this.#listVersion !== '';
    this.#version = undefined;
    this.#listVersion = '';
    return first;
  }

  async #pause(error: unknown, signal: AbortSignal): Promise<void> {
    const { logger, clock, resource } = this.#options;
    const waitMs = Math.round(this.#backoff.next());
    logger.warn({ err: error, resource: qualifiedResource(resource), retryInMs: waitMs }, 'List or watch failed');
    await clock.sleep(waitMs, signal).catch(() => undefined);
  }

  async #list(signal: AbortSignal): Promise<void> {
    const { client, resource, sink } = this.#options;
    const objects: DeepReadonly<T>[] = [];
    let options: ListOptions = { ...this.#scope(), signal, limit: PAGE_SIZE, resourceVersion: this.#listVersion };
    for (;;) {
      const page = await client.list(resource, options);
      for (const object of page.items) objects.push(object);
      if (page.continue === undefined) {
        this.#version = page.resourceVersion;
        break;
      }
      // A continued list names its version in the token.
      const { resourceVersion: _, ...rest } = options;
      options = { ...rest, continue: page.continue };
    }
    this.#listVersion = this.#version;
    sink.replace(objects);
  }

  async #watch(signal: AbortSignal): Promise<void> {
    const { client, resource, clock } = this.#options;
    const startedAt = clock.now();
    const timeoutSeconds = Math.round(MIN_WATCH_SECONDS * (1 + this.#random()));
    const options = { ...this.#scope(), signal, timeoutSeconds, resourceVersion: this.#version };
    let count = 0;
    for await (const event of client.watch(resource, options)) {
      this.#take(event);
      count += 1;
    }
    if (signal.aborted) return;
    if (count === 0 && clock.now() - startedAt < SHORT_WATCH_MS) throw new Error('very short watch: it ended at once without an event');
  }

  #take(event: WatchEvent<T>): void {
    if (event.type === 'ERROR') throw new ApiError(event.object);
    if (event.type !== 'BOOKMARK') this.#options.sink.apply(event.type, this.#typed(event.object));
    this.#version = event.object.metadata.resourceVersion;
    this.#listVersion = this.#version;
  }

  #typed(object: DeepReadonly<T>): DeepReadonly<T> {
    if ((object as Partial<KubeObject>).kind !== undefined) return object;
    const { resource } = this.#options;
    return { ...object, apiVersion: apiVersionOf(resource), kind: resource.kind };
  }

  #scope(): ListOptions {
    const { namespace, labelSelector, fieldSelector } = this.#options;
    return { namespace, labelSelector, fieldSelector };
  }
}
