// SPDX-License-Identifier: Apache-2.0
// The parts of a server, in the order in which they need each other: storage, who may do what, what comes and goes (custom
// resources, extension servers), admission, operations, handlers. Nothing runs yet when they are made.
import { randomInt } from 'node:crypto';
import { GROUPS, ipaddresses, RESOURCES, secrets } from '#api';
import type { Client } from '#client';
import type { Logger, Metrics } from '#component';
import { isNotFound } from '#machinery';
import type { Store } from '#store';
import { createPolicyPlugins, PolicyMetrics, runTypeChecking } from './admission/policy/mod.ts';
import { celAuthorizer, createWebhookPlugins, equivalentsIn, WebhookMetrics, type WebhookPlugins } from './admission/webhook/mod.ts';
import { createAdmissionRunner } from './admission-runner.ts';
import { AggregationLayer } from './aggregation/mod.ts';
import { type Authentication, createAuthentication } from './auth/authenticators.ts';
import { type AuthorizerDeps, createAuthorizer, createRbac } from './auth/authorization-modes.ts';
import { type Authorizer, decide, ReplaceableAuthorizer } from './auth/authorizer.ts';
import type { ConfigurationFile } from './auth/followed-configuration.ts';
import type { LegacyTokensOptions } from './auth/legacy-tokens.ts';
import type { RbacAuthorizer } from './auth/rbac.ts';
import { ServiceAccountTokens } from './auth/tokens.ts';
import { MASTERS_GROUP, type UserInfo } from './auth/user.ts';
import { Cacher } from './cacher/cacher.ts';
import { CustomResources, DEFINITIONS, DefinitionController, DefinitionMetrics, RuleEngine } from './crd/mod.ts';
import { Discovery } from './discovery/discovery.ts';
import { indexPaths } from './discovery/index-paths.ts';
import { encryptedForm } from './encryption/encrypted-form.ts';
import { Encryption } from './encryption/encryption.ts';
import { buildChain } from './filters/chain.ts';
import { createDispatcher } from './handlers/dispatch.ts';
import type { AdmissionRunner, ServerParts } from './handlers/endpoint.ts';
import type { ReviewAdmission } from './handlers/reviews.ts';
import { AdmissionMetrics } from './metrics/admission-metrics.ts';
import { AuthMetrics } from './metrics/auth-metrics.ts';
import { RequestMetrics } from './metrics/request-metrics.ts';
import { registerServerMetrics } from './metrics/server-metrics.ts';
import { measuredStore } from './metrics/store-metrics.ts';
import { OpenApi } from './openapi/documents.ts';
import { DEFAULT_OPERATIONS, Operations } from './operations.ts';
import { createServiceResolver } from './proxying/service-resolver.ts';
import { createPageReader } from './registry/generic/page-reader.ts';
import type { ServedResource } from './registry/generic/served-resource.ts';
import { ServiceAddressRepair } from './registry/service-addresses/repair.ts';
import { createStrategies } from './registry/strategies.ts';
import type { ObjectReader } from './registry/strategy.ts';
import type { Handler } from './request/context.ts';
import type { ApiServerOptions } from './server-options.ts';
import { createReader, PLAIN_FORM, resourceCounts, type StoredForm, serveBuiltIn, storagePrefixes } from './storage.ts';
import { VERSION } from './version.ts';

/** The server itself, as a user. */
export const LOOPBACK_USER: UserInfo = { name: 'system:apiserver', uid: '', groups: [MASTERS_GROUP, 'system:authenticated'], extra: {} };

/** What all parts are made with. */
export interface Surroundings {
  readonly options: ApiServerOptions;
  readonly metrics: Metrics;
  /** A client of the server that is being made; usable once it is. */
  readonly clientAs: (user: UserInfo, userAgent: string) => Client;
}

