// SPDX-License-Identifier: Apache-2.0
// One request on its way through the filters, and the forms its answer may take. The HTTP side (http/) and the loopback
// transport both make a `RequestContext` and take an `ApiResult`; nothing in between knows which it was.
import type { Duplex, Readable } from 'node:stream';
import type { UserInfo } from '../auth/user.ts';
import type { CachedObject } from '../cacher/cached-object.ts';
import type { CborCodec, Output } from '../encoding/negotiation.ts';
import type { ServedResource } from '../registry/generic/served-resource.ts';
import { newAuditId } from './audit-id.ts';
import type { RequestInfo } from './request-info.ts';

const NONE: readonly string[] = [];

export interface IncomingRequest {
  readonly method: string;
  /** Without query, not decoded. */
  readonly path: string;
  /** Without `?`. */
  readonly search: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Names and values in turn, as they came: `headers` joins those of one name by commas. Absent on loopback. */
  readonly rawHeaders?: readonly string[];
  /** Reads the whole body. @throws {ApiError} 413 beyond `limitBytes`. */
  readBody(limitBytes: number): Promise<Uint8Array>;
  /** The body as it comes, instead of `readBody`, for what is passed on; absent on loopback. */
  openBody?(): Readable;
  /** The body where it never was bytes: loopback. */
  readonly bodyObject?: unknown;
  /** The identity proven by the connection: a client certificate, or loopback's. */
  readonly connectionUser: UserInfo | undefined;
  readonly remoteAddress: string;
  /** Aborted when the client goes away, or when the server has enough of it. */
  readonly signal: AbortSignal;
  /** Aborts `signal` from this side: a deadline has passed, or the server stops. Absent on loopback, whose client holds the signal. */
  cancel?(): void;
  /** Asks the client to use another connection after this request. */
  goAway?(): void;
  /** Present on HTTP/1.1 upgrades: the raw connection, for streaming subresources. */
  readonly upgrade?: { readonly socket: Duplex; readonly head: Buffer };
}

/** The flow schema and priority level of a request, as its answer names them. */
export interface MatchedFlow {
  readonly schemaUid: string;
  readonly levelUid: string;
}

/** What the parts of the server tell the audit of a request. */
export interface AuditNotes {
  /** Adds `annotations[key]`; the first value stays. @param level The event must have at least. @default Metadata */
  annotate(key: string, value: string, level?: 'Request'): void;
  /** The verb that let somebody act as another user, where it was a constrained one. */
  impersonatedBy(verb: string): void;
  /** The decoded body, in the version it came in. */
  requestObject(object: unknown): void;
}

export class RequestContext {
  readonly request: IncomingRequest;
  readonly info: RequestInfo;
  readonly query: URLSearchParams;
  readonly receivedAt: number;
  /** As `performance.now()` said. */
  readonly startedAt = performance.now();
  /** When `mark` was last called: steps that follow each other share one look at the clock. */
  markedAt = this.startedAt;
  user: UserInfo | undefined;
  /** What may be spent on it, from `receivedAt`; 0 for long-running requests. */
  timeoutMs = 0;
  /** Takes the size of the answer in bytes, or of each event of a watch. */
  weighed: { observe(bytes: number): void } | undefined = undefined;
  /** Which flow it was booked to; set by priority and fairness. */
  flow: MatchedFlow | undefined = undefined;
  /** Where an audited request is written down; undefined if it is not. */
  audit: AuditNotes | undefined = undefined;
  /** What the object to be written was decoded from: errors show it. */
  given: unknown = undefined;
  /** What its answer has in its head beside the rest, whatever the answer is. */
  addedHeaders: Readonly<Record<string, string>> | undefined = undefined;
  /** Of a server that speaks CBOR. */
  cbor: CborCodec | undefined = undefined;
  #warnings: string[] | undefined = undefined;
  #auditId: string | undefined = undefined;

  constructor(request: IncomingRequest, info: RequestInfo, query: URLSearchParams, receivedAt: number) {
    this.request = request;
    this.info = info;
    this.query = query;
    this.receivedAt = receivedAt;
  }

  /** The client's `Audit-Id`, else one of our own; every answer has it. */
  get auditId(): string {
    this.#auditId ??= givenId(this.request.headers['audit-id']) ?? newAuditId();
    return this.#auditId;
  }

  /** Notes the time, and returns it. */
  mark(): number {
    this.markedAt = performance.now();
    return this.markedAt;
  }

  /** Since the request came, by the clock of the process. */
  elapsedMs(): number {
    return performance.now() - this.startedAt;
  }

  /** @throws {Error} Before authentication: a filter is in the wrong place. */
  get knownUser(): UserInfo {
    if (this.user === undefined) throw new Error('read the user of a request: not authenticated yet');
    return this.user;
  }

  /** Adds a `Warning` header, once each. */
  warn(text: string): void {
    this.#warnings ??= [];
    if (!this.#warnings.includes(text)) this.#warnings.push(text);
  }

  get warnings(): readonly string[] {
    return this.#warnings ?? NONE;
  }

  header(name: string): string {
    const value = this.request.headers[name];
    return Array.isArray(value) ? value.join(',') : (value ?? '');
  }
}

function givenId(header: string | string[] | undefined): string | undefined {
  return typeof header === 'string' && header !== '' ? header : undefined;
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
  /** It is of this watch alone: part of the state that it begins with. */
  readonly alone?: true;
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
