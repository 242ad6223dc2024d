// SPDX-License-Identifier: Apache-2.0
// Puts the API server together: store, cache, strategies, admission, authentication, authorization, handlers, the HTTPS port.
//
// Start order: cache (reads need it), dispatcher and chain (loopback works from here), bootstrap objects, port, ready.
// Stop is the reverse: not ready, port drained, cache, store.
import { randomInt } from 'node:crypto';
import type { SecureContextOptions, TLSSocket } from 'node:tls';
import { GROUPS, ipaddresses, RESOURCES } from '#api';
import { type Client, createClient } from '#client';
import { type Clock, type Logger, Metrics } from '#component';
import { ApiError, internalError, isNotFound } from '#machinery';
import type { Store } from '#store';
import type { PluginConfigurations } from './admission/admission-configuration.ts';
import { createPolicyPlugins, PolicyMetrics } from './admission/policy/mod.ts';
import { celAuthorizer, createWebhookPlugins, equivalentsIn, WebhookMetrics, type WebhookPlugins } from './admission/webhook/mod.ts';
import { createAdmissionRunner } from './admission-runner.ts';
import { AggregationLayer, type AggregationOptions } from './aggregation/mod.ts';
import { type AuthenticationOptions, createAuthentication, userOfCertificate } from './auth/authenticators.ts';
import type { AuthorizerChoice } from './auth/authorization-configuration.ts';
import { createAuthorizer, createRbac } from './auth/authorization-modes.ts';
import { decide } from './auth/authorizer.ts';
import { ServiceAccountTokens, type TokenKeys } from './auth/tokens.ts';
import { MASTERS_GROUP, type UserInfo } from './auth/user.ts';
import { bootstrap } from './bootstrap.ts';
import { Cacher } from './cacher/cacher.ts';
import { CustomResources, DEFINITIONS, DefinitionController, RuleEngine } from './crd/mod.ts';
import { Discovery } from './discovery/discovery.ts';
import { indexPaths } from './discovery/index-paths.ts';
import { encryptedForm } from './encryption/encrypted-form.ts';
import { Encryption } from './encryption/encryption.ts';
import { buildChain } from './filters/chain.ts';
import { statusResult } from './filters/error-boundary.ts';
import { createDispatcher } from './handlers/dispatch.ts';
import type { ServerParts } from './handlers/endpoint.ts';
import { answer } from './http/answer.ts';
import type { AnswerWriter } from './http/answer-writer.ts';
import { HttpServer } from './http/server.ts';
import { LoopbackTransport } from './loopback.ts';
import { AdmissionMetrics } from './metrics/admission-metrics.ts';
import { AuthMetrics } from './metrics/auth-metrics.ts';
import { RequestMetrics } from './metrics/request-metrics.ts';
import { registerServerMetrics } from './metrics/server-metrics.ts';
import { measuredStore } from './metrics/store-metrics.ts';
import { OpenApi } from './openapi/documents.ts';
import { DEFAULT_OPERATIONS, Operations, type OperationsOptions } from './operations.ts';
import type { KubeletClientConfig } from './proxying/kubelet-connection.ts';
import { createServiceResolver } from './proxying/service-resolver.ts';
import { createPageReader } from './registry/generic/page-reader.ts';
import type { ServedResource } from './registry/generic/served-resource.ts';
import { createStrategies } from './registry/strategies.ts';
import { type ApiResult, type Handler, type IncomingRequest, RequestContext } from './request/context.ts';
import { RequestInfos, requestInfoOf } from './request/request-info.ts';
import { createReader, PLAIN_FORM, resourceCounts, serveBuiltIn, storagePrefixes } from './storage.ts';
import { VERSION } from './version.ts';

