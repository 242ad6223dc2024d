// SPDX-License-Identifier: Apache-2.0
// One webhook's client: JSON out, JSON back, over HTTPS connections kept open between calls and given up when nobody calls.
// @source upstream apiserver pkg/util/webhook/client.go; texts as Go's and client-go's
import type { TLSSocket } from 'node:tls';
import type { buildConnector, Pool } from 'undici';
import type { NetworkAddress, ServiceResolver } from '../proxying/service-resolver.ts';
import { answerFailure, parseAnswer } from './answer.ts';
import { connectionFailure, WebhookCallError } from './failure.ts';
import type { WebhookTarget } from './target.ts';

export interface WebhookClientDeps {
  /** Needed by targets that name a Service. */
  readonly resolver: ServiceResolver;
}

export interface PostOptions {
  /** The whole call: connecting, waiting, reading. Milliseconds. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  readonly query?: Readonly<Record<string, string>> | undefined;
}

export interface WebhookClient extends AsyncDisposable {
  /** What is called, without query. */
  readonly url: string;
  /** @returns The parsed answer. @throws {WebhookCallError} If there is none, it is no success or no JSON; `signal.reason` if aborted. */
  post(body: unknown, options: PostOptions): Promise<unknown>;
}

/** Answers larger than this are given up: nobody has a use for them, and they would fill the memory. */
const MAX_ANSWER_BYTES = 16 * 1024 * 1024;
const MAX_CONNECTIONS = 64;
/** Connections nobody uses are closed after this. @source upstream's IdleConnTimeout: 90 s */
const IDLE_MS = 90_000;

/**
 * Makes nothing but the object: the first call makes the pool, and loads what it is made of, which most servers never need.
 *
 * @throws {RangeError} If the target is no HTTPS URL, or its authority no PEM.
 */
export function createWebhookClient(target: WebhookTarget, deps: WebhookClientDeps): WebhookClient {
  const url = urlOf(target);
  const authority = authorityOf(target);
  let pool: Promise<Pool> | undefined;
  const poolNow = () => {
    pool ??= openPool(target, url, authority, deps.resolver);
    return pool;
  };
  const shown = shownUrl(target, url);
  return {
    url: shown,
    post: async (body, options) => post({ pool: await poolNow(), url, shown, target }, body, options),
    [Symbol.asyncDispose]: async () => (await pool)?.close(),
  };
}

function urlOf({ url, service }: WebhookTarget): URL {
  if (service !== undefined) {
    const { namespace, name, port = 443, path = '' } = service;
    return new URL(`https://${name}.${namespace}.svc:${port}${path.startsWith('/') ? '' : '/'}${path}`);
  }
  const parsed = url === undefined ? null : URL.parse(url);
  if (parsed === null || parsed.protocol !== 'https:') throw new RangeError(`make a webhook client: "${url}" is no https URL`);
  return parsed;
}

/** As written: `URL` drops the default port and adds a path. */
function shownUrl({ url, service }: WebhookTarget, parsed: URL): string {
  if (service === undefined) return url ?? parsed.href;
  return `https://${parsed.hostname}:${service.port ?? 443}${service.path ? parsed.pathname : ''}`;
}

/** PEM of who signs the webhook's certificate; undefined: the system's roots. */
function authorityOf({ ca, caBundle }: WebhookTarget): string | undefined {
  const authority = ca ?? (caBundle ? Buffer.from(caBundle, 'base64').toString() : undefined);
  if (authority !== undefined && !authority.includes('-----BEGIN CERTIFICATE-----'))
    throw new RangeError('unable to load root certificates: unable to parse bytes as PEM block');
  return authority;
}

async function openPool(target: WebhookTarget, url: URL, authority: string | undefined, resolver: ServiceResolver): Promise<Pool> {
  const { buildConnector: build, Pool: HttpPool } = await import('../http-client.ts');
  const { certificate, insecureSkipTlsVerify } = target;
  const connect = build({
    ...(authority === undefined ? {} : { ca: authority }),
    ...certificate,
    ...(insecureSkipTlsVerify ? { rejectUnauthorized: false } : {}),
    timeout: 30_000,
    allowH2: false,
  });
  return new HttpPool(url.origin, {
    connect: dialerOf(target, url, resolver, connect),
    connections: MAX_CONNECTIONS,
    keepAliveTimeout: 30_000,
    keepAliveMaxTimeout: IDLE_MS,
    headersTimeout: 0,
    bodyTimeout: 0,
    maxResponseSize: MAX_ANSWER_BYTES,
    allowH2: false,
  });
}

type Connector = buildConnector.connector;

/** Dials the Service's endpoint where there is one; the name to verify stays the Service's. */
function dialerOf({ serverName, service }: WebhookTarget, url: URL, resolver: ServiceResolver, connect: Connector): Connector {
  const name = serverName ?? (service === undefined ? undefined : url.hostname);
  return (options, done) => {
    let dialled: NetworkAddress;
    try {
      dialled = service === undefined ? addressOf(url) : resolver.resolve({ ...service, port: service.port ?? 443 });
    } catch (error) {
      done(asError(error), null);
      return;
    }
    const { host, port } = dialled;
    const withName = name === undefined ? {} : { servername: name };
    connect({ ...options, hostname: host, host: host, port: String(port), ...withName }, (...[error, socket]) => {
      if (error === null) done(null, socket as TLSSocket);
      else done(new WebhookCallError(connectionFailure(error, host, port), { cause: error }), null);
    });
  };
}

function addressOf(url: URL): NetworkAddress {
  return { host: url.hostname.replace(/^\[|\]$/g, ''), port: url.port === '' ? 443 : Number(url.port) };
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

interface Call {
  readonly pool: Pool;
  readonly url: URL;
  readonly shown: string;
  readonly target: WebhookTarget;
}

async function post({ pool, url, shown, target }: Call, body: unknown, options: PostOptions): Promise<unknown> {
  const query = new URLSearchParams(options.query).toString();
  const path = `${url.pathname}${query === '' ? url.search : `?${query}`}`;
  const deadline = AbortSignal.timeout(options.timeoutMs);
  const signal = options.signal === undefined ? deadline : AbortSignal.any([options.signal, deadline]);
  const token = target.token?.();
  let status: number;
  let text: string;
  let contentType: string;
  try {
    const answer = await pool.request({
      method: 'POST',
      path,
      signal,
      headers: {
        accept: 'application/json, */*',
        'content-type': 'application/json',
        'user-agent': 'kube-apiserver-admission',
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
      body: JSON.stringify(body),
    });
    status = answer.statusCode;
    contentType = [answer.headers['content-type'] ?? ''].flat()[0] ?? '';
    text = await answer.body.text();
  } catch (error) {
    if (options.signal?.aborted) throw options.signal.reason;
    const why = deadline.aborted ? 'context deadline exceeded' : failureText(error, url);
    throw new WebhookCallError(`Post "${shown}${query === '' ? '' : `?${query}`}": ${why}`, { cause: error });
  }
  if (status < 200 || status > 299) throw new WebhookCallError(answerFailure(status, text, contentType), { status });
  try {
    return parseAnswer(text, status, contentType);
  } catch (error) {
    throw new WebhookCallError(asError(error).message, { status, cause: error });
  }
}

function failureText(error: unknown, url: URL): string {
  if (error instanceof WebhookCallError) return error.message;
  const { host, port } = addressOf(url);
  return connectionFailure(error, host, port);
}
