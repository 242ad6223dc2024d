// SPDX-License-Identifier: Apache-2.0
// The wire: one TLS port that speaks HTTP/2 (its `stream` API, for speed) and HTTP/1.1 (for upgrades and old clients). It makes
// an `IncomingRequest` of what arrives and writes the `ApiResult` back; it knows nothing of Kubernetes but the result forms.
import { createServer as createHttp1Server, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import { performServerHandshake, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import type { Duplex, Readable } from 'node:stream';
import { createServer as createTlsServer, type SecureContextOptions, type TLSSocket } from 'node:tls';
import type { Logger } from '#component';
import { requestEntityTooLarge } from '#machinery';
import type { UserInfo } from '../auth/user.ts';
import type { IncomingRequest } from '../request/context.ts';
import { AnswerWriter } from './answer-writer.ts';

export interface HttpServerOptions {
  readonly certificate: SecureContextOptions;
  /** Asks for client certificates signed by one of these; others are as if absent. */
  readonly clientCa: string | undefined;
  readonly identify: (socket: TLSSocket) => UserInfo | undefined;
  /** Answers a request through the writer; never throws. */
  readonly handle: (request: IncomingRequest, writer: AnswerWriter) => void;
  readonly logger: Logger;
  /** Part of the requests after which an HTTP/2 client is asked to connect anew, so that load spreads over servers. @default 0 */
  readonly goawayChance?: number;
  /** @default Math.random */
  readonly random?: () => number;
}

/** Bytes of a request's headers. @source Go's DefaultMaxHeaderBytes: 1 MiB */
const MAX_HEADER_BYTES = 1024 * 1024;
/** @source upstream's http2 defaults: 250 streams; ours is higher since agents keep hundreds of watches on one connection. */
const MAX_STREAMS = 1000;
const MAX_HEADER_PAIRS = 1000;
const STREAM_WINDOW_BYTES = 1024 * 1024;
const CONNECTION_WINDOW_BYTES = 16 * 1024 * 1024;

export class HttpServer implements AsyncDisposable {
  readonly #options: HttpServerOptions;
  readonly #tls;
  readonly #http1;
  readonly #sessions = new Set<ServerHttp2Session>();
  readonly #sockets = new Set<TLSSocket>();
  #handshakeErrors = 0;
  readonly #users = new WeakMap<TLSSocket, { readonly user: UserInfo | undefined }>();

  constructor(options: HttpServerOptions) {
    this.#options = options;
    this.#http1 = createHttp1Server({ keepAliveTimeout: 90_000, maxHeaderSize: MAX_HEADER_BYTES }, (request, response) =>
      this.#onHttp1(request, response),
    );
    this.#http1.on('upgrade', (request, socket, head) => this.#onUpgrade(request, socket, head));
    this.#tls = createTlsServer({
      ...options.certificate,
      ALPNProtocols: ['h2', 'http/1.1'],
      ...(options.clientCa === undefined ? {} : { ca: options.clientCa, requestCert: true, rejectUnauthorized: false }),
    });
    this.#tls.on('secureConnection', (socket) => this.#onConnection(socket));
    this.#tls.on('tlsClientError', (error) => {
      this.#handshakeErrors += 1;
      options.logger.debug({ error: error.message }, 'TLS handshake failed');
    });
  }

  /** TLS handshakes that failed so far. */
  get handshakeErrors(): number {
    return this.#handshakeErrors;
  }

  /** @throws The listen error (EADDRINUSE, EACCES). */
  async listen(port: number, address: string): Promise<AddressInfo> {
    await new Promise<void>((resolve, reject) => {
      this.#tls.once('error', reject);
      this.#tls.listen(port, address, () => {
        this.#tls.off('error', reject);
        resolve();
      });
    });
    return this.#tls.address() as AddressInfo;
  }

  /** Serves new connections under another certificate from now on. */
  renew(certificate: SecureContextOptions): void {
    this.#tls.setSecureContext({ ...certificate, ...(this.#options.clientCa === undefined ? {} : { ca: this.#options.clientCa }) });
  }

  /** Refuses new connections, asks HTTP/2 clients to go (GOAWAY); what runs may finish until `deadline` aborts. */
  async drain(deadline: AbortSignal): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#tls.close(() => resolve()));
    this.#http1.closeIdleConnections();
    for (const session of this.#sessions) session.close();
    const destroy = () => {
      for (const socket of this.#sockets) socket.destroy();
    };
    if (deadline.aborted) destroy();
    else deadline.addEventListener('abort', destroy, { once: true });
    await closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.drain(AbortSignal.abort());
  }

  #onConnection(socket: TLSSocket): void {
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('error', ignore); // A reset by the client: its requests see the close.
    socket.setNoDelay(true);
    if (socket.alpnProtocol !== 'h2') {
      this.#http1.emit('connection', socket);
      return;
    }
    const session = performServerHandshake(socket, {
      maxSessionMemory: 1000,
      maxHeaderListPairs: MAX_HEADER_PAIRS,
      settings: { maxConcurrentStreams: MAX_STREAMS, initialWindowSize: STREAM_WINDOW_BYTES, maxHeaderListSize: MAX_HEADER_BYTES },
    } as Parameters<typeof performServerHandshake>[1]);
    session.setLocalWindowSize?.(CONNECTION_WINDOW_BYTES);
    this.#sessions.add(session);
    session.on('close', () => this.#sessions.delete(session));
    session.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'ECONNRESET') this.#options.logger.warn({ code: error.code, error: error.message }, 'HTTP/2 connection failed');
      socket.destroy();
    });
    const { goawayChance = 0, random = Math.random } = this.#options;
    session.on('stream', (stream, headers, _flags, raw) => {
      if (goawayChance > 0 && random() < goawayChance) session.close(); // GOAWAY; this request is still answered.
      this.#onStream(stream, { headers, raw }, socket);
    });
  }

  #userOf(socket: TLSSocket): UserInfo | undefined {
    let known = this.#users.get(socket);
    if (known === undefined) {
      known = { user: this.#options.identify(socket) };
      this.#users.set(socket, known);
    }
    return known.user;
  }

  #onStream(stream: ServerHttp2Stream, { headers, raw }: ReceivedHeaders, socket: TLSSocket): void {
    stream.on('error', ignore); // The client reset the stream; `close` follows.
    const writer = AnswerWriter.forStream(stream);
    const request = new WireRequest(String(headers[':path']), headers, {
      method: String(headers[':method']),
      source: stream,
      isStream: true,
      rawHeaders: raw,
      user: this.#userOf(socket),
      socket,
    });
    this.#options.handle(request, writer);
  }

  #onHttp1(message: IncomingMessage, response: ServerResponse): void {
    const socket = message.socket as TLSSocket;
    const request = new WireRequest(message.url ?? '/', message.headers, {
      method: message.method ?? 'GET',
      rawHeaders: message.rawHeaders,
      source: message,
      goAway: () => {
        response.shouldKeepAlive = false;
      },
      user: this.#userOf(socket),
      socket,
    });
    response.on('error', ignore);
    this.#options.handle(request, AnswerWriter.forResponse(response));
  }

  #onUpgrade(message: IncomingMessage, socket: Duplex, head: Buffer): void {
    const tls = message.socket as TLSSocket;
    const request = new WireRequest(message.url ?? '/', message.headers, {
      method: message.method ?? 'GET',
      rawHeaders: message.rawHeaders,
      source: tls,
      user: this.#userOf(tls),
      socket: tls,
      upgrade: { socket, head },
    });
    this.#options.handle(request, AnswerWriter.forUpgrade(socket));
  }
}