export interface ApiServerOptions extends AuthenticationOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly serving: SecureContextOptions;
  /** PEM; who signs client certificates. */
  readonly clientCa: string | undefined;
  readonly tokenKeys: TokenKeys;
  /** Names of modes, or authorizers that are ready, in order. */
  readonly authorizationModes: readonly AuthorizerChoice[];
  readonly enableAdmission: readonly string[];
  readonly disableAdmission: readonly string[];
  /** Of `--admission-control-config-file`, by plugin. */
  readonly admissionConfigurations?: PluginConfigurations | undefined;
  readonly aggregation?: AggregationOptions | undefined;
  readonly serviceClusterIpRange: string;
  readonly serviceNodePortRange: string;
  /** What the endpoints of the `kubernetes` Service say. Port 0: the one listened on. */
  readonly advertiseAddress: string;
  readonly kubelets: KubeletClientConfig;
  readonly maxInFlight: { readonly reading: number; readonly mutating: number };
  /** What a server in production is told. @default as upstream's flags */
  readonly operations?: OperationsOptions;
  /** Encryption at rest; undefined: values are stored as they are. */
  readonly encryption?: { readonly file: string; readonly reload: boolean } | undefined;
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
  readonly #operations: Operations;
  #storeProblem: string | undefined = undefined;
  readonly #webhooks: WebhookPlugins;
  readonly #rules = new RuleEngine();
  readonly #custom: CustomResources;
  readonly #definitions: DefinitionController;
  readonly #aggregation: AggregationLayer;
  #address: { address: string; port: number } | undefined;

  constructor(options: ApiServerOptions) {
    this.#options = options;
    const store = measuredStore(options.store, this.metrics, (problem) => {
      this.#storeProblem = problem;
    });
    const encryption = options.encryption === undefined ? undefined : new Encryption({ ...options.encryption, logger: options.logger });
    const form = encryption === undefined ? PLAIN_FORM : encryptedForm(PLAIN_FORM, encryption);
    this.#cacher = new Cacher({
      store,
      logger: options.logger,
      decode: form.decode,
      prefixes: storagePrefixes(),
      definitions: DEFINITIONS,
    });
    const reader = createReader(this.#cacher);
    const client = this.client(LOOPBACK_USER, 'kube-apiserver');
    const strategies = createStrategies({
      serviceClusterIpRange: options.serviceClusterIpRange,
      serviceNodePortRange: options.serviceNodePortRange,
      reader,
      pick: randomInt,
      rules: this.#rules,
      addresses: {
        create: (address) => client.create(ipaddresses, address).then(() => undefined),
        remove: (name) =>
          client.delete(ipaddresses, { name }).catch((error: unknown) => {
            if (!isNotFound(error)) throw error;
          }),
      },
    });
    this.#served = serveBuiltIn({
      store,
      clock: options.clock,
      cacher: this.#cacher,
      form,
      reader,
      strategyOf: strategies.strategyOf,
    });
    const rbac = createRbac(this.#cacher, reader);
    const authorizer = createAuthorizer(options.authorizationModes, rbac, this.#cacher);
    const tokens = new ServiceAccountTokens(options.tokenKeys, reader, () => options.clock.now());
    const authentication = createAuthentication(options, { serviceAccounts: tokens, reader, now: () => options.clock.now() });
    const webhooks = { resolver: createServiceResolver(reader, randomInt) };
    const authorize = celAuthorizer((attributes) => decide(authorizer, attributes));
    const customVersions = (name: string) => this.#custom.definition(name)?.versions.map(({ served }) => served) ?? [];
    this.#webhooks = createWebhookPlugins({
      reader,
      cacher: this.#cacher,
      client: webhooks,
      clock: options.clock,
      logger: options.logger,
      authorize,
      served: this.#served,
      customVersions,
      configurations: options.admissionConfigurations,
      metrics: new WebhookMetrics(this.metrics),
    });
    const policies = createPolicyPlugins({
      reader,
      cacher: this.#cacher,
      engine: this.#rules,
      authorize,
      equivalents: equivalentsIn({ served: this.#served, customVersions }),
      findServed: (group, version, kind) => this.#findServed(group, version, kind),
      clock: options.clock,
      metrics: new PolicyMetrics(this.metrics),
    });
    const extras = {
      metrics: new AdmissionMetrics(this.metrics),
      plugins: [...this.#webhooks.plugins, ...policies],
      webhooks,
      expressions: this.#rules,
    };
    const admission = createAdmissionRunner(options, { reader, authorizer, rbac }, client, extras);
    const operations = new Operations({
      options: options.operations ?? DEFAULT_OPERATIONS,
      maxInFlight: options.maxInFlight,
      clock: options.clock,
      logger: options.logger,
      metrics: this.metrics,
      encryption,
      cacher: this.#cacher,
      reader,
      client: this.client(LOOPBACK_USER, 'api-priority-and-fairness-config-consumer-v1'),
      rbac: options.authorizationModes.includes('RBAC'),
      paths: indexPaths,
      storeProblem: () => this.#storeProblem,
    });
    this.#operations = operations;
    const parts: ServerParts = {
      clock: options.clock,
      minRequestTimeoutSeconds: (options.operations ?? DEFAULT_OPERATIONS).minRequestTimeoutSeconds,
      logger: options.logger,
      cacher: this.#cacher,
      reader,
      authorizer,
      admission,
      pages: createPageReader(store, form.decode),
    };
    const discovery = new Discovery(RESOURCES, GROUPS);
    const openApi = new OpenApi(indexPaths());
    const { cacher, logger, clock } = parts;
    this.#aggregation = new AggregationLayer(options.aggregation ?? {}, {
      ...{ cacher, reader, client, clock, logger, discovery, openApi, metrics: this.metrics },
      clientCa: options.clientCa,
    });
    this.#custom = new CustomResources({
      store,
      clock: options.clock,
      logger: options.logger,
      cacher: this.#cacher,
      reader,
      form,
      rules: this.#rules,
      discovery,
      openApi,
      webhooks,
    });
    this.#definitions = new DefinitionController({
      cacher: this.#cacher,
      client,
      clock: options.clock,
      logger: options.logger,
      resources: this.#custom,
    });
    const dispatcher = createDispatcher({
      parts,
      served: this.#served,
      resources: RESOURCES,
      discovery,
      custom: this.#custom,
      paths: {
        metrics: this.metrics,
        tokens,
        version: VERSION,
        jwksUri: `https://${options.advertiseAddress}/openid/v1/jwks`,
        index: () => [...new Set([...indexPaths(), ...discovery.paths()])].sort(),
      },
      openApi,
      tokens,
      reviews: { authorizer, rbac, identify: authentication.identify },
      kubelets: options.kubelets,
    });
    registerServerMetrics({
      metrics: this.metrics,
      inFlight: operations.running,
      waiting: operations.waiting,
      longRunning: operations.longRunning,
      health: operations.health,
      handshakeErrors: () => this.#http.handshakeErrors,
      version: VERSION,
      resources: () => resourceCounts(this.#cacher, this.#custom),
    });
    const requests = new RequestMetrics(this.metrics);
    this.#handler = buildChain(operations.paths(this.#aggregation.wrap(dispatcher)), {
      authenticator: this.#aggregation.authenticator(authentication.authenticator),
      authorizer,
      clock: options.clock,
      requests,
      auth: new AuthMetrics(this.metrics),
      logger: options.logger,
      ...operations.filters,
    });
    this.#http = new HttpServer({
      certificate: options.serving,
      clientCa: this.#aggregation.clientAuthorities,
      identify: (socket: TLSSocket) => this.#aggregation.identify(socket, userOfCertificate(socket)),
      handle: (request, writer) => this.#answer(request, writer),
      goawayChance: (options.operations ?? DEFAULT_OPERATIONS).goawayChance,
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

  /** The resource of a kind, built in or custom. */
  #findServed(group: string, version: string, kind: string): ServedResource | undefined {
    const isIt = ({ resource }: ServedResource) => resource.group === group && resource.version === version && resource.kind === kind;
    const custom = () => [...this.#custom.definitions()].flatMap(({ versions }) => versions.map(({ served }) => served));
    return [...this.#served.values()].find(isIt) ?? custom().find(isIt);
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
    const { logger } = this.#options;
    const stopCache = new AbortController();
    let operating: Promise<unknown> | undefined;
    const cached = Promise.withResolvers<void>();
    const cacheRun = this.#cacher.run(stopCache.signal, () => cached.resolve());
    cacheRun.catch((error: unknown) => cached.reject(error));
    let definitions: Promise<void> | undefined;
    try {
      await cached.promise;
      await this.#custom.start();
      definitions = this.#definitions.run(stopCache.signal);
      this.#operations.prepare();
      const bound = await this.#http.listen(listen.port, listen.address);
      this.#address = { address: bound.address, port: bound.port };
      await this.#bootstrap(bound.port);
      await this.#aggregation.publish();
      this.#operations.started();
      logger.info({ address: bound.address, port: bound.port }, 'Serving securely');
      ready();
      using _compaction = this.#compactRegularly();
      operating = Promise.all([this.#operations.run(stopCache.signal), this.#aggregation.run(stopCache.signal)]);
      await Promise.race([aborted(signal), cacheRun]);
    } finally {
      await this.#operations.drain(this.#http);
      await this.#webhooks[Symbol.asyncDispose]();
      stopCache.abort();
      await definitions;
      await this.#custom[Symbol.asyncDispose]();
      await Promise.all([cacheRun.catch(() => undefined), operating]);
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

/** The first usable address of a range: `10.96.0.1` of `10.96.0.0/16`. */
export function firstAddress(range: string): string {
  const [base = ''] = (range.split(',')[0] ?? '').split('/');
  if (base.includes(':')) return `${base.replace(/::$/, '')}::1`.replace(':::', '::');
  const octets = base.split('.').map(Number);
  octets[3] = (octets[3] ?? 0) + 1;
  return octets.join('.');
}
