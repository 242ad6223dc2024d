// SPDX-License-Identifier: Apache-2.0
// The transport between processes: JSON over HTTP/2 with TLS. Connections are kept and replaced unseen (http2-pool.ts); what a
// server surely did not process is sent again, reads are also sent again after a broken connection, and 429 or 503 with
// `Retry-After` are waited out as client-go does. HTTP/1.1 servers and plain `http:` are refused.
import { readFileSync } from 'node:fs';
import type { ClientHttp2Stream, IncomingHttpHeaders } from 'node:http2';
import { type Clock, systemClock } from '#component';
import { errorOf } from './answer.ts';
import { TransportError } from './client.ts';
import { type ClientConfig, identityHeaders } from './client-config.ts';
import { Http2Pool, wasRefused } from './http2-pool.ts';
import { jsonLines } from './json-lines.ts';
import type { Transport, TransportAnswer, TransportRequest } from './transport.ts';

export interface HttpsTransportOptions {
  readonly clock?: Clock;
  /** Called with the text of each `Warning` header. */
  readonly onWarning?: (text: string) => void;
}

/** As client-go's: how often an overloaded server is asked again. */
const MOST_RETRIES = 10;
const TOKEN_LIFETIME_MS = 60_000;

interface Exchange {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array | undefined;
}

interface OpenAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly stream: ClientHttp2Stream;
}

export class HttpsTransport implements Transport, Disposable {
  readonly #config: ClientConfig;
  readonly #pool: Http2Pool;
  readonly #clock: Clock;
  readonly #onWarning: ((text: string) => void) | undefined;
  readonly #base: string;
  readonly #identity: Record<string, string | string[]>;
  #token: { text: string; readAt: number } | undefined;

  constructor(config: ClientConfig, { clock = systemClock, onWarning }: HttpsTransportOptions = {}) {
    const url = new URL(config.server);
    if (url.protocol !== 'https:') throw new RangeError(`connect to "${config.server}": only https: servers are supported`);
    this.#config = config;
    this.#pool = new Http2Pool(config);
    this.#clock = clock;
    this.#onWarning = onWarning;
    this.#base = url.pathname.replace(/\/$/, '');
    this.#identity = identityHeaders(config);
    this.#token = undefined;
  }

  async send(request: TransportRequest, signal: AbortSignal | undefined): Promise<TransportAnswer> {
    const answer = await this.#patiently(exchangeOf(request), signal);
    const body = await collect(answer.stream);
    return { status: answer.status, body: decode(answer.headers, body) };
  }

  async *stream(request: TransportRequest, signal: AbortSignal): AsyncGenerator<{ type: string; object: unknown }, void, void> {
    const answer = await this.#patiently(exchangeOf(request), signal);
    if (answer.status !== 200) throw errorOf(answer.status, decode(answer.headers, await collect(answer.stream)));
    try {
      yield* jsonLines(answer.stream) as AsyncGenerator<{ type: string; object: unknown }, void, void>;
    } catch (error) {
      throw failed(request, error, signal);
    } finally {
      answer.stream.destroy();
    }
  }

  async raw(
    request: { method: string; path: string; headers?: Readonly<Record<string, string>>; body?: Uint8Array | undefined },
    signal: AbortSignal | undefined,
  ): Promise<{ status: number; headers: Record<string, string>; body: Uint8Array }> {
    const { method, path, headers = {}, body } = request;
    const answer = await this.#patiently({ method, path, headers, body }, signal);
    return { status: answer.status, headers: flatten(answer.headers), body: await collect(answer.stream) };
  }

  /** New requests use new connections, with certificates read afresh. */
  renewConnections(): void {
    this.#token = undefined;
    this.#pool.renew();
  }

  [Symbol.dispose](): void {
    this.#pool.close();
  }

