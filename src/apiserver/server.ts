// SPDX-License-Identifier: Apache-2.0
// Puts the API server together: store, cache, strategies, admission, authentication, authorization, handlers, the HTTPS port.
//
// Start order: cache (reads need it), dispatcher and chain (loopback works from here), bootstrap objects, port, ready.
// Stop is the reverse: not ready, port drained, cache, store.
import { randomInt, randomUUID } from 'node:crypto';
import type { SecureContextOptions, TLSSocket } from 'node:tls';
import {
  clusterrolebindings,
  clusterroles,
  findResource,
  findSchema,
  fromStorage,
  GROUPS,
  ipaddresses,
  pods,
  RESOURCES,
  rolebindings,
  roles,
  storageVersionOf,
  toStorage,
} from '#api';
import { type Client, createClient } from '#client';
import { type Clock, type Logger, Metrics } from '#component';
import {
  ApiError,
  type DeepReadonly,
  decodeMessage,
  deepCopy,
  internalError,
  isNotFound,
  isProtobuf,
  type KubeObject,
  parseApiVersion,
  type Resource,
  readEnvelope,
} from '#machinery';
import type { Store } from '#store';
import type { AdmissionDeps, AdmissionOperation, AdmissionRequest } from './admission/admission.ts';
import { createAdmissionChain } from './admission/chain.ts';
import { createAuthenticator, userOfCertificate } from './auth/authenticators.ts';
import { type Authorizer, alwaysAllow, privilegedGroups, unionAuthorizer } from './auth/authorizer.ts';
import { bootstrapPolicy } from './auth/bootstrap-policy.ts';
import { type EscalationDeps, refuseEscalation } from './auth/escalation.ts';
import { createNodeAuthorizer } from './auth/node-authorizer.ts';
import { RbacAuthorizer, type Rule } from './auth/rbac.ts';
import { ServiceAccountTokens, type TokenKeys } from './auth/tokens.ts';
import { MASTERS_GROUP, type UserInfo } from './auth/user.ts';
import { bootstrap } from './bootstrap.ts';
import { Cacher } from './cacher/cacher.ts';
import { Discovery } from './discovery/discovery.ts';
import { buildChain } from './filters/chain.ts';
import { statusResult } from './filters/error-boundary.ts';
import { createDispatcher } from './handlers/dispatch.ts';
import type { AdmissionRunner, ServerParts } from './handlers/endpoint.ts';
import { answer } from './http/answer.ts';
import type { AnswerWriter } from './http/answer-writer.ts';
import { HttpServer } from './http/server.ts';
import { LoopbackTransport } from './loopback.ts';
import { RequestMetrics } from './metrics/request-metrics.ts';
import { type ResourceCount, registerServerMetrics } from './metrics/server-metrics.ts';
import { OpenApi } from './openapi/documents.ts';
import type { KubeletClientConfig } from './proxying/kubelet-connection.ts';
import { GenericStore } from './registry/generic/generic-store.ts';
import { objectKey, prefixOf } from './registry/generic/keys.ts';
import { createPageReader } from './registry/generic/page-reader.ts';
import { type ServedResource, serve } from './registry/generic/served-resource.ts';
import { storageTraitsOf } from './registry/generic/storage-traits.ts';
import { createStrategies } from './registry/strategies.ts';
import type { MutableObject, ObjectReader } from './registry/strategy.ts';
import { type ApiResult, type Handler, type IncomingRequest, RequestContext } from './request/context.ts';
import { RequestInfos, requestInfoOf } from './request/request-info.ts';
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
    const decode = decodeStored;
    this.#cacher = new Cacher({ store: options.store, logger: options.logger, decode, prefixes: storagePrefixes() });
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
    this.#served = serveAll(options, this.#cacher, reader, strategies.strategyOf);
    const rbac = createRbac(this.#cacher, reader);
    const authorizer = createAuthorizer(options.authorizationModes, rbac, this.#cacher);
    const tokens = new ServiceAccountTokens(options.tokenKeys, reader, () => options.clock.now());
    const admission = createAdmission(options, { reader, authorizer, rbac }, client);
    const parts: ServerParts = {
      clock: options.clock,
      logger: options.logger,
      cacher: this.#cacher,
      reader,
      authorizer,
      admission,
      pages: createPageReader(options.store, decode),
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

/** The stored form is JSON; protobuf of an etcd that upstream has written is read as well. */
function decodeStored(value: Uint8Array): MutableObject {
  if (isProtobuf(value)) return decodeStoredProtobuf(value);
  return JSON.parse(Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString()) as MutableObject;
}

function decodeStoredProtobuf(value: Uint8Array): MutableObject {
  const { apiVersion, kind, raw } = readEnvelope(value);
  const schema = findSchema({ ...parseApiVersion(apiVersion), kind });
  if (schema === undefined) throw new Error(`decode a stored ${apiVersion} ${kind}: no such kind`);
  return { ...decodeMessage(raw, schema), apiVersion, kind } as unknown as MutableObject;
}

/** The stored form, in which no version is written down. */
function encodeStored(object: DeepReadonly<MutableObject>): Uint8Array {
  const { metadata } = object;
  const plain = metadata.resourceVersion === '' ? { ...object, metadata: { ...metadata, resourceVersion: undefined } } : object;
  const text = JSON.stringify(plain);
  // A replacer makes it twice as slow, so it is for the rare empty reference further down only.
  if (!text.includes('"resourceVersion":""')) return Buffer.from(text);
  return Buffer.from(JSON.stringify(plain, (key, value) => (key === 'resourceVersion' && value === '' ? undefined : value)));
}

function storageResourceOf(resource: Resource): Resource {
  const { group, version } = storageVersionOf(resource);
  return findResource(group, version, resource.resource) ?? resource;
}

const isStored = (resource: Resource) => resource.verbs.includes('get') && resource.resource !== 'componentstatuses';

function storagePrefixes(): string[] {
  return [...new Set(RESOURCES.filter(isStored).map((resource) => prefixOf(storageResourceOf(resource))))];
}

/** What is stored and watched, for metrics. */
function* resourceCounts(cacher: Cacher): Generator<ResourceCount> {
  const seen = new Set<string>();
  for (const resource of RESOURCES.filter(isStored)) {
    const { group, version, resource: name, namespaced } = storageResourceOf(resource);
    const prefix = prefixOf(storageResourceOf(resource));
    if (seen.has(prefix)) continue;
    seen.add(prefix);
    const cache = cacher.cache(prefix);
    yield { group, version, resource: name, namespaced, objects: cache.size, watchers: cache.watcherCount };
  }
}

function createReader(cacher: Cacher): ObjectReader {
  const prefixes = new Map<Resource, string>();
  const prefix = (resource: Resource) => {
    let found = prefixes.get(resource);
    if (found === undefined) {
      found = prefixOf(storageResourceOf(resource));
      prefixes.set(resource, found);
    }
    return found;
  };
  return {
    find: <T extends KubeObject>(resource: Resource<T>, { namespace = '', name }: { namespace?: string | undefined; name: string }) =>
      cacher.cache(prefix(resource as Resource)).find(objectKey(namespace, name))?.object as DeepReadonly<T> | undefined,
    list: <T extends KubeObject>(resource: Resource<T>, namespace = '') =>
      cacher
        .cache(prefix(resource as Resource))
        .list(namespace)
        .map((cached) => cached.object as unknown as DeepReadonly<T>),
  };
}

function serveAll(
  options: ApiServerOptions,
  cacher: Cacher,
  reader: ObjectReader,
  strategyOf: ReturnType<typeof createStrategies>['strategyOf'],
): Map<string, ServedResource> {
  const stores = new Map<string, GenericStore>();
  const served = new Map<string, ServedResource>();
  for (const resource of RESOURCES.filter(isStored)) {
    const storage = storageResourceOf(resource);
    const prefix = prefixOf(storage);
    let store = stores.get(prefix);
    if (store === undefined) {
      store = new GenericStore({
        strategy: strategyOf(storage),
        store: options.store,
        cacher,
        reader,
        clock: options.clock,
        prefix,
        traits: storageTraitsOf(storage),
        encode: encodeStored,
      });
      stores.set(prefix, store);
    }
    const strategy = strategyOf(resource);
    const convert =
      storage === resource
        ? undefined
        : {
            toStorage: (object: MutableObject) => toStorage(resource, object) as MutableObject,
            fromStorage: (object: DeepReadonly<MutableObject>) => fromStorage(resource, object as unknown as KubeObject) as MutableObject,
          };
    served.set(
      `${resource.group}/${resource.version}/${resource.resource}`,
      serve({ resource, schema: strategy.schema, store, table: strategy.table, convert }),
    );
  }
  return served;
}

function createRbac(cacher: Cacher, reader: ObjectReader): RbacAuthorizer {
  const caches = [roles, rolebindings, clusterroles, clusterrolebindings].map((resource) => prefixOf(resource as Resource));
  return new RbacAuthorizer(
    () => ({
      roles: reader.list(roles),
      roleBindings: reader.list(rolebindings),
      clusterRoles: reader.list(clusterroles),
      clusterRoleBindings: reader.list(clusterrolebindings),
    }),
    () => caches.reduce((sum, prefix) => sum + cacher.cache(prefix).generation, 0),
  );
}

/** @throws {RangeError} If a mode is not known. */
function createAuthorizer(modes: readonly string[], rbac: RbacAuthorizer, cacher: Cacher): Authorizer {
  const list: Authorizer[] = [privilegedGroups([MASTERS_GROUP])];
  for (const mode of modes) {
    switch (mode) {
      case 'AlwaysAllow':
        list.push(alwaysAllow);
        break;
      case 'Node':
        list.push(createNodeAuthorizer({ podsOf: (node) => podsOfNode(cacher, node) }, nodeRules()));
        break;
      case 'RBAC':
        list.push(rbac);
        break;
      default:
        throw new RangeError(`authorization mode "${mode}" is not known: use Node, RBAC or AlwaysAllow`);
    }
  }
  return unionAuthorizer(list);
}

function podsOfNode(cacher: Cacher, node: string) {
  return cacher
    .cache(prefixOf(pods as Resource))
    .onNode(node)
    .map((cached) => cached.object as never);
}

function nodeRules(): readonly Rule[] {
  const role = bootstrapPolicy().find(({ object }) => object.metadata.name === 'system:node');
  return (role?.object['rules'] as readonly Rule[] | undefined) ?? [];
}

function createAdmission(options: ApiServerOptions, escalation: EscalationDeps, client: Client): AdmissionRunner {
  const { reader, authorizer } = escalation;
  const isGrant = ({ resource }: ServedResource) =>
    resource.group === 'rbac.authorization.k8s.io' && options.authorizationModes.includes('RBAC');
  const chain = createAdmissionChain({ enabled: options.enableAdmission, disabled: options.disableAdmission });
  const deps: AdmissionDeps = {
    reader,
    now: () => options.clock.now(),
    enabled: options.enableAdmission,
    disabled: options.disableAdmission,
    update: async (resource, object, subresource) => {
      await client.update(resource, deepCopy(object) as never, { subresource });
    },
    authorize: async (user, check) => authorizer.authorize({ user, isResource: true, path: '', ...check }).verdict === 'allow',
  };
  return {
    callsFor(context, served, operation: AdmissionOperation, subresource, dryRun, name) {
      const request = (object: MutableObject | undefined, oldObject: DeepReadonly<MutableObject> | undefined): AdmissionRequest => ({
        operation: operation === 'UPDATE' && oldObject === undefined ? 'CREATE' : operation,
        resource: served.resource,
        subresource,
        namespace: context.info.namespace,
        name,
        object,
        oldObject,
        dryRun,
        user: context.knownUser,
        warn: (text) => context.warn(text),
      });
      return {
        async mutate(object, previous) {
          await chain.runMutating(request(object, previous), deps);
          if (object === undefined || !isGrant(served)) return;
          refuseEscalation(
            { user: context.knownUser, resource: served.resource, namespace: context.info.namespace, object, previous },
            escalation,
          );
        },
        validate: (object, previous) => chain.runValidating(request(object, previous), deps),
      };
    },
  };
}

/** The first usable address of a range: `10.96.0.1` of `10.96.0.0/16`. */
export function firstAddress(range: string): string {
  const [base = ''] = (range.split(',')[0] ?? '').split('/');
  if (base.includes(':')) return `${base.replace(/::$/, '')}::1`.replace(':::', '::');
  const octets = base.split('.').map(Number);
  octets[3] = (octets[3] ?? 0) + 1;
  return octets.join('.');
}

function indexPaths(): string[] {
  const groups = [
    ...new Set(
      RESOURCES.filter(({ group }) => group !== '').flatMap(({ group, version }) => [`/apis/${group}`, `/apis/${group}/${version}`]),
    ),
  ];
  return [
    '/.well-known/openid-configuration',
    '/api',
    '/api/v1',
    '/apis',
    ...groups.sort(),
    '/healthz',
    '/livez',
    '/metrics',
    '/openid/v1/jwks',
    '/readyz',
    '/version',
  ];
}
