// SPDX-License-Identifier: Apache-2.0
// The `Client` over any transport: verbs become requests, answers objects or `ApiError`s. Keeps no state and makes no copies
// where the transport hands objects by reference. It does not retry: that is the transport's or the caller's matter.
import { ApiError, apiVersionOf, type DeepReadonly, type Draft, type KubeObject, type ObjectRef, type Resource } from '#machinery';
import { errorOf, isStatus } from './answer.ts';
import {
  type Client,
  type DeleteOptions,
  type ListOptions,
  type ObjectList,
  type PatchOptions,
  type PatchType,
  type RawAnswer,
  type RawRequest,
  type SubresourceOptions,
  TransportError,
  type WatchEvent,
  type WatchOptions,
  type WriteOptions,
} from './client.ts';
import { resourcePath } from './paths.ts';
import type { Transport, TransportRequest } from './transport.ts';

export interface ClientOptions {
  /** The field manager of writes that name none; without it the server takes it from the user agent. */
  readonly fieldManager?: string;
}

/** The client of an API server behind `transport`. */
export function createClient(transport: Transport, options: ClientOptions = {}): Client {
  return new ApiClient(transport, options.fieldManager);
}

const PATCH_TYPES: Readonly<Record<PatchType, string>> = {
  json: 'application/json-patch+json',
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  apply: 'application/apply-patch+yaml',
};

class ApiClient implements Client {
  readonly #transport: Transport;
  readonly #fieldManager: string | undefined;

  constructor(transport: Transport, fieldManager: string | undefined) {
    this.#transport = transport;
    this.#fieldManager = fieldManager;
  }