  async #patiently(exchange: Exchange, signal: AbortSignal | undefined): Promise<OpenAnswer> {
    for (let attempt = 0; ; attempt++) {
      const answer = await this.#reliably(exchange, signal);
      const wait = Number(answer.headers['retry-after']);
      const overloaded = answer.status === 429 || answer.status === 503;
      if (!overloaded || !(wait > 0) || attempt === MOST_RETRIES) return answer;
      answer.stream.destroy();
      await this.#clock.sleep(wait * 1000, signal);
    }
  }

  /** Sends again where the connection, not the server, was the trouble. */
  async #reliably(exchange: Exchange, signal: AbortSignal | undefined): Promise<OpenAnswer> {
    for (let attempt = 0; ; attempt++) {
      signal?.throwIfAborted();
      let stream: ClientHttp2Stream | undefined;
      let opened = false;
      try {
        stream = await this.#pool.open(this.#headers(exchange), { endStream: exchange.body === undefined, signal });
        opened = true;
        return await this.#answer(stream, exchange, signal);
      } catch (error) {
        const again = wasRefused(error, stream) || (opened && exchange.method === 'GET');
        if (signal?.aborted || attempt >= 2 || !again) throw failed(exchange, error, signal);
      }
    }
  }

  #headers({ method, path, headers }: Exchange): Record<string, string | string[]> {
    const token = this.#bearer();
    return {
      ':method': method,
      ':path': `${this.#base}${path}`,
      ...this.#identity,
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...headers,
    };
  }

  #bearer(): string | undefined {
    const { token, tokenFile } = this.#config;
    if (tokenFile === undefined) return token;
    const now = this.#clock.now();
    if (this.#token === undefined || now - this.#token.readAt > TOKEN_LIFETIME_MS) {
      this.#token = { text: readFileSync(tokenFile, 'utf8').trim(), readAt: now };
    }
    return this.#token.text;
  }

  #answer(stream: ClientHttp2Stream, { body }: Exchange, signal: AbortSignal | undefined): Promise<OpenAnswer> {
    return new Promise((resolve, reject) => {
      const abort = () => {
        stream.destroy();
        reject(signal?.reason);
      };
      if (signal?.aborted) abort();
      else signal?.addEventListener('abort', abort, { once: true });
      stream.once('close', () => {
        signal?.removeEventListener('abort', abort);
        reject(new Error('the connection was lost'));
      });
      stream.on('error', reject);
      stream.once('response', (headers) => {
        this.#warn(headers);
        resolve({ status: headers[':status'] ?? 0, headers, stream });
      });
      if (body !== undefined) stream.end(body);
    });
  }

  #warn(headers: IncomingHttpHeaders): void {
    if (this.#onWarning === undefined || headers['warning'] === undefined) return;
    for (const match of String(headers['warning']).matchAll(/\d{3} \S+ "((?:[^"\\]|\\.)*)"/g)) {
      this.#onWarning((match[1] ?? '').replace(/\\(.)/g, '$1'));
    }
  }
}

function exchangeOf({ method, path, query, contentType = 'application/json', body }: TransportRequest): Exchange {
  const search = query.size === 0 ? '' : `?${query}`;
  const headers: Record<string, string> = { accept: 'application/json' };
  if (body === undefined) return { method, path: `${path}${search}`, headers, body: undefined };
  headers['content-type'] = contentType;
  return { method, path: `${path}${search}`, headers, body: Buffer.from(JSON.stringify(body)) };
}

/**
 * The whole body of an answer. By events: an async iterator takes a stream that has been closed by the other side, with its last
 * bytes still to be read, for one that broke off.
 */
function collect(stream: ClientHttp2Stream): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const brokeOff = (cause?: Error) => reject(new TransportError('the answer broke off', { cause }));
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('error', brokeOff);
    stream.on('close', () => brokeOff());
    stream.on('end', () => {
      // A stream that was reset ends like one that is complete.
      if (stream.rstCode !== 0) brokeOff();
      else resolve(chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks));
    });
    if (stream.destroyed) brokeOff();
  });
}

function decode(headers: IncomingHttpHeaders, body: Buffer): unknown {
  const text = body.toString('utf8');
  if (!String(headers['content-type'] ?? '').includes('json')) return text;
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new TransportError('the answer is not the JSON it claims to be', { cause: error });
  }
}

function flatten(headers: IncomingHttpHeaders): Record<string, string> {
  const flat: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined && !name.startsWith(':')) flat[name] = Array.isArray(value) ? value.join(', ') : String(value);
  }
  return flat;
}

function failed(request: { method: string; path: string }, error: unknown, signal: AbortSignal | undefined): unknown {
  if (signal?.aborted) return signal.reason;
  if (error instanceof TransportError) return error;
  const why = error instanceof Error ? error.message : String(error);
  return new TransportError(`${request.method} ${request.path.split('?')[0]}: ${why}`, { cause: error });
}