function ignore(): void {}

/** A request off the wire. What most requests never look at is made on first ask. */
class WireRequest implements IncomingRequest {
  readonly method: string;
  readonly path: string;
  readonly search: string;
  readonly headers: IncomingHttpHeaders;
  readonly connectionUser: UserInfo | undefined;
  readonly upgrade?: NonNullable<IncomingRequest['upgrade']>;
  readonly rawHeaders: readonly string[];
  readonly #source: Readable;
  readonly #socket: TLSSocket;
  readonly #goAway: (() => void) | undefined;
  readonly #isStream: boolean;
  #controller: AbortController | undefined;

  constructor(target: string, headers: IncomingHttpHeaders, from: Origin) {
    const question = target.indexOf('?');
    this.method = from.method;
    this.path = question < 0 ? target : target.slice(0, question);
    this.search = question < 0 ? '' : target.slice(question + 1);
    this.headers = headers;
    this.connectionUser = from.user;
    this.rawHeaders = from.rawHeaders;
    this.#source = from.source;
    this.#socket = from.socket;
    this.#goAway = from.goAway;
    this.#isStream = from.isStream === true;
    this.#controller = undefined;
    if (from.upgrade !== undefined) this.upgrade = from.upgrade;
  }

  get remoteAddress(): string {
    return this.#socket.remoteAddress ?? '';
  }

