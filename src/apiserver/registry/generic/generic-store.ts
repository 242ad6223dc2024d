// SPDX-License-Identifier: Apache-2.0
// The store every resource has: create, update and delete as transactions over the key-value store, driven by the resource's
// strategy. Names, uids, revisions, finalizers and preconditions are handled here, once, for all kinds.
// @source upstream apiserver pkg/registry/generic/registry/store.go, rest/create.go, rest/update.go
import { randomUUID } from 'node:crypto';
import { type Clock, formatTime } from '#component';
import {
  ApiError,
  alreadyExists,
  apiError,
  badRequest,
  checkPathSegmentName,
  conflict,
  type DeepReadonly,
  deepCopy,
  deepEqual,
  emptyToNull,
  type FieldCause,
  generateName,
  generateNameConflict,
  invalid,
  isAlreadyExists,
  notFound,
  quote,
  type Resource,
  showGiven,
} from '#machinery';
import { type PutOptions, type Store, StoreUnavailableError } from '#store';
import type { CachedObject } from '../../cacher/cached-object.ts';
import { CachedObject as Cached } from '../../cacher/cached-object.ts';
import type { Cacher } from '../../cacher/cacher.ts';
import { ObjectText } from '../../cacher/object-text.ts';
import type { ObjectCache } from '../../cacher/resource-cache.ts';
import type { StoredForm } from '../../storage.ts';
import type { Allocation, MutableObject, ObjectReader, RequestScope, Strategy, UpdateRules } from '../strategy.ts';
import { objectKey } from './keys.ts';
import { dropRepeatedOwners } from './owner-references.ts';
import type { StorageTraits } from './storage-traits.ts';
import { versionProblem } from './version-text.ts';
import type { WriteContext } from './write-context.ts';

/** What upstream says when a resourceVersion is not the newest. */
export const MODIFIED = 'the object has been modified; please apply your changes to the latest version and try again';
/** Attempts at a free name for `generateName`. @source upstream RetryGenerateName: 8 */
const NAME_ATTEMPTS = 8;

/** Admission as the store sees it: plugins run with the object at the right moments. */
export interface AdmissionCalls {
  /** `object` is undefined for a DELETE, whose object is `previous`. */
  mutate(object: MutableObject | undefined, previous: DeepReadonly<MutableObject> | undefined): Promise<void> | void;
  validate(object: MutableObject | undefined, previous: DeepReadonly<MutableObject> | undefined): Promise<void> | void;
}

export interface GenericStoreOptions {
  readonly strategy: Strategy;
  readonly store: Store;
  readonly cacher: Cacher;
  readonly reader: ObjectReader;
  readonly clock: Clock;
  /** Below `/registry/`. */
  readonly prefix: string;
  readonly traits: StorageTraits;
  readonly form: StoredForm;
  /** Custom resources: the objects as this version shows them, and the way into the stored version. */
  readonly version?: StoreVersion;
}

/** One version of a resource that is stored in another, or whose schema may change under its objects. */
export interface StoreVersion {
  readonly cache: ObjectCache;
  /** Makes a new object. */
  toStored(object: MutableObject): MutableObject | Promise<MutableObject>;
  /** Conversion takes a webhook: reads have to go through `read`. */
  readonly isSlow: boolean;
  /** Reads once what it is about has been converted: the object of a key, or with '' everything. */
  read<T>(key: string, read: () => T): Promise<T>;
  /** As `read`, for events after a revision. */
  readSince<T>(revision: number, read: () => T): Promise<T>;
  /** States read at a past revision, as this version shows them. */
  viewAll(stored: readonly CachedObject[]): readonly CachedObject[] | Promise<readonly CachedObject[]>;
}

export interface UpdateRequest {
  readonly name: string;
  readonly rules: UpdateRules;
  readonly admission: AdmissionCalls;
  /** Makes the wanted state from the present one (a copy, free to change); called again after a lost race. */
  readonly change: (current: MutableObject | undefined) => Promise<MutableObject> | MutableObject;
  /** Whether an absent object is created. */
  readonly mayCreate: boolean;
  /** Whether a missing resourceVersion overwrites whatever is there. */
  readonly mayOverwrite: boolean;
  /** Whether another uid is a conflict; otherwise it is an attempt to change it. @default true */
  readonly uidIsPrecondition?: boolean;
}