export interface Assembly {
  readonly cacher: Cacher;
  readonly custom: CustomResources;
  readonly definitions: DefinitionController;
  readonly aggregation: AggregationLayer;
  readonly webhooks: WebhookPlugins;
  readonly operations: Operations;
  readonly addressRepair: ServiceAddressRepair;
  /** What is configured by files that may change. */
  readonly configurations: readonly ConfigurationFile[];
  /** Writes the status of policies, as `client`. */
  readonly typeChecking: (client: Client, signal: AbortSignal) => Promise<void>;
  /** The whole chain: a request in, an answer out. */
  readonly handler: Handler;
}

/** @param handshakeErrors Of the port, for metrics. */
export function assemble(around: Surroundings, handshakeErrors: () => number): Assembly {
  const storage = assembleStorage(around);
  const access = assembleAccess(around, storage);
  const extensions = assembleExtensions(around, storage);
  const admission = assembleAdmission(around, storage, access, extensions);
  const operations = assembleOperations(around, storage);
  const handler = assembleHandler(around, { storage, access, extensions, admission: admission.runner, operations });
  registerServerMetrics({
    metrics: around.metrics,
    inFlight: operations.running,
    waiting: operations.waiting,
    longRunning: operations.longRunning,
    health: operations.health,
    handshakeErrors,
    version: VERSION,
    resources: () => resourceCounts(storage.cacher, extensions.custom),
  });
  const { custom, definitions, aggregation } = extensions;
  const { clock, logger, configurationFile, authorizationFile } = around.options;
  const configurations = [configurationFile, authorizationFile].filter((file) => file !== undefined);
  for (const configuration of configurations) configuration.register(around.metrics);
  const typeChecking = (client: Client, signal: AbortSignal) => runTypeChecking({ ...storage, custom, client, clock, logger }, signal);
  const { cacher, reader } = storage;
  const client = around.clientAs(LOOPBACK_USER, 'kube-apiserver');
  const addressRepair = new ServiceAddressRepair({ cacher, reader, client, clock, logger });
  const { webhooks } = admission;
  return { cacher, custom, definitions, aggregation, webhooks, operations, addressRepair, configurations, typeChecking, handler };
}

interface StorageParts {
  readonly store: Store;
  readonly encryption: Encryption | undefined;
  readonly form: StoredForm;
  readonly cacher: Cacher;
  readonly reader: ObjectReader;
  readonly rules: RuleEngine;
  /** Built-in resources by `group/version/resource`. */
  readonly served: ReadonlyMap<string, ServedResource>;
  /** What the store's last operation failed with. */
  readonly problem: () => string | undefined;
}

function assembleStorage({ options, metrics, clientAs }: Surroundings): StorageParts {
  const { clock, logger, serviceClusterIpRange, serviceNodePortRange } = options;
  let problem: string | undefined;
  const store = measuredStore(options.store, metrics, (found) => {
    problem = found;
  });
  const encryption = options.encryption === undefined ? undefined : new Encryption({ ...options.encryption, logger });
  const form = encryption === undefined ? PLAIN_FORM : encryptedForm(PLAIN_FORM, encryption);
  const cacher = new Cacher({ store, logger, decode: form.decode, prefixes: storagePrefixes(), definitions: DEFINITIONS });
  const reader = createReader(cacher);
  const rules = new RuleEngine();
  const addresses = addressBook(clientAs(LOOPBACK_USER, 'kube-apiserver'));
  const { strategyOf } = createStrategies({
    ...{ serviceClusterIpRange, serviceNodePortRange, reader, pick: randomInt, rules, addresses, metrics },
  });
  const served = serveBuiltIn({ store, clock, cacher, form, reader, strategyOf });
  return { store, encryption, form, cacher, reader, rules, served, problem: () => problem };
}

function addressBook(client: Client): Parameters<typeof createStrategies>[0]['addresses'] {
  return {
    create: (address) => client.create(ipaddresses, address).then(() => undefined),
    remove: (name) =>
      client.delete(ipaddresses, { name }).catch((error: unknown) => {
        if (!isNotFound(error)) throw error;
      }),
  };
}

