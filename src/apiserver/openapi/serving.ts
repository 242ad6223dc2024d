// SPDX-License-Identifier: Apache-2.0
// How a document is answered: its form by the Accept header, its ETag, and what the hash in its URL does. With the right hash an answer
// may be kept for a year; with another the client is sent to the right one. Version 3 has no protobuf form here: asking for nothing but
// that is 406.
// @source upstream kube-openapi pkg/handler handler.go, pkg/handler3 handler.go
import { parseAccept } from '../encoding/negotiation.ts';
import type { ApiResult, BytesResult, RequestContext } from '../request/context.ts';
import { PROTOBUF_V2 } from './protobuf-v2.ts';

const JSON_FORM = 'application/json';
/** What may be asked for, and what is answered: the second spelling of protobuf is the older one. */
const FORMS_V2: readonly (readonly [asked: string, answered: string])[] = [
  [JSON_FORM, JSON_FORM],
  [PROTOBUF_V2, PROTOBUF_V2],
  [PROTOBUF_V2.replace('.v1.0+', '@v1.0+'), PROTOBUF_V2],
];
const FORMS = { v2: FORMS_V2, v3: FORMS_V2.slice(0, 1) };

/** The media type to answer with: the first range that something fits; undefined if none does. */
export function formOf(accept: string, version: 'v2' | 'v3'): string | undefined {
  for (const { name } of parseAccept(accept === '' ? '*/*' : accept)) {
    const [type, subtype = type] = name.split('/');
    const fits = (asked: string) => asked.split('/').every((part, at) => [part, '*'].includes((at === 0 ? type : subtype) ?? ''));
    const found = FORMS[version].find(([asked]) => fits(asked));
    if (found !== undefined) return found[1];
  }
  return undefined;
}

const empty = (status: number, headers?: Readonly<Record<string, string>>): BytesResult => ({
  ...{ type: 'bytes', status, contentType: '', body: '' },
  ...(headers === undefined ? {} : { headers }),
});
/** The answer for a path that no document has. */
export const noDocument = (): ApiResult => empty(404);
export const noSuchForm = (): ApiResult => empty(406, { vary: 'Accept' });

export interface Document {
  readonly body: string | Buffer;
  readonly hash: string;
}

/** The URL that names this very content of a version 3 document. */
export const locationOf = (name: string, hash: string) => `/openapi/v3/${name}?hash=${hash}`;

/** @param name Of a version 3 document, whose URL may have a hash. */
export function answerDocument(context: RequestContext, { body, hash }: Document, contentType: string, name?: string): ApiResult {
  const etag = `"${hash}"`;
  const asked = name === undefined ? null : context.query.get('hash');
  if (name !== undefined && asked && asked !== hash)
    return { ...empty(301, { etag, vary: 'Accept', location: locationOf(name, hash) }), contentType };
  const headers = { etag, vary: 'Accept', ...(asked ? unchanging(context.receivedAt) : {}) };
  if (context.header('if-none-match') === etag) return empty(304, headers);
  return { type: 'bytes', status: 200, contentType, body, headers };
}

function unchanging(now: number): Readonly<Record<string, string>> {
  const expires = new Date(now);
  expires.setUTCFullYear(expires.getUTCFullYear() + 1);
  return { 'cache-control': 'public, immutable', expires: expires.toUTCString() };
}