export interface UpdateOutcome {
  readonly cached: CachedObject;
  readonly created: boolean;
}

export class GenericStore {
  readonly strategy: Strategy;
  readonly #options: GenericStoreOptions;
  readonly #putOptions: PutOptions;

  constructor(options: GenericStoreOptions) {
    this.#options = options;
    const { ttlSeconds } = options.traits;
    this.#putOptions = ttlSeconds === undefined ? {} : { ttlSeconds };
    this.strategy = options.strategy;
  }

  get cacher(): Cacher {
    return this.#options.cacher;
  }

  get traits(): StorageTraits {
    return this.#options.traits;
  }

  get prefix(): string {
    return this.#options.prefix;
  }

  /** The objects as reads see them. */
  get cache(): ObjectCache {
    return this.#options.version?.cache ?? this.#options.cacher.cache(this.prefix);
  }

  get version(): StoreVersion | undefined {
    return this.#options.version;
  }

  find(namespace: string, name: string): CachedObject | undefined {
    return this.cache.find(objectKey(namespace, name));
  }

  /** Whether there is such an object, in whatever version. */
  has(namespace: string, name: string): boolean {
    return this.#stored(objectKey(namespace, name)) !== undefined;
  }

  #stored(key: string): CachedObject | undefined {
    return this.#options.cacher.findCache(this.prefix)?.find(key);
  }

  /** As `find`, whatever it takes. */
  lookup(namespace: string, name: string): CachedObject | undefined | Promise<CachedObject | undefined> {
    const { version } = this.#options;
    const find = () => this.find(namespace, name);
    return version?.isSlow === true ? version.read(objectKey(namespace, name), find) : find();
  }

  /** @param resource As it was asked for: some are served under several groups. @throws {ApiError} 404 */
  get(namespace: string, name: string, resource: Resource = this.strategy.resource): CachedObject {
    const found = this.find(namespace, name);
    if (found === undefined) throw this.missing(name, resource);
    return found;
  }

  /** Why there is no object of a name: some cannot be one. @source upstream store.go NamespaceKeyFunc, NoNamespaceKeyFunc */
  missing(name: string, resource: Resource): ApiError {
    const faults = checkPathSegmentName(name);
    if (faults.length > 0) return badRequest(`Name parameter invalid: ${quote(name)}: ${faults.join(';')}`);
    return notFound(resource, name);
  }

  /** Writes an object down for the first time. Owns `object`. */
  async create(object: MutableObject, context: WriteContext, admission: AdmissionCalls): Promise<CachedObject> {
    const { strategy } = this;
    matchNamespace(object, context.namespace, strategy.resource.namespaced);
    const admitted = admission.mutate(object, undefined);
    if (admitted !== undefined) await admitted;
    dropRepeatedOwners(object, context.warn, true);
    // Admission may have put another in its place.
    const { metadata } = object;
    metadata.creationTimestamp = formatTime(this.#options.clock.now());
    metadata.uid = randomUUID();
    const generated = !metadata.name && metadata.generateName;
    // Where another name does not begin from the object as it was, what was done to it may be done again.
    const isKept = generated && (strategy.allocate !== undefined || strategy.fillsByName === true);
    for (let attempt = 1; ; attempt++) {
      if (generated) metadata.name = generateName(metadata.generateName ?? '');
      try {
        return await this.#createNamed(isKept ? deepCopy(object) : object, context, admission);
      } catch (error) {
        if (!generated || !isAlreadyExists(error) || attempt >= NAME_ATTEMPTS) throw error;
      }
    }
  }

  async #createNamed(object: MutableObject, context: WriteContext, admission: AdmissionCalls): Promise<CachedObject> {
    const { strategy } = this;
    const scope = this.#scope(context);
    delete object.metadata.deletionTimestamp;
    delete object.metadata.deletionGracePeriodSeconds;
    delete object.metadata.selfLink;
    strategy.prepareForCreate(object, scope);
    const allocation = strategy.allocate === undefined ? undefined : await strategy.allocate(object, undefined, scope);
    try {
      this.#refuse(object, strategy.validate(object, scope), context);
      for (const text of strategy.warnings?.(object, undefined) ?? []) context.warn(text);
      const admitted = admission.validate(object, undefined);
      if (admitted !== undefined) await admitted;
      const { namespace, name, resourceVersion } = object.metadata;
      const key = objectKey(namespace ?? '', name);
      // One that is no number counts as none.
      if (resourceVersion && !context.dryRun && /^0*[1-9]\d*$/.test(resourceVersion))
        throw apiError(500, '', 'resourceVersion should not be set on objects to be created');
      const cached = context.dryRun ? this.#pretend(key, object) : await this.#put(key, object, 0);
      if (cached === undefined) throw this.#exists(key, object, context.resource);
      if (allocation !== undefined) await settle(allocation, !context.dryRun);
      return cached;
    } catch (error) {
      await allocation?.revert();
      throw error;
    }
  }

  /** What a create would write; undefined where there is such an object. */
  #pretend(key: string, object: MutableObject): CachedObject | undefined {
    return this.#stored(key) === undefined ? new Cached(key, 0, withoutRevision(object)) : undefined;
  }

  /** Reads, changes, checks and writes, again if somebody else was faster. @throws {ApiError} 404, 409, 422, and admission's. */
  async update(request: UpdateRequest, context: WriteContext): Promise<UpdateOutcome> {
    for (;;) {
      const found = this.lookup(context.namespace, request.name);
      const current = found instanceof Promise ? await found : found;
      if (current === undefined) return this.#createByUpdate(request, context);
      const outcome = await this.#tryUpdate(request, current, context);
      if (outcome !== undefined) return { cached: outcome, created: false };
      // Lost a race: wait until the cache shows the winner, then begin anew.
      await this.#options.cacher.fresh();
    }
  }

  async #createByUpdate(request: UpdateRequest, context: WriteContext): Promise<UpdateOutcome> {
    if (!request.mayCreate || checkPathSegmentName(request.name).length > 0) throw this.missing(request.name, context.resource);
    const object = await request.change(undefined);
    const { uid, resourceVersion } = object.metadata;
    if (uid) throw this.#preconditionFailed(objectKey(context.namespace, request.name), context.resource, request.name, uid, '');
    if (resourceVersion) checkVersionText(resourceVersion);
    object.metadata.resourceVersion = ''; // There is none to compare it with.
    return { cached: await this.create(object, context, request.admission), created: true };
  }

  async #tryUpdate(request: UpdateRequest, current: CachedObject, context: WriteContext): Promise<CachedObject | undefined> {
    const previous = current.object;
    const next = await request.change(deepCopy(previous as MutableObject));
    const conditional = this.#checkVersion(next, previous, request, context.resource);
    next.metadata.resourceVersion = previous.metadata.resourceVersion;
    matchNamespace(next, context.namespace, this.strategy.resource.namespaced);
    await request.admission.mutate(next, previous);
    dropRepeatedOwners(next, context.warn, true);
    keepSystemFields(next, previous);
    const scope = this.#scope(context);
    request.rules.prepareForUpdate(next, previous, scope);
    const allocation = context.subresource === '' ? await this.strategy.allocate?.(next, previous, scope) : undefined;
    try {
      this.#refuse(next, request.rules.validateUpdate(next, previous, scope), context);
      for (const text of request.rules.warnings?.(next, previous) ?? []) context.warn(text);
      await request.admission.validate(next, previous);
      const written = await this.#replace(next, current, context, conditional);
      if (allocation !== undefined) await settle(allocation, written !== undefined && !context.dryRun);
      return written;
    } catch (error) {
      await allocation?.revert();
      throw error;
    }
  }

  /** @returns Whether the client named the version to replace: then a lost race is its conflict, not ours to repeat. */
  #checkVersion(
    next: MutableObject,
    previous: DeepReadonly<MutableObject>,
    { name, mayOverwrite, uidIsPrecondition = true }: UpdateRequest,
    resource: Resource,
  ): boolean {
    const { uid, resourceVersion } = next.metadata;
    if (uidIsPrecondition && uid && uid !== previous.metadata.uid)
      throw this.#preconditionFailed(objectKey(previous.metadata.namespace ?? '', name), resource, name, uid, previous.metadata.uid);
    if (!resourceVersion || resourceVersion === '0') {
      if (mayOverwrite) return false;
      const cause = {
        field: 'metadata.resourceVersion',
        reason: 'FieldValueInvalid',
        message: 'Invalid value: 0: must be specified for an update',
      };
      throw invalid({ group: resource.group, kind: resource.resource }, name, [cause]);
    }
    checkVersionText(resourceVersion);
    if (resourceVersion !== previous.metadata.resourceVersion) throw conflict(resource, name, MODIFIED);
    return true;
  }

  async #replace(
    next: MutableObject,
    current: CachedObject,
    context: WriteContext,
    conditional: boolean,
  ): Promise<CachedObject | undefined> {
    if (isFinished(next)) return this.#removeFinished(next, current, context);
    emptyToNull(next, this.strategy.schema);
    if (isUnchanged(next, current.object as MutableObject) && !this.#options.form.isStale(current.object)) return current;
    if (context.dryRun) {
      next.metadata.resourceVersion = String(current.revision);
      return new Cached(current.key, current.revision, next);
    }
    const written = await this.#put(current.key, next, current.revision);
    if (written === undefined && conditional) throw conflict(context.resource, next.metadata.name, MODIFIED);
    return written;
  }

  /** An update that took away the last finalizer of a deleted object ends it. */
  async #removeFinished(next: MutableObject, current: CachedObject, context: WriteContext): Promise<CachedObject | undefined> {
    next.metadata.resourceVersion = String(current.revision);
    const last = new Cached(current.key, current.revision, next);
    if (context.dryRun) return last;
    return (await this.remove(current)) === undefined ? undefined : last;
  }

  /** Replaces the stored state outright, if it is still `current`. For deletion's marks. @returns undefined after a lost race. */
  replace(current: CachedObject, next: MutableObject): Promise<CachedObject | undefined> {
    return this.#put(current.key, next, current.revision);
  }

  /** Takes the object out of the store, if it is still `current`. @returns The revision of that; undefined after a lost race. */
  async remove(current: CachedObject): Promise<number | undefined> {
    const result = await this.#options.store.delete(`/registry/${this.prefix}${current.key}`, current.revision).catch(rethrow);
    if (!result.ok) return undefined;
    await this.#options.cacher.reached(result.revision);
    await this.strategy.release?.(current.object);
    if (this.traits.companion !== undefined) await this.#removeCompanion(this.traits.companion, current.key);
    return result.revision;
  }

  /** What waits for finalizers stays; what has been changed meanwhile does, too. */
  async #removeCompanion(prefix: string, key: string): Promise<void> {
    const { store, cacher } = this.#options;
    const found = cacher.findCache(prefix)?.find(key);
    if (found === undefined || (found.object.metadata.finalizers ?? []).length > 0) return;
    const result = await store.delete(`/registry/${prefix}${key}`, found.revision).catch(rethrow);
    if (result.ok) await cacher.reached(result.revision);
  }

  /** @returns The written state, or undefined if the key is not at `expected`. */
  async #put(key: string, object: MutableObject, expected: number): Promise<CachedObject | undefined> {
    const { store, cacher, form } = this.#options;
    object.metadata.resourceVersion = '';
    emptyToNull(object, this.strategy.schema);
    const { version } = this.#options;
    const stored = version === undefined ? object : await version.toStored(object);
    const where = `/registry/${this.prefix}${key}`;
    const text = ObjectText.of(stored);
    const value = form.encode(stored, where, text);
    cacher.handOver(value, stored, text);
    try {
      const result = await store.put(where, value, expected, this.#putOptions);
      if (!result.ok) return undefined;
      const applied = cacher.reached(result.revision);
      if (applied !== undefined) await applied;
      object.metadata.resourceVersion = String(result.revision);
      const find = () => this.cache.find(key);
      const cached = version?.isSlow === true ? await version.read(key, find) : find();
      return cached?.revision === result.revision ? cached : new Cached(key, result.revision, object);
    } catch (error) {
      rethrow(error);
    } finally {
      cacher.letGo(value);
    }
  }

  /** @source upstream storage/errors.go NewInvalidObjError */
  #preconditionFailed(key: string, resource: Resource, name: string, asked: string, found: string): ApiError {
    const why = `Precondition failed: UID in precondition: ${asked}, UID in object meta: ${found}`;
    const where = `StorageError: invalid object, Code: 4, Key: /registry/${this.prefix}${key}, ResourceVersion: 0, AdditionalErrorMsg: ${why}`;
    return conflict(resource, name, where);
  }

  #exists(key: string, { metadata: { name, generateName: prefix } }: MutableObject, resource: Resource): ApiError {
    const error = prefix ? generateNameConflict(resource, name) : alreadyExists(resource, name);
    if (this.#stored(key)?.object.metadata.deletionTimestamp === undefined) return error;
    return new ApiError({ ...error.status, message: `object is being deleted: ${error.message}` });
  }

  #refuse(object: MutableObject, causes: readonly FieldCause[], context: WriteContext): void {
    if (causes.length === 0) return;
    const { resource, schema } = this.strategy;
    const name = object.metadata.name || (object.metadata.generateName ?? '');
    throw invalid({ group: resource.group, kind: object.kind || resource.kind }, name, showGiven(causes, context.given?.(), schema));
  }

  #scope(context: WriteContext): RequestScope {
    return {
      user: context.user,
      namespace: context.namespace,
      resource: context.resource,
      dryRun: context.dryRun,
      now: this.#options.clock.now(),
      reader: this.#options.reader,
      warn: context.warn,
    };
  }
}