  async get<T extends KubeObject>(
    resource: Resource<T>,
    ref: ObjectRef,
    options: { signal?: AbortSignal | undefined; subresource?: string } = {},
  ) {
    const path = resourcePath(resource, { ...ref, subresource: options.subresource });
    return (await this.#send({ method: 'GET', path, query: new URLSearchParams() }, options.signal)) as DeepReadonly<T>;
  }

  async list<T extends KubeObject>(resource: Resource<T>, options: ListOptions = {}): Promise<ObjectList<T>> {
    const path = resourcePath(resource, { namespace: options.namespace });
    return listOf(resource, await this.#send({ method: 'GET', path, query: listQuery(options) }, options.signal));
  }

  async create<T extends KubeObject>(resource: Resource<T>, object: Draft<T>, options: WriteOptions = {}) {
    const body = withType(resource, object as Record<string, unknown>);
    const namespace = (body['metadata'] as { namespace?: string } | undefined)?.namespace;
    const path = resourcePath(resource, { namespace });
    return (await this.#send({ method: 'POST', path, query: this.#writeQuery(options), body }, options.signal)) as DeepReadonly<T>;
  }

  async update<T extends KubeObject>(resource: Resource<T>, object: DeepReadonly<T>, options: SubresourceOptions = {}) {
    const { namespace, name } = (object as unknown as KubeObject).metadata;
    const path = resourcePath(resource, { namespace, name, subresource: options.subresource });
    const body = options.subresource === 'scale' ? object : withType(resource, object as unknown as Record<string, unknown>);
    return (await this.#send({ method: 'PUT', path, query: this.#writeQuery(options), body }, options.signal)) as DeepReadonly<T>;
  }

  async patch<T extends KubeObject>(resource: Resource<T>, ref: ObjectRef, type: PatchType, body: unknown, options: PatchOptions = {}) {
    const path = resourcePath(resource, { ...ref, subresource: options.subresource });
    const query = this.#writeQuery(options);
    if (options.force !== undefined) query.set('force', String(options.force));
    const request: TransportRequest = { method: 'PATCH', path, query, contentType: PATCH_TYPES[type], body };
    return (await this.#send(request, options.signal)) as DeepReadonly<T>;
  }

  async delete<T extends KubeObject>(resource: Resource<T>, ref: ObjectRef, options: DeleteOptions = {}): Promise<void> {
    const request: TransportRequest = {
      method: 'DELETE',
      path: resourcePath(resource, ref),
      query: new URLSearchParams(),
      body: deleteBody(options),
    };
    await this.#send(request, options.signal);
  }

  async deleteCollection<T extends KubeObject>(resource: Resource<T>, options: ListOptions & DeleteOptions = {}): Promise<void> {
    const path = resourcePath(resource, { namespace: options.namespace });
    await this.#send({ method: 'DELETE', path, query: listQuery(options), body: deleteBody(options) }, options.signal);
  }

  async createSubresource<Body, Answer = Body>(
    resource: Resource,
    ref: ObjectRef,
    subresource: string,
    body: Draft<Body>,
    options: WriteOptions = {},
  ): Promise<Answer> {
    const path = resourcePath(resource, { ...ref, subresource });
    const known = resource.subresources.find(({ name }) => name === subresource);
    const type =
      known === undefined
        ? {}
        : {
            apiVersion: apiVersionOf({ group: known.group ?? resource.group, version: known.version ?? resource.version }),
            kind: known.kind,
          };
    const request: TransportRequest = { method: 'POST', path, query: this.#writeQuery(options), body: { ...type, ...(body as object) } };
    return (await this.#send(request, options.signal)) as Answer;
  }

  async *watch<T extends KubeObject>(resource: Resource<T>, options: WatchOptions = {}): AsyncGenerator<WatchEvent<T>, void, void> {
    const request: TransportRequest = {
      method: 'GET',
      path: resourcePath(resource, { namespace: options.namespace }),
      query: watchQuery(options),
    };
    using scope = new AbortScope(options.signal);
    for await (const frame of this.#transport.stream(request, scope.signal)) yield frame as WatchEvent<T>;
  }

  raw(request: RawRequest, options: { signal?: AbortSignal | undefined } = {}): Promise<RawAnswer> {
    return this.#transport.raw(request, options.signal);
  }

  async #send(request: TransportRequest, signal: AbortSignal | undefined): Promise<unknown> {
    signal?.throwIfAborted();
    const { status, body } = await this.#transport.send(request, signal);
    if (status >= 400) throw errorOf(status, body);
    if (status >= 300) throw new TransportError(`${request.method} ${request.path}: redirected with ${status}, which is not followed`);
    if (isStatus(body) && body.status === 'Failure') throw new ApiError(body);
    return body;
  }

  #writeQuery({ dryRun, fieldManager = this.#fieldManager }: WriteOptions): URLSearchParams {
    const query = new URLSearchParams();
    if (dryRun === true) query.set('dryRun', 'All');
    if (fieldManager !== undefined) query.set('fieldManager', fieldManager);
    return query;
  }
}

/** A signal that aborts with another, or when the scope is left; it leaves no listener behind. */
class AbortScope implements Disposable {
  readonly #controller = new AbortController();
  readonly #outer: AbortSignal | undefined;
  readonly #abort: () => void;

  constructor(outer: AbortSignal | undefined) {
    this.#outer = outer;
    this.#abort = () => this.#controller.abort(outer?.reason);
    if (outer?.aborted) this.#abort();
    else outer?.addEventListener('abort', this.#abort, { once: true });
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  [Symbol.dispose](): void {
    this.#outer?.removeEventListener('abort', this.#abort);
    this.#controller.abort();
  }
}

function withType(resource: Resource<unknown>, object: Record<string, unknown>): Record<string, unknown> {
  if (object['kind'] !== undefined && object['apiVersion'] !== undefined) return object;
  const { apiVersion = apiVersionOf(resource), kind = resource.kind, ...rest } = object;
  return { kind, apiVersion, ...rest };
}

/** List items come without `kind` and `apiVersion` over the wire; what reads them should not have to care. */
function listOf<T extends KubeObject>(resource: Resource<T>, body: unknown): ObjectList<T> {
  const { items, metadata } = body as {
    items?: Record<string, unknown>[] | null;
    metadata?: { resourceVersion?: string; continue?: string };
  };
  const next = metadata?.continue;
  return {
    items: (items ?? []).map((item) => withType(resource, item)) as unknown as readonly DeepReadonly<T>[],
    resourceVersion: metadata?.resourceVersion ?? '',
    ...(next ? { continue: next } : {}),
  };
}

function listQuery(options: ListOptions): URLSearchParams {
  const query = new URLSearchParams();
  if (options.labelSelector) query.set('labelSelector', options.labelSelector);
  if (options.fieldSelector) query.set('fieldSelector', options.fieldSelector);
  if (options.limit !== undefined) query.set('limit', String(options.limit));
  if (options.continue) query.set('continue', options.continue);
  if (options.resourceVersion !== undefined) query.set('resourceVersion', options.resourceVersion);
  if (options.resourceVersionMatch !== undefined) query.set('resourceVersionMatch', options.resourceVersionMatch);
  return query;
}

function watchQuery(options: WatchOptions): URLSearchParams {
  const query = new URLSearchParams({ watch: 'true' });
  if (options.allowWatchBookmarks !== false) query.set('allowWatchBookmarks', 'true');
  if (options.labelSelector) query.set('labelSelector', options.labelSelector);
  if (options.fieldSelector) query.set('fieldSelector', options.fieldSelector);
  if (options.resourceVersion !== undefined) query.set('resourceVersion', options.resourceVersion);
  if (options.timeoutSeconds !== undefined) query.set('timeoutSeconds', String(options.timeoutSeconds));
  if (options.sendInitialEvents === true) {
    query.set('sendInitialEvents', 'true');
    query.set('resourceVersionMatch', 'NotOlderThan');
  }
  return query;
}

function deleteBody({ gracePeriodSeconds, propagationPolicy, preconditions, dryRun }: DeleteOptions): Record<string, unknown> {
  const body: Record<string, unknown> = { kind: 'DeleteOptions', apiVersion: 'v1' };
  if (gracePeriodSeconds !== undefined) body['gracePeriodSeconds'] = gracePeriodSeconds;
  if (preconditions !== undefined) body['preconditions'] = preconditions;
  if (propagationPolicy !== undefined) body['propagationPolicy'] = propagationPolicy;
  if (dryRun === true) body['dryRun'] = ['All'];
  return body;
}
