// SPDX-License-Identifier: Apache-2.0
// An in-memory API server behind the `Client` interface, for tests of whatever reads and writes the API. It keeps the server's
// promises that callers rely on: resourceVersions and conflicts, uid and generation, status apart from the rest, finalizers and
// graceful deletion, no event for a write that changes nothing, list and watch with selectors. Objects it hands out are frozen.
// It does not default, validate, authorize, collect garbage or check that namespaces exist.
import { randomUUID } from 'node:crypto';
import { findResourceOfKind, findSchema } from '#api';
import { type Clock, FakeClock, formatTime } from '#component';
import {
  type ApiError,
  alreadyExists,
  apiError,
  apiVersionOf,
  applyJsonPatch,
  applyMergePatch,
  applyPatch,
  applyStrategicPatch,
  badRequest,
  conflict,
  type DeepReadonly,
  type Draft,
  deepCopy,
  deepEqual,
  deepFreeze,
  generateName,
  invalid,
  type JsonPatchOperation,
  type KubeObject,
  keyOf,
  notFound,
  type ObjectRef,
  parseApiVersion,
  parseFieldSelector,
  parseSelector,
  qualifiedResource,
  type Resource,
  tooManyRequests,
} from '#machinery';
import type {
  CallOptions,
  Client,
  DeleteOptions,
  ListOptions,
  ObjectList,
  PatchOptions,
  PatchType,
  RawAnswer,
  RawRequest,
  SubresourceOptions,
  WatchEvent,
  WatchOptions,
  WriteOptions,
} from '../client.ts';
import { EventLog } from './event-log.ts';
import { graceOf, type LooseObject, prepareCreate, prepareUpdate } from './rules.ts';
import { scaled, scaleOf } from './scale.ts';

export type Verb = 'get' | 'list' | 'create' | 'update' | 'patch' | 'delete' | 'deletecollection' | 'watch';

/** One call, as it was made. */
export interface Action {
  readonly verb: Verb;
  /** `pods`, `deployments.apps`. */
  readonly resource: string;
  readonly namespace: string;
  readonly name: string;
  readonly subresource: string;
  /** The object written, or the patch. */
  readonly body?: unknown;
}

export interface FakeApiOptions {
  /** Stamps creations and deletions. @default a FakeClock */
  readonly clock?: Clock;
  /** Stored as they are, status and all; each must have `apiVersion` and `kind` of a built-in. */
  readonly objects?: readonly Draft<KubeObject>[];
}

/** Looks at a call before it is carried out. What it returns (or throws) fails the call. */
export type Interceptor = (action: Action) => Error | undefined;

type AnyResource = Resource<KubeObject>;

/** A resource regardless of the type of its objects. */
const anyOf = (resource: unknown) => resource as AnyResource;
const groupOf = (resource: AnyResource) => ({ group: resource.group, resource: resource.resource });

export class FakeApi implements Client {
  /** Every call so far; clear it with `actions.length = 0`. */
  readonly actions: Action[] = [];
  readonly #log = new EventLog();
  readonly #clock: Clock;
  readonly #interceptors = new Set<Interceptor>();
  readonly #rawHandlers = new Map<string, (request: RawRequest) => RawAnswer>();

  constructor({ clock = new FakeClock(), objects = [] }: FakeApiOptions = {}) {
    this.#clock = clock;
    for (const object of objects) this.#seedBuiltIn(object);
  }

