// SPDX-License-Identifier: Apache-2.0
// Writes an `ApiResult` to the wire: status, headers, and the body in one piece or in chunks as the client takes them.
import { pipeline } from 'node:stream/promises';
import { setImmediate as turn } from 'node:timers/promises';
import { createGzip, gzipSync, constants as zlibConstants } from 'node:zlib';
import { encodeList, encodeObject, frameEncoder } from '../encoding/encoder.ts';
import { contentTypeOf } from '../encoding/negotiation.ts';
import { warningHeaders } from '../encoding/warnings.ts';
import type { ApiResult, ListResult, RequestContext, StreamResult, WatchFrame, WatchResult } from '../request/context.ts';
import type { AnswerWriter } from './answer-writer.ts';

type Headers = Record<string, string | readonly string[]>;

/** Bodies smaller than this are not compressed. @source upstream defaultGzipThresholdBytes: 128 KiB */
const GZIP_THRESHOLD_BYTES = 128 * 1024;

/** A list up to this is answered in one piece. */
const WHOLE_BYTES = 512 * 1024;
/** Of a packed list, taken at once from the packer. */
const PACKED_BYTES = 64 * 1024;
/** Frames of a watch beyond this go in further writes. */
const PIECE_BYTES = 256 * 1024;

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
  if (context.addedHeaders !== undefined) Object.assign(headers, context.addedHeaders);
  if (context.warnings.length > 0) headers['warning'] = warningHeaders(context.warnings);
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
  let size = 0;
  while (size <= WHOLE_BYTES) {
    const { value: chunk, done } = chunks.next();
    if (done === true) break;
    if (chunk.length === 0) await turn();
    else start.push(chunk);
    size += chunk.length;
  }
  if (size <= WHOLE_BYTES || context.request.method === 'HEAD') return sendWhole(context, writer, 200, headers, joined(start));
  if (acceptsGzip(context)) return sendPacked(rest(start, chunks), writer, headers);
  writer.begin(200, headers);
  for (const chunk of start) if (!(await writer.write(chunk))) return;
  for (const chunk of chunks) {
    if (chunk.length === 0) await turn();
    else if (!(await writer.write(chunk))) return;
  }
  writer.end();
}

async function* rest(start: readonly (string | Uint8Array)[], chunks: Iterable<string | Uint8Array>): AsyncGenerator<string | Uint8Array> {
  yield* start;
  for (const chunk of chunks) {
    if (chunk.length === 0) await turn();
    else yield chunk;
  }
}

/** Packs off this thread, as fast as the client takes it. */
async function sendPacked(chunks: AsyncIterable<string | Uint8Array>, writer: AnswerWriter, headers: Headers): Promise<void> {
  Object.assign(headers, { 'content-encoding': 'gzip', vary: 'Accept-Encoding' });
  writer.begin(200, headers);
  const packer = createGzip({ level: zlibConstants.Z_BEST_SPEED, chunkSize: PACKED_BYTES });
  const taken = async (packed: AsyncIterable<Buffer>): Promise<void> => {
    for await (const piece of packed) if (!(await writer.write(piece))) return;
  };
  try {
    await pipeline(chunks, packer, taken);
  } catch (error) {
    if (writer.closed) return; // The client went away: nobody takes the rest.
    throw error;
  }
  writer.end();
}

async function sendWatch(
  context: RequestContext,
  result: WatchResult,
  writer: AnswerWriter,
  headers: Headers,
  now: () => number,
): Promise<void> {
  headers['content-type'] = streamTypeOf(result.output);
  writer.begin(200, headers);
  const encode = frameEncoder(result, now);
  try {
    for await (const batch of result.frames) {
      for (const piece of inPieces(batch, encode, context.weighed)) if (!(await writer.write(piece))) return;
    }
    writer.end();
  } catch (error) {
    writer.abort(); // The client sees a broken stream and resumes.
    throw error;
  }
}

/** What upstream calls a stream of events: JSON by its own name, CBOR by that of a sequence, all else with a parameter. */
function streamTypeOf(output: WatchResult['output']): string {
  if (output.mediaType === 'cbor') return 'application/cbor-seq';
  return output.mediaType === 'json' ? contentTypeOf(output) : `${contentTypeOf(output)};stream=watch`;
}

/** The frames of a batch, joined as far as one write should be. */
function* inPieces(
  batch: readonly WatchFrame[],
  encode: (frame: WatchFrame) => string | Uint8Array,
  weighed: RequestContext['weighed'],
): Generator<string | Uint8Array> {
  let pending: (string | Uint8Array)[] = [];
  let size = 0;
  for (const frame of batch) {
    const encoded = encode(frame);
    weighed?.observe(encoded.length);
    pending.push(encoded);
    size += encoded.length;
    if (size < PIECE_BYTES) continue;
    yield joined(pending);
    pending = [];
    size = 0;
  }
  if (pending.length > 0) yield joined(pending);
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
