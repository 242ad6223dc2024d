// SPDX-License-Identifier: Apache-2.0
// The API server's life: its parts (assembly.ts) are made, started, asked and stopped.
//
// Start order: cache (reads need it), custom resources, port, bootstrap objects, ready.
// Stop is the reverse: not ready, port drained, cache, store.
import { hostname } from 'node:os';
import type { TLSSocket } from 'node:tls';
import { type Client, createClient } from '#client';
import { Metrics } from '#component';
import { ApiError, firstServiceAddress, internalError } from '#machinery';
import { type Assembly, assemble, LOOPBACK_USER } from './assembly.ts';
import { userOfCertificate } from './auth/authenticators.ts';
import type { UserInfo } from './auth/user.ts';
import { type BootstrapOptions, bootstrap, keepDefaults } from './bootstrap.ts';
import { statusResult } from './filters/error-boundary.ts';
import { answer } from './http/answer.ts';
import type { AnswerWriter } from './http/answer-writer.ts';
import { HttpServer } from './http/server.ts';
import { keepIdentityLease } from './identity-lease.ts';
import { LoopbackTransport } from './loopback.ts';
import { DEFAULT_OPERATIONS } from './operations.ts';
import { type ApiResult, type IncomingRequest, RequestContext } from './request/context.ts';
import { parseQuery } from './request/query.ts';
import { RequestInfos, requestInfoOf } from './request/request-info.ts';
import type { ApiServerOptions } from './server-options.ts';

/** History is kept this long. @source upstream --etcd-compaction-interval: 5 min */
const COMPACTION_MS = 5 * 60_000;
const NO_QUERY = new URLSearchParams();

export class ApiServer {
  readonly #options: ApiServerOptions;
  readonly #parts: Assembly;
  readonly #http: HttpServer;
  readonly metrics = new Metrics();
  readonly #infos = new RequestInfos();
  #address: { address: string; port: number } | undefined;

  constructor(options: ApiServerOptions) {
    this.#options = options;
    const clientAs = (user: UserInfo, userAgent: string) => this.client(user, userAgent);
    this.#parts = assemble({ options, metrics: this.metrics, clientAs }, () => this.#http.handshakeErrors);
    const { aggregation } = this.#parts;
    this.#http = new HttpServer({
      certificate: options.serving,
      clientCa: aggregation.clientAuthorities,
      identify: (socket: TLSSocket) => aggregation.identify(socket, userOfCertificate(socket)),
      handle: (request, writer) => this.#answer(request, writer),
      goawayChance: (options.operations ?? DEFAULT_OPERATIONS).goawayChance,
      logger: options.logger,
    });
  }

  /** Answers one request, from wherever it came. Never throws. */
  serve(request: IncomingRequest): { context: RequestContext; result: ApiResult | Promise<ApiResult> } {
    const query = request.search === '' ? NO_QUERY : parseQuery(request.search);
    const info = query === NO_QUERY ? this.#infos.of(request.method, request.path) : requestInfoOf(request.method, request.path, query);
    const context = new RequestContext(request, info, query, this.#options.clock.now());
    context.cbor = this.#options.cbor;
    return { context, result: this.#parts.handler(context) };
  }

  /** A client within this process, as `user`. */
  client(user: UserInfo, userAgent: string): Client {
    return createClient(new LoopbackTransport((request) => this.serve(request).result, user, userAgent));
  }

  /**
   * Writes what does not fit into the status of admission policies until `signal`: the part of the controller manager that needs the
   * types of expressions, which only the server has. For a process that runs both.
   */
  runPolicyStatus(client: Client, signal: AbortSignal): Promise<void> {
    return this.#parts.typeChecking(client, signal);
  }

  get address(): { address: string; port: number } | undefined {
    return this.#address;
  }

  /** Listens, bootstraps, serves until `signal`; then drains. @param listening Called once the server is ready. */
  async run(signal: AbortSignal, listen: { port: number; address: string }, ready: () => void): Promise<void> {
    const { logger } = this.#options;
    const stopCache = new AbortController();
    let operating: Promise<unknown> | undefined;
    const cached = Promise.withResolvers<void>();
    const cacheRun = this.#parts.cacher.run(stopCache.signal, () => cached.resolve());
    cacheRun.catch((error: unknown) => cached.reject(error));
    let definitions: Promise<void> | undefined;
    try {
      await cached.promise;
      await this.#parts.custom.start();
      definitions = this.#parts.definitions.run(stopCache.signal);
      this.#parts.operations.prepare();
      const bound = await this.#http.listen(listen.port, listen.address);
      this.#address = { address: bound.address, port: bound.port };
      const defaults = this.#defaults(bound.port);
      await bootstrap(defaults);
      await this.#parts.aggregation.publish();
      this.#parts.operations.started();
      logger.info({ address: bound.address, port: bound.port }, 'Serving securely');
      ready();
      using _compaction = this.#compactRegularly();
      operating = this.#operate(defaults, stopCache.signal);
      await Promise.race([aborted(signal), cacheRun]);
    } finally {
      await this.#parts.operations.drain(this.#http);
      await this.#parts.webhooks[Symbol.asyncDispose]();
      stopCache.abort();
      await definitions;
      await this.#parts.custom[Symbol.asyncDispose]();
      await Promise.all([cacheRun.catch(() => undefined), operating]);
    }
  }

  #operate(defaults: BootstrapOptions, signal: AbortSignal): Promise<unknown> {
    const { operations, aggregation, configurations, addressRepair, cacher } = this.#parts;
    const { clock } = this.#options;
    return Promise.all([
      ...[operations, aggregation, addressRepair, ...configurations].map((part) => part.run(signal)),
      keepDefaults(defaults, cacher, signal),
      keepIdentityLease({ ...defaults, clock, hostname: hostname() }, signal),
    ]);
  }

  #defaults(port: number): BootstrapOptions {
    const { clock, logger, serviceClusterIpRange, advertiseAddress, authorizationModes } = this.#options;
    return {
      client: this.client(LOOPBACK_USER, 'kube-apiserver'),
      logger,
      serviceClusterIpRange,
      serviceIp: firstServiceAddress(serviceClusterIpRange),
      advertise: { address: advertiseAddress, port },
      rbac: authorizationModes.includes('RBAC'),
      now: () => clock.now(),
    };
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
    const { auditId } = context;
    const failed = (error: unknown) => this.#answerFailure(context, error, writer, auditId);
    const send = (ready: ApiResult) => {
      const sent = answer(context, ready, writer, now, auditId);
      return sent instanceof Promise ? this.#bounded(context, sent, writer) : sent;
    };
    try {
      const sent = result instanceof Promise ? result.then(send) : send(result);
      if (sent instanceof Promise) sent.catch(failed);
    } catch (error) {
      failed(error);
    }
  }

  /** An answer in pieces that is not taken within the request's time is broken off; long-running ones have no such time. */
  #bounded(context: RequestContext, sent: Promise<void>, writer: AnswerWriter): Promise<void> {
    if (context.timeoutMs === 0) return sent;
    const timer = this.#options.clock.after(Math.max(0, context.timeoutMs - context.elapsedMs()), () => writer.abort());
    return sent.finally(() => timer[Symbol.dispose]());
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
