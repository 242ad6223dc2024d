// SPDX-License-Identifier: Apache-2.0
// Puts the API server together: store, cache, strategies, admission, authentication, authorization, handlers, the HTTPS port.
//
// Start order: cache (reads need it), dispatcher and chain (loopback works from here), bootstrap objects, port, ready.
// Stop is the reverse: not ready, port drained, cache, store.
import { randomInt, randomUUID } from 'node:crypto';
import type { SecureContextOptions, TLSSocket } from 'node:tls';
import { GROUPS, ipaddresses, RESOURCES } from '#api';
import { type Client, createClient } from '#client';
import { type Clock, type Logger, Metrics } from '#component';
import { ApiError, internalError, isNotFound } from '#machinery';
import type { Store } from '#store';
import { createAdmissionRunner } from './admission-runner.ts';
import { createAuthenticator, userOfCertificate } from './auth/authenticators.ts';
import { createAuthorizer, createRbac } from './auth/authorization-modes.ts';
import { ServiceAccountTokens, type TokenKeys } from './auth/tokens.ts';
import { MASTERS_GROUP, type UserInfo } from './auth/user.ts';
import { bootstrap } from './bootstrap.ts';
import { Cacher } from './cacher/cacher.ts';
import { Discovery } from './discovery/discovery.ts';
import { indexPaths } from './discovery/index-paths.ts';
import { buildChain } from './filters/chain.ts';
import { statusResult } from './filters/error-boundary.ts';
import { createDispatcher } from './handlers/dispatch.ts';
import type { ServerParts } from './handlers/endpoint.ts';
import { answer } from './http/answer.ts';
import type { AnswerWriter } from './http/answer-writer.ts';
import { HttpServer } from './http/server.ts';
import { LoopbackTransport } from './loopback.ts';
import { RequestMetrics } from './metrics/request-metrics.ts';
import { registerServerMetrics } from './metrics/server-metrics.ts';
import { OpenApi } from './openapi/documents.ts';
import type { KubeletClientConfig } from './proxying/kubelet-connection.ts';
import { createPageReader } from './registry/generic/page-reader.ts';
import type { ServedResource } from './registry/generic/served-resource.ts';
import { createStrategies } from './registry/strategies.ts';
import { type ApiResult, type Handler, type IncomingRequest, RequestContext } from './request/context.ts';
import { RequestInfos, requestInfoOf } from './request/request-info.ts';
import { createReader, decodeStored, resourceCounts, serveBuiltIn, storagePrefixes } from './storage.ts';
import { VERSION } from './version.ts';

export interface ApiServerOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly serving: SecureContextOptions;
  /** PEM; who signs client certificates. */
  readonly clientCa: string | undefined;
  readonly tokenKeys: TokenKeys;
  readonly staticTokens: ReadonlyMap<string, UserInfo>;
  readonly anonymous: boolean;
  readonly authorizationModes: readonly string[];
  readonly enableAdmission: readonly string[];
  readonly disableAdmission: readonly string[];
  readonly serviceClusterIpRange: string;
  readonly serviceNodePortRange: string;
  /** What the endpoints of the `kubernetes` Service say. Port 0: the one listened on. */
  readonly advertiseAddress: string;
  readonly kubelets: KubeletClientConfig;
  readonly maxInFlight: { readonly reading: number; readonly mutating: number };
}

/** History is kept this long. @source upstream --etcd-compaction-interval: 5 min */
const COMPACTION_MS = 5 * 60_000;
const LOOPBACK_USER: UserInfo = { name: 'system:apiserver', uid: '', groups: [MASTERS_GROUP, 'system:authenticated'], extra: {} };
const NO_QUERY = new URLSearchParams();

export class ApiServer {
  readonly #options: ApiServerOptions;
  readonly #cacher: Cacher;
  readonly #handler: Handler;
  readonly #http: HttpServer;
  readonly #served: ReadonlyMap<string, ServedResource>;
  readonly metrics = new Metrics();
  readonly #infos = new RequestInfos();
  #ready = false;
  #address: { address: string; port: number } | undefined;

