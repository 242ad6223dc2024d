// SPDX-License-Identifier: Apache-2.0
// Writes an `ApiResult` to the wire: status, headers, and the body in one piece or in chunks as the client takes them.
import { promisify } from 'node:util';
import { gzip, gzipSync, constants as zlibConstants } from 'node:zlib';
import { encodeList, encodeObject, frameEncoder } from '../encoding/encoder.ts';
import { contentTypeOf } from '../encoding/negotiation.ts';
import type { ApiResult, ListResult, RequestContext, StreamResult, WatchResult } from '../request/context.ts';
import type { AnswerWriter } from './answer-writer.ts';

type Headers = Record<string, string | readonly string[]>;

/** Bodies smaller than this are not compressed. @source upstream defaultGzipThresholdBytes: 128 KiB */
const GZIP_THRESHOLD_BYTES = 128 * 1024;

/** A list of fewer chunks is answered in one piece. */
const WHOLE_CHUNKS = 3;
const gzipped = promisify(gzip);

/** @param auditId What `Audit-Id` says; every answer has one. */
export function answer(
  context: RequestContext,
  result: ApiResult,
  writer: AnswerWriter,
  now: () => number,
  auditId: string,
): Promise<void> | void {
  const headers: Headers = { 'audit-id': auditId, 'cache-control': 'no-cache, private' };
  const { flow } = context;
  if (flow !== undefined) {
    headers['x-kubernetes-pf-flowschema-uid'] = flow.schemaUid;
    headers['x-kubernetes-pf-prioritylevel-uid'] = flow.levelUid;
  }
  if (context.warnings.length > 0) headers['warning'] = context.warnings.map(formatWarning);
  switch (result.type) {
    case 'object': {
      const { contentType, body } = encodeObject(result, context.query, now());
      headers['content-type'] = contentType;
      if (result.headers !== undefined) Object.assign(headers, result.headers);
      return sendWhole(context, writer, result.status, headers, body);
    }
    case 'bytes':
      if (result.contentType !== '') headers['content-type'] = result.contentType;
      if (result.headers !== undefined) Object.assign(headers, result.headers);
      context.weighed?.observe(result.body.length);
      return writer.send(result.status, headers, context.request.method === 'HEAD' ? '' : result.body);
    case 'list':
      return sendList(context, result, writer, headers, now());
    case 'watch':
      return sendWatch(context, result, writer, headers, now);
    case 'stream':
      return sendStream(result, writer, headers);
    case 'hijacked':
      return;
  }
}

/** @source RFC 7234 section 5.5, upstream net/http.go NewWarningHeader */
function formatWarning(text: string): string {
  return `299 - ${JSON.stringify(text.replace(/[\r\n]+/g, ' '))}`;
}

function acceptsGzip(context: RequestContext): boolean {
  // As upstream: the bare word, without a quality.
  return context
    .header('accept-encoding')
    .split(',')
    .some((encoding) => encoding.trim() === 'gzip');
}

function sendWhole(context: RequestContext, writer: AnswerWriter, status: number, headers: Headers, body: string | Uint8Array): void {
  context.weighed?.observe(body.length);
  if (context.request.method === 'HEAD') writer.send(status, headers, '');
  else if (body.length > GZIP_THRESHOLD_BYTES && acceptsGzip(context)) {
    Object.assign(headers, { 'content-encoding': 'gzip', vary: 'Accept-Encoding' });
    writer.send(status, headers, gzipSync(body, { level: zlibConstants.Z_BEST_SPEED }));
  } else writer.send(status, headers, body);
}

async function sendList(context: RequestContext, result: ListResult, writer: AnswerWriter, headers: Headers, now: number): Promise<void> {
  headers['content-type'] = contentTypeOf(result.output);
  const chunks = encodeList(result, now);
  const start: (string | Uint8Array)[] = [];
  for (let next = chunks.next(); !next.done; next = chunks.next()) {
    start.push(next.value);
    if (start.length === WHOLE_CHUNKS) break;
  }
  if (start.length < WHOLE_CHUNKS || context.request.method === 'HEAD') return sendWhole(context, writer, 200, headers, joined(start));
  if (acceptsGzip(context)) {
    // Off this thread: 6 MB take 15 ms and more.
    const packed = await gzipped(joined([...start, ...chunks]), { level: zlibConstants.Z_BEST_SPEED });
    Object.assign(headers, { 'content-encoding': 'gzip', vary: 'Accept-Encoding' });
    return writer.send(200, headers, packed);
  }
  writer.begin(200, headers);
  for (const chunk of start) if (!(await writer.write(chunk))) return;
  for (const chunk of chunks) if (!(await writer.write(chunk))) return;
  writer.end();
}

async function sendWatch(
  context: RequestContext,
  result: WatchResult,
  writer: AnswerWriter,
  headers: Headers,
  now: () => number,
): Promise<void> {
  headers['content-type'] = contentTypeOf(result.output);
  writer.begin(200, headers);
  const encode = frameEncoder(result, now);
  try {
    for await (const batch of result.frames) {
      const encoded = batch.map(encode);
      if (context.weighed !== undefined) for (const frame of encoded) context.weighed.observe(frame.length);
      if (!(await writer.write(joined(encoded)))) return;
    }
    writer.end();
  } catch (error) {
    writer.abort(); // The client sees a broken stream and resumes.
    throw error;
  }
}

/** Pieces as one. A single one, the usual case, goes as it is: many watchers share its bytes. */
function joined(frames: readonly (string | Uint8Array)[]): string | Uint8Array {
  const [only] = frames;
  if (frames.length === 1 && only !== undefined) return only;
  if (frames.every((frame) => typeof frame === 'string')) return frames.join('');
  return Buffer.concat(frames.map((frame) => (typeof frame === 'string' ? Buffer.from(frame) : frame)));
}

async function sendStream(result: StreamResult, writer: AnswerWriter, headers: Headers): Promise<void> {
  writer.begin(result.status, { ...headers, ...result.headers });
  try {
    for await (const chunk of result.body) if (!(await writer.write(chunk))) return;
    writer.end();
  } catch {
    writer.abort(); // The other side broke off; so does this one.
  }
}
