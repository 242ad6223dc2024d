// SPDX-License-Identifier: Apache-2.0
// SPDY/3.1 frames as values, to and from bytes. Header blocks stay compressed here: headers.ts knows them.
// @source SPDY Protocol Draft 3.1, section 2.2 and 2.6. Unknown control frames are handed over as `other` and may be ignored.

export type Frame =
  | { readonly type: 'syn-stream'; readonly streamId: number; readonly flags: number; readonly block: Buffer }
  | { readonly type: 'syn-reply'; readonly streamId: number; readonly flags: number; readonly block: Buffer }
  | { readonly type: 'headers'; readonly streamId: number; readonly flags: number; readonly block: Buffer }
  | { readonly type: 'data'; readonly streamId: number; readonly flags: number; readonly data: Buffer }
  | { readonly type: 'rst-stream'; readonly streamId: number; readonly status: number }
  | { readonly type: 'ping'; readonly id: number }
  | { readonly type: 'goaway'; readonly lastStreamId: number; readonly status: number }
  | { readonly type: 'window-update'; readonly streamId: number; readonly delta: number }
  | { readonly type: 'settings'; readonly payload: Buffer }
  | { readonly type: 'other'; readonly kind: number; readonly payload: Buffer };

export const FLAG_FIN = 1;
const VERSION = 3;
const HEAD_BYTES = 8;
/** Larger frames are refused before they are buffered: no peer of ours sends them. */
export const MAX_FRAME_BYTES = 1 << 20;

const KIND = { 'syn-stream': 1, 'syn-reply': 2, 'rst-stream': 3, settings: 4, ping: 6, goaway: 7, headers: 8, 'window-update': 9 } as const;

/** Thrown when bytes are no SPDY/3.1: the connection cannot go on. */
export class SpdyError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'SpdyError';
  }
}

/** Cuts a byte stream into frames, whatever the chunks. */
export class FrameParser {
  #buffer: Buffer = Buffer.alloc(0);

  /** @returns The frames that are complete now. @throws {SpdyError} */
  push(chunk: Buffer): Frame[] {
    this.#buffer = this.#buffer.length === 0 ? chunk : Buffer.concat([this.#buffer, chunk]);
    const frames: Frame[] = [];
    let at = 0;
    while (this.#buffer.length - at >= HEAD_BYTES) {
      const length = this.#buffer.readUInt32BE(at + 4) & 0xffffff;
      if (length > MAX_FRAME_BYTES) throw new SpdyError(`frame is too large: ${length} bytes`);
      if (this.#buffer.length - at < HEAD_BYTES + length) break;
      frames.push(decodeFrame(this.#buffer.subarray(at, at + HEAD_BYTES + length)));
      at += HEAD_BYTES + length;
    }
    this.#buffer = this.#buffer.subarray(at);
    return frames;
  }
}

function decodeFrame(bytes: Buffer): Frame {
  const word = bytes.readUInt32BE(0);
  const flags = bytes[4] ?? 0;
  const payload = bytes.subarray(HEAD_BYTES);
  if (word >>> 31 === 0) return { type: 'data', streamId: word, flags, data: payload };
  const version = (word >>> 16) & 0x7fff;
  if (version !== VERSION) throw new SpdyError(`unsupported version ${version}: want ${VERSION}`);
  return decodeControl(word & 0xffff, flags, payload);
}

function decodeControl(kind: number, flags: number, payload: Buffer): Frame {
  const need = (bytes: number) => {
    if (payload.length < bytes) throw new SpdyError(`control frame ${kind} is too short: ${payload.length} bytes, want ${bytes}`);
  };
  const id = (at: number) => payload.readUInt32BE(at) & 0x7fffffff;
  switch (kind) {
    case KIND['syn-stream']:
      need(10);
      return { type: 'syn-stream', streamId: id(0), flags, block: payload.subarray(10) };
    case KIND['syn-reply']:
      need(4);
      return { type: 'syn-reply', streamId: id(0), flags, block: payload.subarray(4) };
    case KIND.headers:
      need(4);
      return { type: 'headers', streamId: id(0), flags, block: payload.subarray(4) };
    case KIND['rst-stream']:
      need(8);
      return { type: 'rst-stream', streamId: id(0), status: payload.readUInt32BE(4) };
    case KIND.ping:
      need(4);
      return { type: 'ping', id: payload.readUInt32BE(0) };
    case KIND.goaway:
      need(8);
      return { type: 'goaway', lastStreamId: id(0), status: payload.readUInt32BE(4) };
    case KIND['window-update']:
      need(8);
      return { type: 'window-update', streamId: id(0), delta: id(4) };
    case KIND.settings:
      return { type: 'settings', payload };
    default:
      return { type: 'other', kind, payload };
  }
}

export function encodeFrame(frame: Frame): Buffer {
  switch (frame.type) {
    case 'data': {
      const head = Buffer.alloc(HEAD_BYTES);
      head.writeUInt32BE(frame.streamId & 0x7fffffff, 0);
      head.writeUInt32BE(frame.data.length, 4);
      head[4] = frame.flags;
      return Buffer.concat([head, frame.data]);
    }
    case 'syn-stream':
      // No associated stream, priority 0.
      return control(KIND[frame.type], frame.flags, [words(frame.streamId, 0), Buffer.alloc(2), frame.block]);
    case 'syn-reply':
    case 'headers':
      return control(KIND[frame.type], frame.flags, [words(frame.streamId), frame.block]);
    case 'rst-stream':
      return control(KIND[frame.type], 0, [words(frame.streamId, frame.status)]);
    case 'ping':
      return control(KIND.ping, 0, [words(frame.id)]);
    case 'goaway':
      return control(KIND.goaway, 0, [words(frame.lastStreamId, frame.status)]);
    case 'window-update':
      return control(KIND[frame.type], 0, [words(frame.streamId, frame.delta)]);
    case 'settings':
      return control(KIND.settings, 0, [frame.payload]);
    case 'other':
      return control(frame.kind, 0, [frame.payload]);
  }
}

function words(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  for (const [index, value] of values.entries()) bytes.writeUInt32BE(value >>> 0, index * 4);
  return bytes;
}

function control(kind: number, flags: number, parts: readonly Buffer[]): Buffer {
  const payload = Buffer.concat(parts);
  const head = words(((0x8000 | VERSION) << 16) | kind, payload.length);
  head[4] = flags;
  return Buffer.concat([head, payload]);
}
