// SPDX-License-Identifier: Apache-2.0
// The transport within one process: requests go through the same filters and handlers as those from the wire, but bodies stay
// objects and answers are the cached objects themselves. Nothing is encoded, nothing copied.

import type { Transport, TransportAnswer, TransportRequest } from '#client';
import { ApiError, type Status } from '#machinery';
import type { UserInfo } from './auth/user.ts';
import { encodeObject } from './encoding/encoder.ts';
import { listMeta } from './encoding/table.ts';
import { inServedVersion, type ServedResource } from './registry/generic/served-resource.ts';
import type { ApiResult, IncomingRequest, ListResult, ObjectResult, WatchResult } from './request/context.ts';

/** Answers a request; given by the server. */
export type Serve = (request: IncomingRequest) => ApiResult | Promise<ApiResult>;

const NEVER = new AbortController().signal;

export class LoopbackTransport implements Transport {
  readonly #serve: Serve;
  readonly #user: UserInfo;
  readonly #userAgent: string;

  /** @param userAgent Its first word is the field manager. */
  constructor(serve: Serve, user: UserInfo, userAgent: string) {
    this.#serve = serve;
    this.#user = user;
    this.#userAgent = userAgent;
  }

  async send(request: TransportRequest, signal: AbortSignal | undefined): Promise<TransportAnswer> {
    signal?.throwIfAborted();
    return answerOf(await this.#serve(this.#incoming(request, signal)));
  }

  async *stream(request: TransportRequest, signal: AbortSignal): AsyncGenerator<{ type: string; object: unknown }> {
    const result = await this.#serve(this.#incoming(request, signal));
    if (result.type !== 'watch') {
      const { body } = answerOf(result);
      throw new ApiError(body as Status);
    }
    yield* framesOf(result);
  }

  async raw(
    request: { method: string; path: string; headers?: Readonly<Record<string, string>>; body?: Uint8Array | undefined },
    signal: AbortSignal | undefined,
  ): Promise<{ status: number; headers: Record<string, string>; body: Uint8Array }> {
    const question = request.path.indexOf('?');
    const path = question < 0 ? request.path : request.path.slice(0, question);
    const body = request.body ?? new Uint8Array();
    const result = await this.#serve({
      method: request.method,
      path,
      search: question < 0 ? '' : request.path.slice(question + 1),
      headers: { 'user-agent': this.#userAgent, ...request.headers },
      readBody: async () => body,
      connectionUser: this.#user,
      remoteAddress: '127.0.0.1',
      signal: signal ?? NEVER,
    });
    return rawOf(result);
  }

  #incoming(request: TransportRequest, signal: AbortSignal | undefined): IncomingRequest {
    const body = request.body;
    return {
      method: request.method,
      path: request.path,
      search: request.query.toString(),
      headers: { 'user-agent': this.#userAgent, ...(request.contentType === undefined ? {} : { 'content-type': request.contentType }) },
      readBody: async () => (body === undefined ? new Uint8Array() : Buffer.from(JSON.stringify(body))),
      ...(body === undefined ? {} : { bodyObject: body }),
      connectionUser: this.#user,
      remoteAddress: '127.0.0.1',
      signal: signal ?? NEVER,
    };
  }
}

function answerOf(result: ApiResult): TransportAnswer {
  switch (result.type) {
    case 'object':
      return { status: result.status, body: objectOf(result) };
    case 'list':
      return { status: 200, body: listOf(result) };
    case 'bytes':
      return {
        status: result.status,
        body: result.contentType.startsWith('application/json') ? JSON.parse(String(result.body)) : result.body,
      };
    default:
      throw new Error(`answer a loopback request: unexpected result "${result.type}"`);
  }
}

function objectOf({ served, cached, object }: ObjectResult): unknown {
  if (served === undefined || cached === undefined) return object;
  cached.forgetText();
  return inServedVersion(served, cached.object);
}

function listOf({ served, items, resourceVersion, continue: token, remainingItemCount }: ListResult): unknown {
  return {
    kind: `${served.resource.kind}List`,
    apiVersion: served.apiVersion,
    metadata: listMeta({ resourceVersion, continue: token, remainingItemCount }),
    items: items.map((item) => inServedVersion(served, item.object)),
  };
}

async function* framesOf({ frames, served }: WatchResult): AsyncGenerator<{ type: string; object: unknown }> {
  for await (const batch of frames) {
    for (const frame of batch) yield { type: frame.type, object: frameObject(served, frame.cached?.object, frame.object) };
  }
}

function frameObject(served: ServedResource, cached: Parameters<typeof inServedVersion>[1] | undefined, object: unknown): unknown {
  return cached === undefined ? object : inServedVersion(served, cached);
}

async function rawOf(result: ApiResult): Promise<{ status: number; headers: Record<string, string>; body: Uint8Array }> {
  if (result.type === 'bytes')
    return { status: result.status, headers: { 'content-type': result.contentType }, body: Buffer.from(result.body) };
  if (result.type === 'stream') {
    const chunks: Uint8Array[] = [];
    for await (const chunk of result.body) chunks.push(chunk);
    return { status: result.status, headers: { ...result.headers }, body: Buffer.concat(chunks) };
  }
  const { status, body } =
    result.type === 'object'
      ? { status: result.status, body: encodeObject(result, new URLSearchParams(), Date.now()).body }
      : { status: 200, body: JSON.stringify(answerOf(result).body) };
  return { status, headers: { 'content-type': 'application/json' }, body: Buffer.from(body) };
}