  constructor(options: ApiServerOptions) {
    this.#options = options;
    this.#cacher = new Cacher({ store: options.store, logger: options.logger, decode: decodeStored, prefixes: storagePrefixes() });
    const reader = createReader(this.#cacher);
    const client = this.client(LOOPBACK_USER, 'kube-apiserver');
    const strategies = createStrategies({
      serviceClusterIpRange: options.serviceClusterIpRange,
      serviceNodePortRange: options.serviceNodePortRange,
      reader,
      pick: randomInt,
      addresses: {
        create: (address) => client.create(ipaddresses, address).then(() => undefined),
        remove: (name) =>
          client.delete(ipaddresses, { name }).catch((error: unknown) => {
            if (!isNotFound(error)) throw error;
          }),
      },
    });
    this.#served = serveBuiltIn({
      store: options.store,
      clock: options.clock,
      cacher: this.#cacher,
      reader,
      strategyOf: strategies.strategyOf,
    });
    const rbac = createRbac(this.#cacher, reader);
    const authorizer = createAuthorizer(options.authorizationModes, rbac, this.#cacher);
    const tokens = new ServiceAccountTokens(options.tokenKeys, reader, () => options.clock.now());
    const admission = createAdmissionRunner(options, { reader, authorizer, rbac }, client);
    const parts: ServerParts = {
      clock: options.clock,
      logger: options.logger,
      cacher: this.#cacher,
      reader,
      authorizer,
      admission,
      pages: createPageReader(options.store, decodeStored),
    };
    const dispatcher = createDispatcher({
      parts,
      served: this.#served,
      resources: RESOURCES,
      discovery: new Discovery(RESOURCES, GROUPS),
      paths: {
        checks: [
          { name: 'ping', check: () => undefined },
          { name: 'log', check: () => undefined },
          { name: 'etcd', check: () => undefined },
          { name: 'poststarthook/start-apiserver-admission-initializer', check: () => (this.#ready ? undefined : 'not finished') },
          { name: 'poststarthook/rbac/bootstrap-roles', check: () => (this.#ready ? undefined : 'not finished') },
        ],
        metrics: this.metrics,
        tokens,
        version: VERSION,
        jwksUri: `https://${options.advertiseAddress}/openid/v1/jwks`,
        index: indexPaths(),
      },
      openApi: new OpenApi(indexPaths()),
      tokens,
      reviews: { authorizer, rbac, identify: (token, audiences) => tokens.identify(token, audiences.length > 0 ? audiences : undefined) },
      kubelets: options.kubelets,
    });
    const authenticator = createAuthenticator({ tokens, staticTokens: options.staticTokens, anonymous: options.anonymous });
    const inFlight = { reading: 0, mutating: 0 };
    registerServerMetrics({ metrics: this.metrics, inFlight, version: VERSION, resources: () => resourceCounts(this.#cacher) });
    const requests = new RequestMetrics(this.metrics);
    this.#handler = buildChain(dispatcher, {
      authenticator,
      authorizer,
      limits: options.maxInFlight,
      inFlight,
      requests,
      logger: options.logger,
    });
    this.#http = new HttpServer({
      certificate: options.serving,
      clientCa: options.clientCa,
      identify: (socket: TLSSocket) => userOfCertificate(socket),
      handle: (request, writer) => this.#answer(request, writer),
      logger: options.logger,
    });
  }

  /** Answers one request, from wherever it came. Never throws. */
  serve(request: IncomingRequest): { context: RequestContext; result: ApiResult | Promise<ApiResult> } {
    const query = request.search === '' ? NO_QUERY : new URLSearchParams(request.search);
    const info = query === NO_QUERY ? this.#infos.of(request.method, request.path) : requestInfoOf(request.method, request.path, query);
    const context = new RequestContext(request, info, query, this.#options.clock.now());
    return { context, result: this.#handler(context) };
  }

  /** A client within this process, as `user`. */
  client(user: UserInfo, userAgent: string): Client {
    return createClient(new LoopbackTransport((request) => this.serve(request).result, user, userAgent));
  }

  get address(): { address: string; port: number } | undefined {
    return this.#address;
  }

  /** Listens, bootstraps, serves until `signal`; then drains. @param listening Called once the server is ready. */
  async run(signal: AbortSignal, listen: { port: number; address: string }, ready: () => void): Promise<void> {
    const { logger, clock } = this.#options;
    const stopCache = new AbortController();
    const cached = Promise.withResolvers<void>();
    const cacheRun = this.#cacher.run(stopCache.signal, () => cached.resolve());
    cacheRun.catch((error: unknown) => cached.reject(error));
    try {
      await cached.promise;
      const bound = await this.#http.listen(listen.port, listen.address);
      this.#address = { address: bound.address, port: bound.port };
      await this.#bootstrap(bound.port);
      this.#ready = true;
      logger.info({ address: bound.address, port: bound.port }, 'Serving securely');
      ready();
      using _compaction = this.#compactRegularly();
      await Promise.race([aborted(signal), cacheRun]);
    } finally {
      this.#ready = false;
      const deadline = new AbortController();
      using _limit = clock.after(2_000, () => deadline.abort());
      await this.#http.drain(deadline.signal);
      stopCache.abort();
      await cacheRun.catch(() => undefined);
    }
  }

  #bootstrap(port: number): Promise<void> {
    const { logger, serviceClusterIpRange, advertiseAddress, authorizationModes } = this.#options;
    return bootstrap({
      client: this.client(LOOPBACK_USER, 'kube-apiserver'),
      logger,
      serviceClusterIpRange,
      serviceIp: firstAddress(serviceClusterIpRange),
      advertise: { address: advertiseAddress, port },
      rbac: authorizationModes.includes('RBAC'),
    });
  }

  /** Forgets history older than the interval: compacts to where the revision stood one interval ago. */
  #compactRegularly(): Disposable {
    const { clock, store, logger } = this.#options;
    let mark = store.revision;
    let timer = clock.after(COMPACTION_MS, tick);
    function tick(): void {
      const target = mark;
      mark = store.revision;
      store.compact(target).catch((error: unknown) => logger.warn({ error: String(error) }, 'Compaction failed'));
      timer = clock.after(COMPACTION_MS, tick);
    }
    return { [Symbol.dispose]: () => timer[Symbol.dispose]() };
  }

  /** What is at hand is answered within the call: a read of one object makes no promise. */
  #answer(request: IncomingRequest, writer: AnswerWriter): void {
    const { context, result } = this.serve(request);
    const now = () => this.#options.clock.now();
    const given = request.headers['audit-id'];
    const auditId = typeof given === 'string' ? given : randomUUID();
    const failed = (error: unknown) => this.#answerFailure(context, error, writer, auditId);
    const send = (ready: ApiResult) => answer(context, ready, writer, now, auditId);
    try {
      const sent = result instanceof Promise ? result.then(send) : send(result);
      if (sent instanceof Promise) sent.catch(failed);
    } catch (error) {
      failed(error);
    }
  }

  #answerFailure(context: RequestContext, error: unknown, writer: AnswerWriter, auditId: string): void {
    const { logger, clock } = this.#options;
    logger.error({ path: context.request.path, error: error instanceof Error ? error.stack : String(error) }, 'Answer failed');
    try {
      void answer(
        context,
        statusResult(error instanceof ApiError ? error : internalError(String(error))),
        writer,
        () => clock.now(),
        auditId,
      );
    } catch {
      writer.abort();
    }
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

/** The first usable address of a range: `10.96.0.1` of `10.96.0.0/16`. */
export function firstAddress(range: string): string {
  const [base = ''] = (range.split(',')[0] ?? '').split('/');
  if (base.includes(':')) return `${base.replace(/::$/, '')}::1`.replace(':::', '::');
  const octets = base.split('.').map(Number);
  octets[3] = (octets[3] ?? 0) + 1;
  return octets.join('.');
}
