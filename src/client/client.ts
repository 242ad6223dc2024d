// SPDX-License-Identifier: Apache-2.0
// The typed client: verbs of the API over a `Transport`. Components hold a `Client` and cannot tell whether it speaks HTTPS to
// another process or hands objects by reference to an API server in their own (then results are frozen cache entries:
// never change what a client returned, copy it).
import type { DeepReadonly, Draft, KubeObject, ObjectRef, Resource, Status } from '#machinery';

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

export interface WriteOptions extends CallOptions {
  readonly dryRun?: boolean | undefined;
  readonly fieldManager?: string | undefined;
}

export interface ListOptions extends CallOptions {
  /** Absent: all namespaces. */
  readonly namespace?: string | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
  readonly limit?: number | undefined;
  readonly continue?: string | undefined;
  readonly resourceVersion?: string | undefined;
  readonly resourceVersionMatch?: 'Exact' | 'NotOlderThan' | undefined;
}

export interface WatchOptions extends CallOptions {
  readonly namespace?: string | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
  readonly resourceVersion?: string | undefined;
  readonly timeoutSeconds?: number | undefined;
  /** @default true */
  readonly allowWatchBookmarks?: boolean | undefined;
  /** Asks for the present state first, as ADDED events and a bookmark with `k8s.io/initial-events-end`. */
  readonly sendInitialEvents?: boolean | undefined;
}

export interface DeleteOptions extends CallOptions {
  readonly gracePeriodSeconds?: number | undefined;
  readonly propagationPolicy?: 'Orphan' | 'Background' | 'Foreground' | undefined;
  readonly preconditions?: { readonly uid?: string | undefined; readonly resourceVersion?: string | undefined } | undefined;
  readonly dryRun?: boolean | undefined;
}

export interface SubresourceOptions extends WriteOptions {
  readonly subresource?: string | undefined;
}

export type PatchType = 'json' | 'merge' | 'strategic' | 'apply';

export interface PatchOptions extends SubresourceOptions {
  /** Apply only: take fields that others own. */
  readonly force?: boolean | undefined;
}

export interface ObjectList<T> {
  readonly items: readonly DeepReadonly<T>[];
  readonly resourceVersion: string;
  readonly continue?: string | undefined;
}

export type WatchEvent<T> =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly object: DeepReadonly<T> }
  | { readonly type: 'BOOKMARK'; readonly object: DeepReadonly<Pick<KubeObject, 'metadata'>> }
  | { readonly type: 'ERROR'; readonly object: Status };

/**
 * Errors: every method throws `ApiError` for an answer that is no success, and whatever the transport throws (a `TransportError`)
 * where there was none. Aborting `signal` rejects with its reason.
 */
export interface Client {
  get<T extends KubeObject>(
    resource: Resource<T>,
    ref: ObjectRef,
    options?: CallOptions & { subresource?: string },
  ): Promise<DeepReadonly<T>>;
  list<T extends KubeObject>(resource: Resource<T>, options?: ListOptions): Promise<ObjectList<T>>;
  /** `apiVersion` and `kind` may be left out; `metadata.namespace` decides where a namespaced object goes. */
  create<T extends KubeObject>(resource: Resource<T>, object: Draft<T>, options?: WriteOptions): Promise<DeepReadonly<T>>;
  /** Replaces the object if its resourceVersion is still the stored one. */
  update<T extends KubeObject>(resource: Resource<T>, object: DeepReadonly<T>, options?: SubresourceOptions): Promise<DeepReadonly<T>>;
  patch<T extends KubeObject>(
    resource: Resource<T>,
    ref: ObjectRef,
    type: PatchType,
    body: unknown,
    options?: PatchOptions,
  ): Promise<DeepReadonly<T>>;
  delete<T extends KubeObject>(resource: Resource<T>, ref: ObjectRef, options?: DeleteOptions): Promise<void>;
  deleteCollection<T extends KubeObject>(resource: Resource<T>, options?: ListOptions & DeleteOptions): Promise<void>;
  /** Creates a subresource object and returns the answer: `binding`, `eviction`, `token`. */
  createSubresource<Body, Answer = Body>(
    resource: Resource,
    ref: ObjectRef,
    subresource: string,
    body: Draft<Body>,
    options?: WriteOptions,
  ): Promise<Answer>;
  /**
   * Opens a watch; iteration ends when the server ends it. Errors come as `ERROR` events or as a throw when it cannot be opened.
   * Breaking out of the loop closes it.
   */
  watch<T extends KubeObject>(resource: Resource<T>, options?: WatchOptions): AsyncIterable<WatchEvent<T>>;
  /** Any path, for what is no resource: `/healthz`, `/api`, pod logs. */
  raw(request: RawRequest, options?: CallOptions): Promise<RawAnswer>;
}

export interface RawRequest {
  readonly method: string;
  /** With query. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | undefined;
}

export interface RawAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

/** Thrown when a request got no answer: connection refused, reset, TLS failure, malformed answer. Retrying may help. */
export class TransportError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'TransportError';
  }
}
