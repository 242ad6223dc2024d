// SPDX-License-Identifier: Apache-2.0
// A SPDY/3.1 connection over any byte stream, either side, as Kubernetes uses it: streams with headers, data, half-close, reset,
// ping. Like upstream's library it keeps no flow-control windows: WINDOW_UPDATE and SETTINGS are read and ignored, and a reader
// that does not read stops the whole connection.
import { Duplex } from 'node:stream';
import { encodeFrame, FLAG_FIN, type Frame, FrameParser } from './frames.ts';
import { HeaderCompressor, HeaderDecompressor, type SpdyHeaders } from './headers.ts';

export interface SpdyStream {
  readonly id: number;
  readonly headers: SpdyHeaders;
  /** Ending it half-closes, destroying it resets the stream. */
  readonly io: Duplex;
}

export interface SpdyOptions {
  readonly role: 'server' | 'client';
  /** A stream that the peer has opened; it has been answered. */
  onStream?(stream: SpdyStream): void;
}

interface Entry {
  readonly stream: SpdyStream;
  resume: (() => void) | undefined;
  remoteEnded: boolean;
  localEnded: boolean;
}

const STATUS_CANCEL = 5;
const MAX_DATA = 32 * 1024;

export class SpdyConnection {
  readonly #socket: Duplex;
  readonly #options: SpdyOptions;
  readonly #parser = new FrameParser();
  readonly #compressor = new HeaderCompressor();
  readonly #decompressor = new HeaderDecompressor();
  readonly #streams = new Map<number, Entry>();
  readonly #closed = Promise.withResolvers<void>();
  #sending: Promise<void> = Promise.resolve();
  #nextId: number;
  #lastPeerId = 0;

  constructor(socket: Duplex, options: SpdyOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#nextId = options.role === 'client' ? 1 : 2;
    socket.on('error', () => socket.destroy());
    void this.#read();
  }

  /** Resolves when the connection has ended, for whatever reason. */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  async open(headers: SpdyHeaders): Promise<SpdyStream> {
    const id = this.#nextId;
    this.#nextId += 2;
    const stream = this.#add(id, headers);
    await this.#enqueue(async () =>
      encodeFrame({ type: 'syn-stream', streamId: id, flags: 0, block: await this.#compressor.compress(headers) }),
    );
    return stream;
  }

  /** Lets what was written go out, then says goodbye and ends. */
  async close(): Promise<void> {
    await this.#enqueue(async () => encodeFrame({ type: 'goaway', lastStreamId: this.#lastPeerId, status: 0 })).catch(() => {});
    this.#socket.end();
    await this.closed;
  }

  destroy(): void {
    this.#socket.destroy();
  }

  async #read(): Promise<void> {
    try {
      for await (const chunk of this.#socket) for (const frame of this.#parser.push(chunk as Buffer)) await this.#handle(frame);
    } catch {
      // Broken bytes or a broken socket: either way it is over.
    } finally {
      this.#socket.destroy();
      for (const { stream } of this.#streams.values()) stream.io.destroy();
      this.#streams.clear();
      this.#compressor.close();
      this.#decompressor.close();
      this.#closed.resolve();
    }
  }

  async #handle(frame: Frame): Promise<void> {
    switch (frame.type) {
      case 'syn-stream':
        return this.#accept(frame);
      case 'syn-reply':
      case 'headers':
        await this.#decompressor.decompress(frame.block); // Only for the context: nobody reads these.
        if ((frame.flags & FLAG_FIN) !== 0) this.#remoteEnd(frame.streamId);
        return;
      case 'data':
        return this.#data(frame);
      case 'rst-stream':
        this.#streams.get(frame.streamId)?.stream.io.destroy();
        this.#streams.delete(frame.streamId);
        return;
      case 'ping':
        // Odd ones are the client's; what is ours comes back and needs no answer.
        if ((frame.id % 2 === 1) === (this.#options.role === 'server')) await this.#enqueue(async () => encodeFrame(frame));
        return;
      default:
        return;
    }
  }

  async #accept(frame: Extract<Frame, { type: 'syn-stream' }>): Promise<void> {
    const headers = await this.#decompressor.decompress(frame.block);
    this.#lastPeerId = frame.streamId;
    const stream = this.#add(frame.streamId, headers);
    await this.#enqueue(async () =>
      encodeFrame({ type: 'syn-reply', streamId: frame.streamId, flags: 0, block: await this.#compressor.compress({}) }),
    );
    if ((frame.flags & FLAG_FIN) !== 0) this.#remoteEnd(frame.streamId);
    this.#options.onStream?.(stream);
  }

  async #data(frame: Extract<Frame, { type: 'data' }>): Promise<void> {
    const entry = this.#streams.get(frame.streamId);
    if (entry === undefined || entry.remoteEnded) return;
    if (frame.data.length > 0 && !entry.stream.io.push(frame.data)) {
      await new Promise<void>((resolve) => {
        entry.resume = resolve;
      });
    }
    if ((frame.flags & FLAG_FIN) !== 0) this.#remoteEnd(frame.streamId);
  }

  #remoteEnd(id: number): void {
    const entry = this.#streams.get(id);
    if (entry === undefined || entry.remoteEnded) return;
    entry.remoteEnded = true;
    entry.stream.io.push(null);
    this.#forget(id, entry);
  }

  #forget(id: number, entry: Entry): void {
    if (entry.remoteEnded && entry.localEnded) this.#streams.delete(id);
  }

  #add(id: number, headers: SpdyHeaders): SpdyStream {
    const wake = () => {
      entry.resume?.();
      entry.resume = undefined;
    };
    const io = new Duplex({
      allowHalfOpen: true,
      read: wake,
      write: (chunk: Buffer, _encoding, done) => void this.#writeData(id, chunk).then(() => done(), done),
      final: (done) => {
        entry.localEnded = true;
        void this.#enqueue(async () => encodeFrame({ type: 'data', streamId: id, flags: FLAG_FIN, data: Buffer.alloc(0) })).then(
          () => done(),
          () => done(),
        );
        this.#forget(id, entry);
      },
      destroy: (_error, done) => {
        wake();
        if (this.#streams.delete(id) && !(entry.localEnded && entry.remoteEnded)) {
          void this.#enqueue(async () => encodeFrame({ type: 'rst-stream', streamId: id, status: STATUS_CANCEL })).catch(() => {});
        }
        done(null);
      },
    });
    io.on('error', () => {});
    const entry: Entry = { stream: { id, headers, io }, resume: undefined, remoteEnded: false, localEnded: false };
    this.#streams.set(id, entry);
    return entry.stream;
  }

  async #writeData(streamId: number, chunk: Buffer): Promise<void> {
    for (let at = 0; at < chunk.length; at += MAX_DATA) {
      const data = chunk.subarray(at, at + MAX_DATA);
      await this.#enqueue(async () => encodeFrame({ type: 'data', streamId, flags: 0, data }));
    }
  }

  /** Frames go out in the order of the calls, each whole, none before the socket took the last. */
  #enqueue(make: () => Promise<Buffer>): Promise<void> {
    const sent = this.#sending.then(async () => {
      if (this.#socket.destroyed || this.#socket.writableEnded) throw new Error('SPDY connection is closed');
      const bytes = await make();
      if (this.#socket.write(bytes)) return;
      await new Promise<void>((resolve) => {
        const go = () => {
          this.#socket.off('drain', go);
          this.#socket.off('close', go);
          resolve();
        };
        this.#socket.on('drain', go);
        this.#socket.on('close', go);
      });
    });
    this.#sending = sent.catch(() => {});
    return sent;
  }
}
