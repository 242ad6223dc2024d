// SPDX-License-Identifier: Apache-2.0
// OCI distribution v2, the pulling half: manifests and blobs with Bearer (token service) and Basic authentication. HTTPS except
// for loopback registries and those configured insecure. Errors carry the words containerd uses, which kubelets show in events.
// Does not push, search, or resume blobs. Bytes are verified by the caller's digest stream, see `verify.ts`.
import type { Readable } from 'node:stream';
import type { EnvHttpProxyAgent } from 'undici';
import { parseChallenge } from './challenge.ts';
import { MANIFEST_TYPES } from './manifest.ts';
import { type ImageReference, repositoryOf } from './reference.ts';
import { digestOf } from './verify.ts';

export interface Credentials {
  readonly username: string;
  readonly password: string;
}

/** Thrown when a registry cannot or will not give what was asked. */
export class RegistryError extends Error {
  readonly status: number | undefined;

  constructor(message: string, status?: number, options?: ErrorOptions) {
    super(message, options);
    this.name = 'RegistryError';
    this.status = status;
  }
}

export interface RegistryOptions {
  /** Hosts, with port, spoken to over plain HTTP. Loopback hosts always are. */
  readonly insecureRegistries?: readonly string[] | undefined;
}

export interface FetchedManifest {
  readonly bytes: Buffer;
  readonly digest: string;
}

interface Answer {
  readonly statusCode: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly body: Readable & { bytes(): Promise<Uint8Array>; dump(): Promise<void> };
}

const LIMIT_BYTES = 8 << 20;
const REDIRECTS = 5;

/** Talks to the registry of one reference, with one set of credentials. Not shared between pulls: tokens are scoped. */
export class Repository {
  readonly #base: string;
  readonly #reference: ImageReference;
  readonly #credentials: Credentials | undefined;
  #agent: EnvHttpProxyAgent | undefined;
  #authorization: string | undefined;

  constructor(reference: ImageReference, credentials: Credentials | undefined, options: RegistryOptions = {}) {
    const host = reference.domain === 'docker.io' ? 'registry-1.docker.io' : reference.domain;
    const plain = isLoopback(host) || (options.insecureRegistries ?? []).includes(reference.domain);
    this.#base = `${plain ? 'http' : 'https'}://${host}/v2/${reference.path}`;
    this.#reference = reference;
    this.#credentials = credentials;
  }

  /** By tag or digest; the bytes are checked against the digest where one is known. @throws {RegistryError} */
  async manifest(tagOrDigest: string, signal: AbortSignal): Promise<FetchedManifest> {
    const answer = await this.#get(`${this.#base}/manifests/${tagOrDigest}`, { accept: MANIFEST_TYPES.join(', ') }, signal);
    const bytes = await collect(answer.body);
    const digest = digestOf(bytes);
    const wanted = tagOrDigest.includes(':') ? tagOrDigest : undefined;
    if (wanted !== undefined && wanted !== digest)
      throw new RegistryError(`failed to resolve reference "${this.#name()}": manifest digest mismatch: expected ${wanted}, got ${digest}`);
    return { bytes, digest };
  }

  /** The bytes of a blob, unverified. @throws {RegistryError} */
  async blob(digest: string, signal: AbortSignal): Promise<Readable> {
    const answer = await this.#get(`${this.#base}/blobs/${digest}`, {}, signal);
    return answer.body;
  }

  close(): Promise<void> {
    return this.#agent?.close() ?? Promise.resolve();
  }