  /** The newest resourceVersion. */
  get resourceVersion(): string {
    return String(this.#log.revision);
  }

  get openWatches(): number {
    return this.#log.watches;
  }

  /** The calls that changed something, as `create pods default/a` or `update pods/status default/a`. */
  get writes(): string[] {
    const reads = new Set<Verb>(['get', 'list', 'watch']);
    return this.actions
      .filter(({ verb }) => !reads.has(verb))
      .map(
        ({ verb, resource, subresource, namespace, name }) =>
          `${verb} ${resource}${subresource && `/${subresource}`} ${keyOf({ namespace, name })}`,
      );
  }

  /** Puts an object in place as it is, with its status; what is missing in its metadata is filled in. Watches see it. */
  seed<T extends KubeObject>(resource: Resource<T>, ...objects: readonly Draft<T>[]): void {
    for (const object of objects) this.#seedOne(anyOf(resource), deepCopy(object) as Partial<LooseObject>);
  }

  /** Fails or watches calls. Disposing removes it. */
  intercept(interceptor: Interceptor): Disposable {
    this.#interceptors.add(interceptor);
    return { [Symbol.dispose]: () => void this.#interceptors.delete(interceptor) };
  }

  /** Answers `raw` requests for a path. */
  onRaw(path: string, answer: (request: RawRequest) => RawAnswer): void {
    this.#rawHandlers.set(path, answer);
  }

  /** Makes watches from before now fail with 410. */
  compact(): void {
    this.#log.compact();
  }

  endWatches(): void {
    this.#log.endWatches();
  }

  /** What is stored, without a recorded call; undefined where there is none. */
  peek<T extends KubeObject>(resource: Resource<T>, ref: ObjectRef): DeepReadonly<T> | undefined {
    return this.#log.of(qualifiedResource(resource)).get(keyOf(ref)) as DeepReadonly<T> | undefined;
  }

  /** All that is stored of a resource, in order of creation. */
  peekAll<T extends KubeObject>(resource: Resource<T>): DeepReadonly<T>[] {
    return [...this.#log.of(qualifiedResource(resource)).values()] as unknown as DeepReadonly<T>[];
  }

  async get<T extends KubeObject>(resource: Resource<T>, ref: ObjectRef, options: CallOptions & { subresource?: string } = {}) {
    const { found } = this.#open('get', anyOf(resource), ref, options);
    const answer = options.subresource === 'scale' ? deepFreeze(scaleOf(loose(found))) : found;
    return answer as unknown as DeepReadonly<T>;
  }

  async list<T extends KubeObject>(resource: Resource<T>, options: ListOptions = {}): Promise<ObjectList<T>> {
    this.#act('list', anyOf(resource), { namespace: options.namespace, name: '' }, options);
    const matches = matcher(options);
    const all = [...this.#log.of(qualifiedResource(resource)).entries()].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
    const items = all.map(([, object]) => object).filter(matches) as unknown as DeepReadonly<T>[];
    const start = options.continue === undefined ? 0 : Number(options.continue.split(':')[1]);
    const end = options.limit === undefined || options.limit <= 0 ? items.length : start + options.limit;
    const revision = options.continue?.split(':')[0] ?? this.resourceVersion;
    return {
      items: items.slice(start, end),
      resourceVersion: revision,
      ...(end < items.length ? { continue: `${revision}:${end}` } : {}),
    };
  }

  async create<T extends KubeObject>(resource: Resource<T>, draft: Draft<T>, options: WriteOptions = {}) {
    const of = anyOf(resource);
    const object = this.#complete(of, deepCopy(draft) as Partial<LooseObject>);
    const { metadata } = object;
    this.#act('create', resource, metadata, options, object);
    if (!metadata.name && metadata.generateName) metadata.name = generateName(metadata.generateName);
    if (!metadata.name) {
      const why = [{ reason: 'FieldValueRequired', message: 'Required value: name or generateName is required', field: 'metadata.name' }];
      throw invalid(of, '', why);
    }
    if (of.namespaced && !metadata.namespace) throw badRequest('an empty namespace may not be set during creation');
    if (metadata.resourceVersion) throw badRequest('resourceVersion should not be set on objects to be created');
    if (this.peek(of, metadata) !== undefined) throw alreadyExists(groupOf(of), metadata.name);
    object.metadata = { ...metadata, uid: randomUUID(), creationTimestamp: formatTime(this.#clock.now()) };
    delete object.metadata.deletionTimestamp;
    delete object.metadata.deletionGracePeriodSeconds;
    prepareCreate(of, object);
    return this.#store(of, object, options) as unknown as DeepReadonly<T>;
  }

  async update<T extends KubeObject>(resource: Resource<T>, object: DeepReadonly<T>, options: SubresourceOptions = {}) {
    const ref = (object as unknown as KubeObject).metadata;
    const { found } = this.#open('update', anyOf(resource), ref, options, object);
    return this.#write(anyOf(resource), found, loose(object), options) as unknown as DeepReadonly<T>;
  }

  async patch<T extends KubeObject>(resource: Resource<T>, ref: ObjectRef, type: PatchType, body: unknown, options: PatchOptions = {}) {
    const of = anyOf(resource);
    if (type === 'apply') return (await this.#apply(of, ref, body, options)) as unknown as DeepReadonly<T>;
    const { found } = this.#open('patch', anyOf(resource), ref, options, body);
    const before = options.subresource === 'scale' ? scaleOf(loose(found)) : loose(found);
    const patched = this.#patched(type, before, body);
    return this.#write(of, found, patched, options) as unknown as DeepReadonly<T>;
  }

  async delete<T extends KubeObject>(resource: Resource<T>, ref: ObjectRef, options: DeleteOptions = {}): Promise<void> {
    const { found } = this.#open('delete', anyOf(resource), ref, options, options);
    this.#delete(anyOf(resource), found, options);
  }

  async deleteCollection<T extends KubeObject>(resource: Resource<T>, options: ListOptions & DeleteOptions = {}): Promise<void> {
    this.#act('deletecollection', anyOf(resource), { namespace: options.namespace, name: '' }, options);
    for (const object of this.peekAll(anyOf(resource)).filter(matcher(options))) {
      this.#delete(anyOf(resource), object, options);
    }
  }

  async createSubresource<Body, Answer = Body>(
    resource: Resource,
    ref: ObjectRef,
    subresource: string,
    body: Draft<Body>,
    options: WriteOptions = {},
  ): Promise<Answer> {
    const { found } = this.#open('create', resource, ref, { ...options, subresource }, body);
    switch (subresource) {
      case 'binding':
        return this.#bind(resource, found, body as { target?: { name?: string } }) as Answer;
      case 'eviction':
        return this.#evict(resource, found, body as { deleteOptions?: DeleteOptions }) as Answer;
      case 'token': {
        const expirationTimestamp = formatTime(this.#clock.now() + 3600_000);
        return { ...(body as object), status: { token: `token-of-${ref.name}`, expirationTimestamp } } as Answer;
      }
      default:
        throw apiError(404, 'NotFound', 'the server could not find the requested resource');
    }
  }

  async *watch<T extends KubeObject>(resource: Resource<T>, options: WatchOptions = {}): AsyncGenerator<WatchEvent<T>, void, void> {
    this.#act('watch', anyOf(resource), { namespace: options.namespace, name: '' }, options);
    const { resourceVersion: version = '', sendInitialEvents: bookmark = false, signal } = options;
    const after = version === '' || version === '0' || bookmark ? undefined : Number(version);
    for await (const event of this.#log.watch(qualifiedResource(resource), matcher(options), { after, bookmark, signal })) {
      yield event as WatchEvent<T>;
    }
    signal?.throwIfAborted();
  }

  async raw(request: RawRequest): Promise<RawAnswer> {
    const handler = this.#rawHandlers.get(request.path);
    if (handler !== undefined) return handler(request);
    return { status: 404, headers: {}, body: new TextEncoder().encode('404 page not found\n') };
  }

  #act(
    verb: Verb,
    resource: AnyResource,
    ref: ObjectRef,
    options: CallOptions & { subresource?: string | undefined },
    body?: unknown,
  ): void {
    options.signal?.throwIfAborted();
    const { subresource = '' } = options;
    const action: Action = {
      verb,
      resource: qualifiedResource(resource),
      namespace: ref.namespace ?? '',
      name: ref.name,
      subresource,
      body,
    };
    this.actions.push(action);
    for (const interceptor of this.#interceptors) {
      const error = interceptor(action);
      if (error !== undefined) throw error;
    }
  }

  /** Records a call on an object and finds the object. */
  #open(verb: Verb, resource: AnyResource, ref: ObjectRef, options: CallOptions & { subresource?: string | undefined }, body?: unknown) {
    this.#act(verb, resource, ref, options, body);
    const found = this.peek(anyOf(resource), ref);
    if (found === undefined) throw notFound(groupOf(resource), ref.name);
    return { found };
  }

  #complete(resource: AnyResource, object: Partial<LooseObject>): LooseObject {
    const { apiVersion = apiVersionOf(resource), kind = resource.kind, metadata, ...rest } = object;
    return { apiVersion, kind, metadata: { ...(metadata as KubeObject['metadata']) }, ...rest };
  }

  #seedBuiltIn(object: Draft<KubeObject>): void {
    const { apiVersion = '', kind = '' } = object;
    const resource = findResourceOfKind({ ...parseApiVersion(apiVersion), kind });
    if (resource === undefined) throw new RangeError(`seed a ${apiVersion} ${kind}: no such built-in kind`);
    this.#seedOne(resource, deepCopy(object) as Partial<LooseObject>);
  }

  #seedOne(resource: AnyResource, draft: Partial<LooseObject>): void {
    const object = this.#complete(resource, draft);
    object.metadata.uid ??= randomUUID();
    object.metadata.creationTimestamp ??= formatTime(this.#clock.now());
    this.#store(resource, object, {});
  }

  #store(resource: AnyResource, object: LooseObject, { dryRun }: WriteOptions): DeepReadonly<KubeObject> {
    if (dryRun === true) return deepFreeze(object);
    object.metadata = { ...object.metadata, resourceVersion: String(this.#log.next()) };
    const stored = deepFreeze(object);
    this.#log.commit(qualifiedResource(resource), keyOf(object.metadata), stored);
    return stored;
  }

  #write(resource: AnyResource, found: DeepReadonly<KubeObject>, next: LooseObject, options: SubresourceOptions): DeepReadonly<KubeObject> {
    const { resourceVersion, uid } = next.metadata;
    const { name } = found.metadata;
    if (resourceVersion && resourceVersion !== found.metadata.resourceVersion) {
      throw conflict(
        groupOf(resource),
        name,
        'the object has been modified; please apply your changes to the latest version and try again',
      );
    }
    if (uid && uid !== found.metadata.uid) {
      const why = `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${found.metadata.uid}`;
      throw conflict(groupOf(resource), name, why);
    }
    const old = loose(found);
    const { subresource } = options;
    const merged =
      subresource === 'scale'
        ? prepareUpdate(resource, undefined, old, scaled(loose(found), next))
        : prepareUpdate(resource, subresource, old, this.#complete(resource, next));
    merged.metadata = { ...merged.metadata, resourceVersion: found.metadata.resourceVersion };
    const answer = this.#settle(resource, found, merged, options);
    return subresource === 'scale' ? deepFreeze(scaleOf(loose(answer))) : answer;
  }

  /** Stores a changed object, unless nothing changed, or removes it if only its finalizers kept it. */
  #settle(resource: AnyResource, found: DeepReadonly<KubeObject>, merged: LooseObject, options: WriteOptions): DeepReadonly<KubeObject> {
    if (deepEqual(found, merged)) return found;
    if (isReleased(merged)) return options.dryRun === true ? deepFreeze(merged) : this.#remove(resource, merged);
    return this.#store(resource, merged, options);
  }

  #remove(resource: AnyResource, object: LooseObject): DeepReadonly<KubeObject> {
    object.metadata = { ...object.metadata, resourceVersion: String(this.#log.next()) };
    const last = deepFreeze(object);
    this.#log.commit(qualifiedResource(resource), keyOf(last.metadata), undefined, last);
    return last;
  }

  #patched(type: PatchType, before: LooseObject, body: unknown): LooseObject {
    switch (type) {
      case 'json':
        return applyJsonPatch(before, body as readonly JsonPatchOperation[]) as LooseObject;
      case 'merge':
        return applyMergePatch(before, body) as LooseObject;
      default:
        return this.#strategic(before, body);
    }
  }

  #strategic(before: LooseObject, body: unknown): LooseObject {
    const schema = findSchema(parseKind(before));
    if (schema === undefined) {
      const supported = 'application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml';
      throw apiError(
        415,
        'UnsupportedMediaType',
        `the body of the request was in an unknown format - accepted media types include: ${supported}`,
      );
    }
    return applyStrategicPatch(before, body as Record<string, unknown>, schema) as LooseObject;
  }

  async #apply(resource: AnyResource, ref: ObjectRef, body: unknown, options: PatchOptions): Promise<DeepReadonly<KubeObject>> {
    this.#act('patch', resource, ref, options, body);
    const schema = findSchema(resource);
    if (schema === undefined) throw apiError(415, 'UnsupportedMediaType', `apply of ${resource.kind}: only built-in kinds are supported`);
    const { fieldManager = '', subresource = '', force = false } = options;
    if (fieldManager === '') throw badRequest('fieldManager is required for apply patch');
    const found = this.peek(resource, ref);
    const patch = { apiVersion: apiVersionOf(resource), kind: resource.kind, ...(body as Record<string, unknown>) };
    const time = formatTime(this.#clock.now());
    const live = found as Readonly<Record<string, unknown>> | undefined;
    const apiVersion = apiVersionOf(resource);
    const applied = applyPatch({ live, patch, schema, manager: fieldManager, apiVersion, subresource, time, force });
    if (found !== undefined) return this.#write(resource, found, loose(applied), options);
    if (subresource !== '') throw notFound(groupOf(resource), ref.name);
    const object = loose(applied);
    const { namespace } = ref;
    const scope = namespace === undefined ? {} : { namespace };
    object.metadata = { ...object.metadata, name: ref.name, ...scope, uid: randomUUID(), creationTimestamp: time };
    prepareCreate(resource, object);
    return this.#store(resource, object, options);
  }

  #delete(resource: AnyResource, found: DeepReadonly<KubeObject>, options: DeleteOptions): void {
    checkPreconditions(resource, found, options);
    if (options.dryRun === true) return;
    const object = loose(found);
    const grace = graceOf(resource, object, options.gracePeriodSeconds);
    const finalizers = finalizersFor(object, options.propagationPolicy);
    const isNamespace = qualifiedResource(resource) === 'namespaces';
    const keeps = finalizers.length > 0 || (isNamespace && hasItems(object.spec?.['finalizers']));
    if (grace === 0 && !keeps) {
      this.#remove(resource, object);
      return;
    }
    const known = object.metadata.deletionTimestamp === undefined ? undefined : (object.metadata.deletionGracePeriodSeconds ?? 0);
    if (finalizers.length > 0) object.metadata.finalizers = finalizers;
    if (known === undefined || grace < known) {
      object.metadata.deletionTimestamp = formatTime(this.#clock.now() + grace * 1000);
      object.metadata.deletionGracePeriodSeconds = grace;
      if (object.metadata.generation !== undefined && known === undefined) object.metadata.generation += 1;
    }
    if (isNamespace) object.status = { ...object.status, phase: 'Terminating' };
    this.#settle(resource, found, object, {});
  }

  #bind(
    resource: AnyResource,
    found: DeepReadonly<KubeObject>,
    body: { target?: { name?: string }; metadata?: Partial<KubeObject['metadata']> },
  ): object {
    const pod = loose(found);
    const bound = pod.spec?.['nodeName'];
    const of = { group: '', resource: 'pods/binding' };
    if (pod.metadata.deletionTimestamp !== undefined) {
      throw conflict(of, pod.metadata.name, `pod ${pod.metadata.name} is being deleted, cannot be assigned to a host`);
    }
    if (bound) throw conflict(of, pod.metadata.name, `pod ${pod.metadata.name} is already assigned to node "${String(bound)}"`);
    pod.spec = { ...pod.spec, nodeName: body.target?.name ?? '' };
    const scheduled = { type: 'PodScheduled', status: 'True', lastTransitionTime: formatTime(this.#clock.now()) };
    const conditions = ((pod.status?.['conditions'] ?? []) as { type: string }[]).filter(({ type }) => type !== 'PodScheduled');
    pod.status = { ...pod.status, conditions: [...conditions, scheduled] };
    if (body.metadata?.annotations !== undefined) pod.metadata.annotations = { ...pod.metadata.annotations, ...body.metadata.annotations };
    this.#store(resource, pod, {});
    return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 };
  }

  #evict(resource: AnyResource, found: DeepReadonly<KubeObject>, body: { deleteOptions?: DeleteOptions }): object {
    const budget = this.#budgetOf(found);
    if (budget !== undefined) {
      const message = "Cannot evict pod as it would violate the pod's disruption budget.";
      throw tooManyRequests(message, 0) satisfies ApiError;
    }
    this.#delete(resource, found, body.deleteOptions ?? {});
    return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 };
  }

  /** A budget that forbids the eviction. */
  #budgetOf(pod: DeepReadonly<KubeObject>): DeepReadonly<KubeObject> | undefined {
    const budgets = [...this.#log.of('poddisruptionbudgets.policy').values()];
    return budgets.find((budget) => {
      const { spec, status, metadata } = budget as unknown as LooseObject;
      if (metadata.namespace !== pod.metadata.namespace || Number(status?.['disruptionsAllowed'] ?? 0) > 0) return false;
      const labels = (spec?.['selector'] as { matchLabels?: Record<string, string> } | undefined)?.matchLabels ?? {};
      return Object.entries(labels).every(([key, value]) => pod.metadata.labels?.[key] === value);
    });
  }
}

/** A copy that may be changed. */
function loose(object: unknown): LooseObject {
  return deepCopy(object) as LooseObject;
}

function parseKind(object: KubeObject): { group: string; version: string; kind: string } {
  return { ...parseApiVersion(object.apiVersion), kind: object.kind };
}

function isReleased({ metadata, spec, kind }: LooseObject): boolean {
  if (metadata.deletionTimestamp === undefined || hasItems(metadata.finalizers)) return false;
  if (kind === 'Namespace' && hasItems(spec?.['finalizers'])) return false;
  return (metadata.deletionGracePeriodSeconds ?? 0) === 0;
}

function hasItems(list: unknown): boolean {
  return Array.isArray(list) && list.length > 0;
}

function finalizersFor(object: LooseObject, policy: DeleteOptions['propagationPolicy']): string[] {
  const special = policy === 'Foreground' ? ['foregroundDeletion'] : policy === 'Orphan' ? ['orphan'] : [];
  const present = object.metadata.finalizers ?? [];
  if (policy === undefined) return present;
  return [...present.filter((finalizer) => finalizer !== 'foregroundDeletion' && finalizer !== 'orphan'), ...special];
}

function checkPreconditions(resource: AnyResource, { metadata }: DeepReadonly<KubeObject>, { preconditions }: DeleteOptions): void {
  const { uid, resourceVersion } = preconditions ?? {};
  if (uid !== undefined && uid !== metadata.uid) {
    const why = `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${metadata.uid}`;
    throw conflict(groupOf(resource), metadata.name, why);
  }
  if (resourceVersion !== undefined && resourceVersion !== metadata.resourceVersion) {
    const why = `Precondition failed: ResourceVersion in precondition: ${resourceVersion}, ResourceVersion in object meta: ${metadata.resourceVersion}`;
    throw conflict(groupOf(resource), metadata.name, why);
  }
}

/** Namespace, labels and fields; a field is any dotted path to a scalar. */
function matcher(options: { namespace?: string | undefined; labelSelector?: string | undefined; fieldSelector?: string | undefined }) {
  const labels = parseSelector(options.labelSelector ?? '');
  const fields = parseFieldSelector(options.fieldSelector ?? '');
  return (object: DeepReadonly<KubeObject>): boolean => {
    if (options.namespace && object.metadata.namespace !== options.namespace) return false;
    return labels.matches(object.metadata.labels) && fields.matches((field) => fieldOf(object, field));
  };
}

function fieldOf(object: unknown, path: string): string {
  let at = object;
  for (const name of path.split('.')) at = typeof at === 'object' && at !== null ? (at as Record<string, unknown>)[name] : undefined;
  return at === undefined || at === null ? '' : String(at);
}