/** Labels a Secret if it is still the same; what goes wrong is logged, since nobody waits for it. */
function secretLabeler(client: Client, logger: Logger): LegacyTokensOptions['label'] {
  return async ({ metadata: { namespace, name, uid } }, labels) => {
    await client.patch(secrets, { namespace, name }, 'merge', { metadata: { uid, labels } }).catch((error: unknown) => {
      logger.warn({ namespace, name, error: String(error) }, 'Cannot label the Secret of a token');
    });
  };
}

interface AccessParts {
  readonly rbac: RbacAuthorizer;
  readonly authorizer: Authorizer;
  readonly tokens: ServiceAccountTokens;
  readonly authentication: Authentication;
}

/** Node and RBAC cannot join later, as upstream has it: what they need is made at the start. */
function authorizerOf(options: ApiServerOptions, rbac: RbacAuthorizer, deps: AuthorizerDeps): Authorizer {
  const { authorizationModes, authorizationFile } = options;
  const first = createAuthorizer(authorizationModes, rbac, deps);
  if (authorizationFile === undefined) return first;
  const authorizer = new ReplaceableAuthorizer(first);
  authorizationFile.use((modes) => {
    const late = ['Node', 'RBAC'].find((mode) => modes.includes(mode) && !authorizationModes.includes(mode));
    if (late !== undefined) throw new Error(`authorizer type ${late} is not allowed if it was not enabled at initial server startup`);
    authorizer.replace(createAuthorizer(modes, rbac, deps));
  });
  return authorizer;
}

function assembleAccess({ options, clientAs }: Surroundings, { cacher, reader }: StorageParts): AccessParts {
  const now = () => options.clock.now();
  const rbac = createRbac(cacher, reader);
  const authorizer = authorizerOf(options, rbac, { cacher, reader });
  const tokens = new ServiceAccountTokens(options.tokenKeys, reader, now);
  const client = clientAs(LOOPBACK_USER, 'kube-apiserver');
  const label = secretLabeler(client, options.logger);
  return { rbac, authorizer, tokens, authentication: createAuthentication(options, { serviceAccounts: tokens, reader, now, label }) };
}

interface ExtensionParts {
  readonly discovery: Discovery;
  readonly openApi: OpenApi;
  readonly aggregation: AggregationLayer;
  readonly custom: CustomResources;
  readonly definitions: DefinitionController;
  /** What clients of webhooks need. */
  readonly webhookClients: { readonly resolver: ReturnType<typeof createServiceResolver> };
}

function assembleExtensions({ options, metrics, clientAs }: Surroundings, storage: StorageParts): ExtensionParts {
  const { clock, logger, clientCa } = options;
  const { store, cacher, reader, form, rules } = storage;
  const client = clientAs(LOOPBACK_USER, 'kube-apiserver');
  const webhookClients = { resolver: createServiceResolver(reader, randomInt) };
  const discovery = new Discovery(RESOURCES, GROUPS);
  const openApi = new OpenApi(indexPaths());
  const shared = { cacher, clock, logger };
  const aggregation = new AggregationLayer(options.aggregation ?? {}, { ...shared, reader, client, discovery, openApi, metrics, clientCa });
  const served = { discovery, openApi, metrics: new DefinitionMetrics(metrics) };
  const custom = new CustomResources({ ...shared, ...served, store, reader, form, rules, webhooks: webhookClients });
  const definitions = new DefinitionController({ ...shared, client, resources: custom });
  return { discovery, openApi, aggregation, custom, definitions, webhookClients };
}

interface AdmissionParts {
  readonly runner: AdmissionRunner & ReviewAdmission;
  readonly webhooks: WebhookPlugins;
}