  openBody(): Readable {
    return this.#source;
  }

  readBody(limitBytes: number): Promise<Uint8Array> {
    return readAll(this.#source, limitBytes, this.#isStream ? lengthOf(this.headers) : undefined);
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      const controller = new AbortController();
      // A stream and a message close with their connection: nothing has to hang on the socket, which may carry thousands.
      this.#source.on('close', () => controller.abort());
      if (this.#socket.destroyed) controller.abort();
      this.#controller = controller;
    }
    return this.#controller.signal;
  }

  cancel(): void {
    void this.signal; // Whoever asks for it later finds it aborted.
    this.#controller?.abort();
  }

  goAway(): void {
    if (this.#isStream) (this.#source as ServerHttp2Stream).session?.close();
    else this.#goAway?.();
  }
}

interface ReceivedHeaders {
  readonly headers: IncomingHttpHeaders;
  readonly raw: readonly string[];
}

/** What a request came by. */
interface Origin {
  readonly method: string;
  /** Names and values in turn. */
  readonly rawHeaders: readonly string[];
  readonly source: Readable;
  /** Whether `source` is a stream of HTTP/2: the answer goes out by it as well. */
  readonly isStream?: true;
  /** On HTTP/1.1: this connection serves no other request. */
  readonly goAway?: () => void;
  readonly user: UserInfo | undefined;
  readonly socket: TLSSocket;
  readonly upgrade?: NonNullable<IncomingRequest['upgrade']>;
}

/** What `content-length` says of a body; undefined if it says nothing. */
function lengthOf(headers: IncomingHttpHeaders): number | undefined {
  const length = Number(headers['content-length']);
  return length > 0 ? length : undefined;
}

/**
 * Reads by events: less is made per body than by an async iterator.
 *
 * @param length Of a body on an HTTP/2 stream, where it is known: the body is whole without waiting for the end of the stream.
 */
function readAll(source: Readable, limitBytes: number, length?: number): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    let whole = source.readableEnded;
    const finish = () => {
      whole = true;
      resolve(chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks));
    };
    const gone = () => {
      if (!whole) reject(new Error('read the body of a request: the client went away'));
    };
    source.on('data', (chunk: Buffer) => {
      if (whole) return;
      size += chunk.length;
      if (size > limitBytes) return reject(requestEntityTooLarge(`limit is ${limitBytes}`)); // What follows is let go unread.
      chunks.push(chunk);
      if (size !== length) return;
      finish();
      holdEnd(source as Duplex, chunk);
    });
    source.on('end', () => (length === undefined || size >= length ? finish() : gone()));
    source.on('error', reject);
    source.on('close', gone);
    if (whole) resolve(Buffer.alloc(0));
    else if (source.destroyed) gone();
  });
}

/**
 * Puts off the end of a stream that was read until its answer is out. Node destroys a stream whose end was read as soon as the last
 * frame of its answer is made, before the callback of that write, which costs an error with its stack each time: 7 % of a create's
 * time. What holds the end back is a byte that is still to be read.
 */
function holdEnd(stream: Duplex, last: Buffer): void {
  if (stream.writableEnded) return; // Answered before the body came: nothing would let go.
  stream.pause();
  stream.unshift(last.subarray(0, 1));
  stream.once('finish', () => stream.resume());
}