  #name(): string {
    const { tag, digest } = this.#reference;
    return `${repositoryOf(this.#reference)}${tag === undefined ? '' : `:${tag}`}${digest === undefined ? '' : `@${digest}`}`;
  }

  async #get(url: string, headers: Record<string, string>, signal: AbortSignal): Promise<Answer> {
    let answer = await this.#send(url, headers, signal);
    if (answer.statusCode === 401) {
      await answer.body.dump();
      this.#authorization = await this.#authorize(first(answer.headers['www-authenticate']), signal);
      answer = await this.#send(url, headers, signal);
    }
    if (answer.statusCode === 200) return answer;
    const body = await collect(answer.body).catch(() => Buffer.alloc(0));
    throw this.#refusal(url, answer.statusCode, body);
  }

  /** Follows redirects itself: the Authorization header must not go to another origin. */
  async #send(url: string, headers: Record<string, string>, signal: AbortSignal): Promise<Answer> {
    let target = url;
    for (let hop = 0; hop <= REDIRECTS; hop++) {
      const own = new URL(target).origin === new URL(url).origin && this.#authorization !== undefined;
      const answer = await this.#request(target, own ? { ...headers, authorization: this.#authorization ?? '' } : headers, signal);
      const location = first(answer.headers['location']);
      if (answer.statusCode < 300 || answer.statusCode >= 400 || location === undefined) return answer;
      await answer.body.dump();
      target = new URL(location, target).href;
    }
    throw new RegistryError(`failed to do request: Get "${url}": stopped after ${REDIRECTS} redirects`);
  }

  async #request(url: string, headers: Record<string, string>, signal: AbortSignal): Promise<Answer> {
    try {
      // On first need: the library takes over 10 MB, which nodes that never pull should not pay.
      const { EnvHttpProxyAgent, request } = await import('./http-client.ts');
      this.#agent ??= new EnvHttpProxyAgent();
      return (await request(url, { headers, signal, dispatcher: this.#agent })) as unknown as Answer;
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      throw new RegistryError(
        `failed to pull and unpack image "${this.#name()}": failed to resolve reference "${this.#name()}": failed to do request: ` +
          `Get "${url}": ${describe(error)}`,
        undefined,
        { cause: error },
      );
    }
  }

  async #authorize(header: string | undefined, signal: AbortSignal): Promise<string> {
    const challenge = parseChallenge(header ?? '');
    if (challenge?.scheme === 'basic' && this.#credentials !== undefined) return basic(this.#credentials);
    if (challenge?.scheme !== 'bearer') throw this.#denied(401);
    const realm = challenge.parameters['realm'];
    if (realm === undefined || !URL.canParse(realm)) throw this.#denied(401);
    const url = new URL(realm);
    if (challenge.parameters['service'] !== undefined) url.searchParams.set('service', challenge.parameters['service']);
    url.searchParams.set('scope', challenge.parameters['scope'] ?? `repository:${this.#reference.path}:pull`);
    const headers: Record<string, string> = this.#credentials === undefined ? {} : { authorization: basic(this.#credentials) };
    const answer = await this.#request(url.href, headers, signal);
    const body = await collect(answer.body);
    if (answer.statusCode !== 200) throw this.#denied(answer.statusCode);
    const token = JSON.parse(body.toString('utf8')) as { token?: string; access_token?: string };
    return `Bearer ${token.token ?? token.access_token ?? ''}`;
  }

  #denied(status: number): RegistryError {
    const what = status === 401 ? '401 Unauthorized' : status === 403 ? '403 Forbidden' : String(status);
    return new RegistryError(
      `failed to pull and unpack image "${this.#name()}": failed to resolve reference "${this.#name()}": ` +
        `failed to authorize: failed to fetch anonymous token: unexpected status from GET request: ${what}`,
      status,
    );
  }

  #refusal(url: string, status: number, body: Buffer): RegistryError {
    const prefix = `failed to pull and unpack image "${this.#name()}": failed to resolve reference "${this.#name()}"`;
    if (status === 404) return new RegistryError(`${prefix}: ${this.#name()}: not found`, status);
    if (status === 401 || status === 403) {
      const hint =
        'pull access denied, repository does not exist or may require authorization: authorization failed: no basic auth credentials';
      return new RegistryError(`${prefix}: ${hint}`, status);
    }
    const detail = registryMessage(body);
    return new RegistryError(
      `${prefix}: unexpected status from GET request to ${url}: ${status}${detail === '' ? '' : `: ${detail}`}`,
      status,
    );
  }
}

function registryMessage(body: Buffer): string {
  try {
    const value = JSON.parse(body.toString('utf8')) as { errors?: { code?: string; message?: string }[] };
    return (value.errors ?? []).map((error) => `${error.code ?? ''}: ${error.message ?? ''}`).join(', ');
  } catch {
    return '';
  }
}

/** Go's words for the usual network failures. */
function describe(error: unknown): string {
  const { code, address, port, hostname } = (error instanceof Error ? error : {}) as {
    code?: string;
    address?: string;
    port?: number;
    hostname?: string;
  };
  if (code === 'ECONNREFUSED') return `dial tcp ${address ?? ''}:${port ?? ''}: connect: connection refused`;
  if (code === 'ENOTFOUND') return `dial tcp: lookup ${hostname ?? ''}: no such host`;
  if (code === 'EAI_AGAIN') return `dial tcp: lookup ${hostname ?? ''}: Temporary failure in name resolution`;
  if (code === 'UND_ERR_CONNECT_TIMEOUT') return 'dial tcp: i/o timeout';
  return error instanceof Error ? error.message : String(error);
}

function basic(credentials: Credentials): string {
  return `Basic ${Buffer.from(`${credentials.username}:${credentials.password}`).toString('base64')}`;
}

function first(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}

function isLoopback(host: string): boolean {
  const name = host.startsWith('[') ? host.slice(1, host.indexOf(']')) : host.replace(/:\d+$/, '');
  return name === 'localhost' || name === '::1' || /^127\.\d+\.\d+\.\d+$/.test(name);
}

/** Documents are small; a registry that sends more is refused. */
async function collect(body: AsyncIterable<unknown>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    const bytes = chunk as Buffer;
    size += bytes.length;
    if (size > LIMIT_BYTES) throw new RegistryError(`document exceeds ${LIMIT_BYTES} bytes`);
    chunks.push(bytes);
  }
  return Buffer.concat(chunks);
}
