// SPDX-License-Identifier: Apache-2.0
// Brings definitions along: names accepted or in conflict, Established, and, once a definition is deleted, its instances deleted before
// it goes. One worker, woken by events of the cache; a definition that failed is tried again after a while.
// @source upstream apiextensions-apiserver pkg/controller/{status,establish,apiapproval,finalizer}
import { customresourcedefinitions } from '#api';
import type { CustomResourceDefinition } from '#api/apiextensions/v1';
import type { Client } from '#client';
import { type Clock, formatTime, type Logger } from '#component';
import { deepCopy, deepEqual, isConflict, isNotFound } from '#machinery';
import type { Cacher } from '../cacher/cacher.ts';
import type { CacheEvent, EventSink } from '../cacher/resource-cache.ts';
import { deleteObject } from '../registry/generic/deletion.ts';
import { type CustomResources, DEFINITIONS_PREFIX } from './custom-resources.ts';
import { establishment, findCondition, type PlannedCondition, planNames, withCondition } from './naming.ts';
import { type Definition, definitionPrefix } from './served-definition.ts';

export interface DefinitionControllerOptions {
  readonly cacher: Cacher;
  readonly client: Client;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly resources: CustomResources;
}

const CLEANUP = 'customresourcecleanup.apiextensions.k8s.io';
const RETRY_MS = 1_000;
/** Instances that are not gone by then are said to be left, and deleted anew. @source upstream's poll of one minute */
const EMPTYING_MS = 60_000;
const EVERYTHING = { namespace: '', name: '', nodeName: '' };

export class DefinitionController {
  readonly #options: DefinitionControllerOptions;
  readonly #queue = new Set<string>();
  /** Definitions whose instances are on their way out: the last one's end wakes the worker. */
  readonly #emptying = new Map<string, Disposable>();
  /** Those of them whose time is over. */
  readonly #overdue = new Set<string>();
  #wake: (() => void) | undefined;

  constructor(options: DefinitionControllerOptions) {
    this.#options = options;
  }

  /** Works until `signal`; resolves when the definition at hand is done. */
  async run(signal: AbortSignal): Promise<void> {
    const cache = this.#options.cacher.cache(DEFINITIONS_PREFIX);
    const sink: EventSink = { interest: EVERYTHING, offer: (event) => this.#follow(event), close: () => undefined };
    using _subscription = cache.subscribe(sink);
    for (const { key } of cache.list('')) this.#queue.add(key);
    const wake = () => this.#wake?.();
    signal.addEventListener('abort', wake, { once: true });
    while (!signal.aborted) {
      const [name] = this.#queue;
      if (name === undefined) await this.#sleep(signal);
      else {
        this.#queue.delete(name);
        await this.#attempt(name, signal);
      }
    }
    for (const watch of this.#emptying.values()) watch[Symbol.dispose]();
  }

  #sleep(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
      if (signal.aborted || this.#queue.size > 0) resolve();
    });
  }

