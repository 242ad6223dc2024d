// SPDX-License-Identifier: Apache-2.0
// The HTTP/2 connections of one client. Normally one; another only when the first carries as many streams as the server
// allows (each watch is a stream). Replaces a connection that failed, was told to go away, or no longer answers a ping.
import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants, type OutgoingHttpHeaders } from 'node:http2';
import { systemClock } from '#component';
import { type ClientConfig, readTls } from './client-config.ts';

/** Room for a large list or many watches in flight; the protocol's 64 KiB default halts every big answer. */
const STREAM_WINDOW_BYTES = 8 * 1024 * 1024;
const CONNECTION_WINDOW_BYTES = 64 * 1024 * 1024;
/** As client-go: a connection silent for 30 s is pinged, and dropped without an answer in 15 s. */
const SILENCE_MS = 30_000;
const PING_TIMEOUT_MS = 15_000;
const CONNECT_TIMEOUT_MS = 30_000;
/** Below what servers announce (Go's: 250), as some room must stay for short requests. */
const MOST_STREAMS = 200;

interface Connection {
  readonly session: ClientHttp2Session;
  readonly ready: Promise<void>;
  streams: number;
  usable: boolean;
}

export class Http2Pool {
  readonly #config: ClientConfig;
  #connections: Connection[] = [];

  constructor(config: ClientConfig) {
    this.#config = config;
  }

  /** Opens a stream on a live connection. @throws The connection's error if none can be made. */
  async open(
    headers: OutgoingHttpHeaders,
    { endStream, signal }: { endStream: boolean; signal: AbortSignal | undefined },
  ): Promise<ClientHttp2Stream> {
    const connection = this.#pick() ?? this.#connect();
    connection.streams += 1;
    connection.session.ref();
    let stream: ClientHttp2Stream;
    try {
      await orAborted(connection.ready, signal);
      stream = connection.session.request(headers, { endStream });
    } catch (error) {
      this.#released(connection);
      throw error;
    }
    stream.once('close', () => this.#released(connection));
    return stream;
  }

  /** Lets running requests finish on the connections there are and makes new ones for those to come: after a certificate was renewed. */
  renew(): void {
    for (const connection of this.#connections) this.#retire(connection);
  }

  /** Ends everything at once. */
  close(): void {
    const connections = this.#connections;
    this.#connections = [];
    for (const { session } of connections) session.destroy();
  }

  #pick(): Connection | undefined {
    return this.#connections.find(({ usable, streams, session }) => {
      if (!usable || session.closed || session.destroyed) return false;
      const limit = session.connecting ? MOST_STREAMS : (session.remoteSettings?.maxConcurrentStreams ?? MOST_STREAMS);
      return streams < Math.min(limit, MOST_STREAMS);
    });
  }

  #connect(): Connection {
    const url = new URL(this.#config.server);
    const session = connect(url.origin, {
      ...readTls(this.#config),
      settings: { initialWindowSize: STREAM_WINDOW_BYTES, enablePush: false },
    });
    const connection: Connection = { session, ready: connected(session), streams: 0, usable: true };
    connection.ready.catch(() => undefined); // Whoever opened a stream sees it.
    this.#connections.push(connection);
    session.once('connect', () => session.setLocalWindowSize(CONNECTION_WINDOW_BYTES));
    session.on('error', () => this.#drop(connection));
    session.once('goaway', () => this.#retire(connection));
    session.once('close', () => this.#drop(connection));
    session.setTimeout(SILENCE_MS);
    session.on('timeout', () => this.#probe(connection));
    return connection;
  }

  #probe({ session, streams }: Connection): void {
    if (session.destroyed || session.connecting) return;
    if (streams === 0) return; // Nobody waits: a dead peer shows with the next request.
    const late = () => session.destroy(new Error('the server did not answer a ping in time'));
    const deadline = systemClock.after(PING_TIMEOUT_MS, late);
    const sent = session.ping(() => deadline[Symbol.dispose]());
    if (!sent) deadline[Symbol.dispose]();
  }

  #released(connection: Connection): void {
    connection.streams -= 1;
    if (connection.streams === 0 && !connection.session.destroyed) connection.session.unref();
  }

  #retire(connection: Connection): void {
    connection.usable = false;
    this.#connections = this.#connections.filter((other) => other !== connection);
    if (!connection.session.closed) connection.session.close();
  }

  #drop(connection: Connection): void {
    connection.usable = false;
    this.#connections = this.#connections.filter((other) => other !== connection);
  }
}

function connected(session: ClientHttp2Session): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = systemClock.after(CONNECT_TIMEOUT_MS, () => session.destroy(new Error('connecting took too long')));
    const settle = (finish: () => void) => () => {
      timer[Symbol.dispose]();
      finish();
    };
    session.once('connect', settle(resolve));
    session.once('error', (error) => settle(() => reject(error))());
    session.once(
      'close',
      settle(() => reject(new Error('the connection was closed before it was made'))),
    );
  });
}

/** Whether a failed stream was surely not processed, so that any request may be sent again. */
export function wasRefused(error: unknown, stream: ClientHttp2Stream | undefined): boolean {
  const code = (error as { code?: string } | undefined)?.code;
  if (code === 'ERR_HTTP2_GOAWAY_SESSION' || code === 'ERR_HTTP2_INVALID_SESSION') return true;
  return stream !== undefined && stream.rstCode === constants.NGHTTP2_REFUSED_STREAM;
}

function orAborted(promise: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  if (signal === undefined) return promise;
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
