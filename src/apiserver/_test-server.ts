// SPDX-License-Identifier: Apache-2.0
// An API server inside a test: memory store, certificates of its own, a port of the system's choosing on loopback that the tests
// here do not use. Requests go through the whole filter chain, and answers are encoded as they would be on the wire.
import { generateKeyPairSync } from 'node:crypto';
import { Writable } from 'node:stream';
import type { Client } from '#client';
import { createLogger, systemClock } from '#component';
import { createAuthority, createCertificate } from '#component/pki';
import { ApiError, internalError } from '#machinery';
import { MemoryStore } from '#store';
import { MASTERS_GROUP, type UserInfo } from './auth/user.ts';
import { statusResult } from './filters/error-boundary.ts';
import { answer } from './http/answer.ts';
import { AnswerWriter } from './http/answer-writer.ts';
import { ApiServer } from './server.ts';
import type { ApiServerOptions } from './server-options.ts';

export const ADMIN: UserInfo = { name: 'admin', uid: '', groups: [MASTERS_GROUP, 'system:authenticated'], extra: {} };

export interface TestRequest {
  readonly query?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** An object is sent as JSON, text and bytes as they are. */
  readonly body?: unknown;
  /** Undefined: anonymous. @default the admin */
  readonly user?: UserInfo | undefined;
}

export interface TestAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  readonly text: string;
  readonly bytes: Buffer;
  // biome-ignore lint/suspicious/noExplicitAny: answers of every kind, looked into by tests.
  readonly body: any;
}

export interface TestServer extends AsyncDisposable {
  readonly server: ApiServer;
  readonly client: Client;
  send(method: string, path: string, request?: TestRequest): Promise<TestAnswer>;
}

/** Runs until it is disposed of. @param overrides Of the server's options. */
export async function startTestServer(overrides: Partial<ApiServerOptions> = {}): Promise<TestServer> {
  const now = Date.now();
  const authority = await createAuthority('test', now);
  const serving = await createCertificate(
    authority,
    { commonName: 'test', usages: ['server'], ipAddresses: ['127.0.0.1'], validDays: 1 },
    now,
  );
  const tokens = generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  });
  const store = new MemoryStore();
  const server = new ApiServer({
    store,
    clock: systemClock,
    logger: createLogger({ component: 'test', level: 'silent' }),
    serving: { cert: serving.certificate, key: serving.key },
    clientCa: authority.certificate,
    tokenKeys: { signingKey: tokens.privateKey, verificationKeys: [tokens.publicKey], issuer: 'https://test', audiences: [] },
    staticTokens: new Map(),
    anonymous: { enabled: true },
    authorizationModes: ['Node', 'RBAC'],
    enableAdmission: ['NodeRestriction'],
    disableAdmission: [],
    serviceClusterIpRange: '10.96.0.0/24',
    serviceNodePortRange: '30000-30100',
    advertiseAddress: '127.0.0.1',
    kubelets: { certificate: {}, ca: undefined, preferredAddressTypes: ['InternalIP'] },
    maxInFlight: { reading: 400, mutating: 200 },
    ...overrides,
  });
  const stop = new AbortController();
  const ready = Promise.withResolvers<void>();
  const run = server.run(stop.signal, { port: 0, address: '127.0.0.1' }, () => ready.resolve());
  run.catch((error: unknown) => ready.reject(error));
  await ready.promise;
  return {
    server,
    client: server.client(ADMIN, 'test'),
    send: (method, path, request = {}) => send(server, method, path, request),
    async [Symbol.asyncDispose]() {
      stop.abort();
      await run;
      await store[Symbol.asyncDispose]();
    },
  };
}

async function send(server: ApiServer, method: string, path: string, request: TestRequest): Promise<TestAnswer> {
  const { query = '', headers = {}, body } = request;
  const bytes = bytesOf(body);
  const { context, result } = server.serve({
    method,
    path,
    search: query,
    headers: { 'user-agent': 'test/1', ...headers },
    readBody: async () => bytes,
    connectionUser: 'user' in request ? request.user : ADMIN,
    remoteAddress: '127.0.0.1',
    signal: AbortSignal.timeout(20_000),
  });
  const sink = new Sink();
  const writer = AnswerWriter.forResponse(sink as never);
  const ended = new Promise<void>((resolve) => sink.once('close', resolve));
  try {
    await answer(context, await result, writer, () => Date.now(), 'audit');
  } catch (error) {
    // As the server does it: what cannot be encoded as it was asked for is an answer of its own.
    await answer(
      context,
      statusResult(error instanceof ApiError ? error : internalError(String(error))),
      writer,
      () => Date.now(),
      'audit',
    );
  }
  await ended;
  return { status: sink.status, headers: sink.headers, text: sink.text, bytes: sink.bytes, body: parsed(sink.text) };
}

function bytesOf(body: unknown): Buffer {
  if (body instanceof Uint8Array) return Buffer.from(body);
  return Buffer.from(body === undefined ? '' : typeof body === 'string' ? body : JSON.stringify(body));
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** What a response writes, kept. */
class Sink extends Writable {
  status = 0;
  headers: Record<string, string> = {};
  headersSent = false;
  readonly #chunks: Buffer[] = [];

  writeHead(status: number, headers: Record<string, string>): void {
    this.status = status;
    this.headers = headers;
    this.headersSent = true;
  }

  flushHeaders(): void {}

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.#chunks.push(chunk);
    done();
  }

  get bytes(): Buffer {
    return Buffer.concat(this.#chunks);
  }

  get text(): string {
    return this.bytes.toString();
  }
}