  #enqueue(name: string): void {
    this.#queue.add(name);
    this.#wake?.();
  }

  #follow({ type, current, previous }: CacheEvent): void {
    const definition = current.object as unknown as Definition;
    const before = previous?.object as unknown as Definition | undefined;
    // What this controller says of a deletion is no news to it.
    if (type !== 'delete' && !differsInTerminatingAlone(definition, before)) this.#enqueue(current.key);
    // Names that are free again may be what another definition of the group waits for.
    if (type !== 'delete' && deepEqual(before?.status?.acceptedNames, definition.status?.acceptedNames)) return;
    for (const other of this.#inGroup(definition.spec.group)) {
      if (findCondition(other, 'NamesAccepted')?.status === 'False') this.#enqueue(other.metadata.name);
    }
  }

  #inGroup(group: string): readonly Definition[] {
    const all = this.#options.cacher.cache(DEFINITIONS_PREFIX).list('');
    return all.map(({ object }) => object as unknown as Definition).filter(({ spec }) => spec.group === group);
  }

  #find(name: string): Definition | undefined {
    return this.#options.cacher.cache(DEFINITIONS_PREFIX).find(name)?.object as Definition | undefined;
  }

  async #attempt(name: string, signal: AbortSignal): Promise<void> {
    const { logger, clock } = this.#options;
    try {
      await this.#reconcile(name);
    } catch (error) {
      // A newer state is on its way, or the definition is gone: its event wakes us.
      if (isNotFound(error)) return;
      if (!isConflict(error)) logger.warn({ name, error: String(error) }, 'Cannot bring a definition along, will try again');
      const timer = clock.after(RETRY_MS, () => this.#enqueue(name));
      signal.addEventListener('abort', () => timer[Symbol.dispose](), { once: true });
    }
  }

  async #reconcile(name: string): Promise<void> {
    const definition = this.#find(name);
    if (definition === undefined) return;
    if (definition.metadata.deletionTimestamp !== undefined) return this.#finalize(definition);
    const others = this.#inGroup(definition.spec.group).filter(({ metadata }) => metadata.name !== name);
    const { acceptedNames, conditions } = planNames(definition, others);
    const named = await this.#writeStatus(definition, conditions, acceptedNames);
    const established = establishment(named);
    if (established !== undefined) await this.#writeStatus(named, [established], named.status?.acceptedNames ?? acceptedNames);
  }

  async #writeStatus(
    definition: Definition,
    planned: readonly PlannedCondition[],
    acceptedNames: Definition['spec']['names'],
  ): Promise<Definition> {
    const { client, clock } = this.#options;
    const now = formatTime(clock.now());
    const before = definition.status?.conditions ?? [];
    const conditions = planned.reduce((list, condition) => withCondition(list, condition, now), [...before]);
    if (deepEqual(conditions, before) && deepEqual(acceptedNames, definition.status?.acceptedNames)) return definition;
    const next = deepCopy(definition) as CustomResourceDefinition;
    next.status = { ...next.status, conditions: deepCopy(conditions), acceptedNames: deepCopy(acceptedNames) } as typeof next.status;
    return client.update(customresourcedefinitions, next, { subresource: 'status' });
  }

  /** Deletes the instances, then lets the definition go. */
  async #finalize(definition: Definition): Promise<void> {
    if (!definition.metadata.finalizers?.includes(CLEANUP)) return;
    const { name } = definition.metadata;
    if (this.#emptying.has(name) && this.#left(definition) > 0) return this.#checkTime(definition);
    const names = definition.status?.acceptedNames ?? { plural: '', kind: '' };
    const begun = await this.#writeStatus(definition, [terminating('InstanceDeletionInProgress', IN_PROGRESS)], names);
    const wasServed = findCondition(begun, 'Established')?.status === 'True';
    if (wasServed) {
      await this.#deleteInstances(begun);
      if (this.#left(begun) > 0) return this.#watchEmptying(begun);
    }
    this.#stopWaiting(name);
    await this.#release(begun, wasServed ? COMPLETED : NEVER_SERVED);
  }

  /** The last word and the end of the finalizer are one write: the status endpoint of definitions takes metadata, too. */
  async #release(definition: Definition, last: PlannedCondition): Promise<void> {
    const { client, clock } = this.#options;
    const next = deepCopy(definition) as CustomResourceDefinition;
    next.metadata.finalizers = (next.metadata.finalizers ?? []).filter((one) => one !== CLEANUP);
    const conditions = withCondition(definition.status?.conditions ?? [], last, formatTime(clock.now()));
    next.status = { ...next.status, conditions: deepCopy(conditions) } as typeof next.status;
    await client.update(customresourcedefinitions, next, { subresource: 'status' });
  }

  /** How many instances there are. */
  #left(definition: Definition): number {
    return this.#options.cacher.findCache(definitionPrefix(definition))?.size ?? 0;
  }

  /** Asks all to go; some wait for their finalizers. @throws {Error} If one could not be asked; the definition says so. */
  async #deleteInstances(definition: Definition): Promise<void> {
    const { resources, clock, cacher } = this.#options;
    const store = resources.definition(definition.metadata.name)?.storage;
    const cache = cacher.findCache(definitionPrefix(definition));
    if (store === undefined || cache === undefined) return;
    const problems = new Set<string>();
    for (const { object } of cache.list('')) {
      if (object.metadata.deletionTimestamp !== undefined) continue;
      const { namespace = '', name } = object.metadata;
      const deletion = { store, clock, request: { dryRun: false }, admit: () => undefined };
      await deleteObject(deletion, namespace, name).catch((error: unknown) => {
        if (!isNotFound(error)) problems.add(error instanceof Error ? error.message : String(error));
      });
    }
    if (problems.size === 0) return;
    const [first = ''] = problems;
    const why = `could not issue all deletes: ${problems.size === 1 ? first : `[${[...problems].join(', ')}]`}`;
    await this.#writeTerminating(definition, terminating('InstanceDeletionFailed', why));
    throw new Error(why);
  }

  async #writeTerminating(definition: Definition, condition: PlannedCondition): Promise<void> {
    await this.#writeStatus(definition, [condition], definition.status?.acceptedNames ?? { plural: '', kind: '' });
  }

  /** @throws {Error} When the time is over, so that deleting begins anew; the definition says so. */
  async #checkTime(definition: Definition): Promise<void> {
    const { name } = definition.metadata;
    if (!this.#overdue.has(name)) return;
    this.#stopWaiting(name);
    await this.#writeTerminating(definition, terminating('InstanceDeletionCheck', STILL_THERE));
    throw new Error(STILL_THERE);
  }

  #stopWaiting(name: string): void {
    this.#emptying.get(name)?.[Symbol.dispose]();
    this.#emptying.delete(name);
    this.#overdue.delete(name);
  }

  #watchEmptying(definition: Definition): void {
    const { name } = definition.metadata;
    const cache = this.#options.cacher.findCache(definitionPrefix(definition));
    if (cache === undefined) return;
    const offer = ({ type }: CacheEvent) => {
      if (type === 'delete' && cache.size === 0) this.#enqueue(name);
    };
    const waiting = new DisposableStack();
    waiting.use(cache.subscribe({ interest: EVERYTHING, offer, close: () => undefined }));
    waiting.use(
      this.#options.clock.after(EMPTYING_MS, () => {
        this.#overdue.add(name);
        this.#enqueue(name);
      }),
    );
    this.#emptying.set(name, waiting);
    if (cache.size === 0) this.#enqueue(name);
  }
}

function differsInTerminatingAlone({ metadata, status, spec }: Definition, before: Definition | undefined): boolean {
  if (before === undefined || metadata.deletionTimestamp === undefined || before.metadata.deletionTimestamp === undefined) return false;
  const rest = (of: Definition['status']) => ({ ...of, conditions: (of?.conditions ?? []).filter(({ type }) => type !== 'Terminating') });
  const isSame = deepEqual(rest(status), rest(before.status)) && deepEqual(metadata.finalizers, before.metadata.finalizers);
  return isSame && deepEqual(spec, before.spec);
}

const IN_PROGRESS = 'CustomResource deletion is in progress';
const STILL_THERE = 'could not confirm zero CustomResources remaining: timed out waiting for the condition';

function terminating(reason: string, message: string): PlannedCondition {
  return { type: 'Terminating', status: 'True', reason, message };
}

const NEVER_SERVED: PlannedCondition = {
  type: 'Terminating',
  status: 'False',
  reason: 'NeverEstablished',
  message: 'resource was never established',
};
const COMPLETED: PlannedCondition = {
  type: 'Terminating',
  status: 'False',
  reason: 'InstanceDeletionCompleted',
  message: 'removed all instances',
};