function assembleAdmission(
  { options, metrics, clientAs }: Surroundings,
  { cacher, reader, rules, served }: StorageParts,
  { rbac, authorizer }: AccessParts,
  { custom, webhookClients }: ExtensionParts,
): AdmissionParts {
  const { clock, logger } = options;
  const authorize = celAuthorizer((attributes) => decide(authorizer, attributes));
  const customVersions = (name: string) => custom.definition(name)?.versions.map((version) => version.served) ?? [];
  const shared = { reader, cacher, authorize, clock };
  const webhooks = createWebhookPlugins({
    ...shared,
    client: webhookClients,
    logger,
    served,
    customVersions,
    configurations: options.admissionConfigurations,
    metrics: new WebhookMetrics(metrics),
  });
  const policies = createPolicyPlugins({
    ...shared,
    engine: rules,
    equivalents: equivalentsIn({ served, customVersions }),
    findServed: (group, version, kind) => findServed(served, custom, { group, version, kind }),
    metrics: new PolicyMetrics(metrics),
  });
  const runner = createAdmissionRunner(options, { reader, authorizer, rbac }, clientAs(LOOPBACK_USER, 'kube-apiserver'), {
    metrics: new AdmissionMetrics(metrics),
    plugins: [...webhooks.plugins, ...policies],
    webhooks: webhookClients,
    expressions: rules,
    findCustom: (group, version, kind) => findServed(served, custom, { group, version, kind })?.resource,
  });
  return { runner, webhooks };
}

/** The resource of a kind, built in or custom. */
function findServed(
  served: ReadonlyMap<string, ServedResource>,
  custom: CustomResources,
  { group, version, kind }: { readonly group: string; readonly version: string; readonly kind: string },
): ServedResource | undefined {
  const isIt = ({ resource }: ServedResource) => resource.group === group && resource.version === version && resource.kind === kind;
  const ofDefinitions = () => [...custom.definitions()].flatMap(({ versions }) => versions.map((one) => one.served));
  return served.values().find(isIt) ?? ofDefinitions().find(isIt);
}

function assembleOperations({ options, metrics, clientAs }: Surroundings, storage: StorageParts): Operations {
  const { clock, logger, maxInFlight, authorizationModes } = options;
  const { encryption, cacher, reader, problem } = storage;
  return new Operations({
    ...{ maxInFlight, clock, logger, metrics, encryption, cacher, reader },
    options: options.operations ?? DEFAULT_OPERATIONS,
    client: clientAs(LOOPBACK_USER, 'api-priority-and-fairness-config-consumer-v1'),
    rbac: authorizationModes.includes('RBAC'),
    paths: indexPaths,
    storeProblem: problem,
  });
}

interface HandlerParts {
  readonly storage: StorageParts;
  readonly access: AccessParts;
  readonly extensions: ExtensionParts;
  readonly admission: AdmissionRunner & ReviewAdmission;
  readonly operations: Operations;
}

function assembleHandler({ options, metrics }: Surroundings, made: HandlerParts): Handler {
  const { clock, logger, kubelets } = options;
  const { store, form, cacher, reader, served } = made.storage;
  const { authorizer, tokens, authentication } = made.access;
  const { discovery, openApi, custom, aggregation } = made.extensions;
  const { minRequestTimeoutSeconds } = options.operations ?? DEFAULT_OPERATIONS;
  const pages = createPageReader(store, form.decode);
  const parts: ServerParts = { clock, minRequestTimeoutSeconds, logger, cacher, reader, authorizer, admission: made.admission, pages };
  const dispatcher = createDispatcher({
    ...{ parts, served, discovery, custom, openApi, tokens, kubelets },
    resources: RESOURCES,
    paths: {
      metrics,
      tokens,
      version: VERSION,
      jwksUri: options.tokenKeys.jwksUri ?? `https://${options.advertiseAddress}/openid/v1/jwks`,
      index: () => [...new Set([...indexPaths(), ...discovery.paths()])].sort(),
    },
    reviews: { authorizer, identify: authentication.identify, admission: made.admission },
  });
  return buildChain(made.operations.paths(aggregation.wrap(dispatcher)), {
    authenticator: aggregation.authenticator(authentication.authenticator),
    authorizer,
    clock,
    requests: new RequestMetrics(metrics),
    auth: new AuthMetrics(metrics),
    logger,
    ...made.operations.filters,
  });
}
