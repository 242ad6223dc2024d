// SPDX-License-Identifier: Apache-2.0
// One request on its way through the filters, and the forms its answer may take. The HTTP side (http/) and the loopback
// transport both make a `RequestContext` and take an `ApiResult`; nothing in between knows which it was.
import type { Duplex } from 'node:stream';
import type { UserInfo } from '../auth/user.ts';
import type { CachedObject } from '../cacher/cached-object.ts';
import type { Output } from '../encoding/negotiation.ts';
import type { ServedResource } from '../registry/generic/served-resource.ts';
import type { RequestInfo } from './request-info.ts';

export interface IncomingRequest {
  readonly method: string;
  /** Without query, not decoded. */
  readonly path: string;
  /** Without `?`. */
  readonly search: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Reads the whole body. @throws {ApiError} 413 beyond `limitBytes`. */
  readBody(limitBytes: number): Promise<Uint8Array>;
  /** The body where it never was bytes: loopback. */
  readonly bodyObject?: unknown;
  /** The identity proven by the connection: a client certificate, or loopback's. */
  readonly connectionUser: UserInfo | undefined;
  readonly remoteAddress: string;
  /** Aborted when the client goes away. */
  readonly signal: AbortSignal;
  /** Present on HTTP/1.1 upgrades: the raw connection, for streaming subresources. */
  readonly upgrade?: { readonly socket: Duplex; readonly head: Buffer };
}

export class RequestContext {
  readonly request: IncomingRequest;
  readonly info: RequestInfo;
  readonly query: URLSearchParams;
  readonly receivedAt: number;
  user: UserInfo | undefined;
  readonly #warnings: string[] = [];

  constructor(request: IncomingRequest, info: RequestInfo, query: URLSearchParams, receivedAt: number) {
    this.request = request;
    this.info = info;
    this.query = query;
    this.receivedAt = receivedAt;
  }

  /** @throws {Error} Before authentication: a filter is in the wrong place. */
  get knownUser(): UserInfo {
    if (this.user === undefined) throw new Error('read the user of a request: not authenticated yet');
    return this.user;
  }

  /** Adds a `Warning` header, once each. */
  warn(text: string): void {
    if (!this.#warnings.includes(text)) this.#warnings.push(text);
  }

  get warnings(): readonly string[] {
    return this.#warnings;
  }

  header(name: string): string {
    const value = this.request.headers[name];
    return Array.isArray(value) ? value.join(',') : (value ?? '');
  }
}

/** An object (or Status) as the answer. `cached` is given where the encoded bytes can be shared. */
export interface ObjectResult {
  readonly type: 'object';
  readonly status: number;
  readonly object: unknown;
  readonly cached?: CachedObject | undefined;
  readonly served?: ServedResource | undefined;
  /** How to encode; absent for Status and discovery, which choose at the edge. */
  readonly output?: Output | undefined;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface ListResult {
  readonly type: 'list';
  readonly items: readonly CachedObject[];
  readonly resourceVersion: string;
  readonly continue: string;
  readonly remainingItemCount: number | undefined;
  readonly served: ServedResource;
  readonly output: Output;
  readonly query: URLSearchParams;
}

export interface WatchFrame {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  readonly cached?: CachedObject;
  /** Bookmarks and errors. */
  readonly object?: unknown;
}

export interface WatchResult {
  readonly type: 'watch';
  /** Batches as they come; ends when the watch's time is up or the client went away. */
  readonly frames: AsyncIterable<readonly WatchFrame[]>;
  readonly served: ServedResource;
  readonly output: Output;
  readonly query: URLSearchParams;
}

export interface BytesResult {
  readonly type: 'bytes';
  readonly status: number;
  readonly contentType: string;
  readonly body: string | Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A body that comes in pieces: logs, proxied answers. */
export interface StreamResult {
  readonly type: 'stream';
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: AsyncIterable<Uint8Array>;
}

/** The handler took the connection over (upgrades) and has answered. */
export interface HijackedResult {
  readonly type: 'hijacked';
}

export type ApiResult = ObjectResult | ListResult | WatchResult | BytesResult | StreamResult | HijackedResult;

/** One step of the chain. Hot paths answer synchronously. */
export type Handler = (context: RequestContext) => ApiResult | Promise<ApiResult>;

export function plainText(status: number, body: string): BytesResult {
  return { type: 'bytes', status, contentType: 'text/plain; charset=utf-8', body };
}

export function objectResult(status: number, object: unknown, headers?: Readonly<Record<string, string>>): ObjectResult {
  return { type: 'object', status, object, ...(headers === undefined ? {} : { headers }) };
}