/** @throws {ApiError} 500, as upstream has it there. */
function checkVersionText(text: string): void {
  const problem = versionProblem(text);
  if (problem !== undefined) throw apiError(500, '', problem);
}

async function settle(allocation: Allocation, kept: boolean): Promise<void> {
  if (kept) await allocation.commit();
  else await allocation.revert();
}

function rethrow(error: unknown): never {
  if (error instanceof StoreUnavailableError) throw new Error(`etcdserver: ${error.message}`, { cause: error });
  throw error;
}

function withoutRevision(object: MutableObject): MutableObject {
  const { resourceVersion: _none, ...metadata } = object.metadata;
  return { ...object, metadata: metadata as MutableObject['metadata'] };
}

/** What is in no namespace loses the one it names. @source upstream rest/meta.go EnsureObjectNamespaceMatchesRequestNamespace */
function matchNamespace(object: MutableObject, namespace: string, namespaced: boolean): void {
  const { metadata } = object;
  if (!namespaced) {
    delete metadata.namespace;
    return;
  }
  if (metadata.namespace && metadata.namespace !== namespace) {
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
  }
  metadata.namespace = namespace;
}

/** What no client may change or clear by an update. @source upstream rest/update.go BeforeUpdate */
function keepSystemFields(next: MutableObject, previous: DeepReadonly<MutableObject>): void {
  const { metadata } = next;
  const before = previous.metadata;
  delete metadata.selfLink;
  if (!metadata.uid) metadata.uid = before.uid;
  metadata.creationTimestamp = before.creationTimestamp;
  if (before.generation === undefined) delete metadata.generation;
  else metadata.generation = before.generation;
  // One that is set on an object that lives is left for validation to refuse.
  if (before.deletionTimestamp !== undefined) metadata.deletionTimestamp = before.deletionTimestamp;
  if (before.deletionGracePeriodSeconds !== undefined) metadata.deletionGracePeriodSeconds ??= before.deletionGracePeriodSeconds;
}

/** A deleted object with nothing left to wait for. */
export function isFinished(object: DeepReadonly<MutableObject>): boolean {
  const { deletionTimestamp, deletionGracePeriodSeconds, finalizers } = object.metadata;
  const spec = object['spec'] as { finalizers?: readonly string[] } | undefined;
  const ownFinalizers = object.kind === 'Namespace' ? (spec?.finalizers?.length ?? 0) : 0;
  return (
    deletionTimestamp !== undefined && (deletionGracePeriodSeconds ?? 0) === 0 && (finalizers?.length ?? 0) === 0 && ownFinalizers === 0
  );
}

/** Whether a write would change nothing but the times in managedFields: then nothing is written. */
function isUnchanged(next: MutableObject, current: MutableObject): boolean {
  const times = next.metadata.managedFields;
  const before = current.metadata.managedFields;
  next.metadata.resourceVersion = current.metadata.resourceVersion;
  if (times === undefined || before === undefined || times.length !== before.length) return deepEqual(next, current);
  const withoutTimes = times.map((entry, index) => ({ ...entry, time: before[index]?.time }));
  return deepEqual({ ...next, metadata: { ...next.metadata, managedFields: withoutTimes } }, current);
}
