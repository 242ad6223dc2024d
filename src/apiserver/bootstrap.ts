// SPDX-License-Identifier: Apache-2.0
// What every API server makes sure exists before it is ready: system namespaces, RBAC's roles, priority classes, the `kubernetes`
// Service with its endpoints, the default ServiceCIDR. What is there already is left alone. What a cluster cannot do without is made
// again when somebody deletes it (keepDefaults).
// @source upstream pkg/controlplane/{controller,apiserver}, post-start hooks

import {
  apiservices,
  clusterrolebindings,
  clusterroles,
  configmaps,
  endpoints,
  endpointslices,
  flowschemas,
  namespaces,
  priorityclasses,
  prioritylevelconfigurations,
  RESOURCES,
  rolebindings,
  roles,
  servicecidrs,
  services,
} from '#api';
import type { FlowSchema } from '#api/flowcontrol/v1';
import { type Client, DONE, RateLimitedQueue, runController } from '#client';
import type { Logger } from '#component';
import { type Draft, deepEqual, isAlreadyExists, isNotFound, type KubeObject, type Resource } from '#machinery';
import { localApiService } from './aggregation/mod.ts';
import { bootstrapPolicy } from './auth/bootstrap-policy.ts';
import type { Cacher } from './cacher/cacher.ts';
import type { CacheEvent } from './cacher/resource-cache.ts';
import { danglingCondition, flowSchemas, priorityLevels } from './flow/flow-objects.ts';
import { prefixOf } from './registry/generic/keys.ts';

export interface BootstrapOptions {
  readonly client: Client;
  readonly logger: Logger;
  readonly serviceClusterIpRange: string;
  /** The first address of the range: where Pods find the API. */
  readonly serviceIp: string;
  /** Where this server is reached; undefined if that is unknown (loopback only): then there are no endpoints. */
  readonly advertise: { readonly address: string; readonly port: number };
  readonly rbac: boolean;
  readonly now: () => number;
}

const SYSTEM_NAMESPACES = ['default', 'kube-system', 'kube-public', 'kube-node-lease'];
const RBAC = { clusterroles, roles, clusterrolebindings, rolebindings } as const;

/** Idempotent. Order matters: namespaces come before what lives in them. */
export async function bootstrap(options: BootstrapOptions): Promise<void> {
  const { client } = options;
  await ensureNamespaces(client);
  const policy = options.rbac ? bootstrapPolicy() : [];
  await Promise.all([
    ...policy.map(({ resource, object }) => ensure(client, RBAC[resource] as unknown as Resource<KubeObject>, object as Draft<KubeObject>)),
    ...priorityClasses().map((object) => ensure(client, priorityclasses, object)),
    ...priorityLevels().map((object) => ensure(client, prioritylevelconfigurations, object)),
    ...flowSchemas().map((object) => ensureFlowSchema(client, object)),
    ...localApiServices().map((object) => ensure(client, apiservices, object)),
    ensureDefaultRange(options),
    ensureTokenTracking(options),
  ]);
  await ensureKubernetesService(options);
}

/** The objects whose end `keepDefaults` watches for. */
const KEPT: readonly (readonly [resource: Resource, names: readonly string[], namespace?: string])[] = [
  [namespaces as unknown as Resource, SYSTEM_NAMESPACES],
  [servicecidrs as unknown as Resource, ['kubernetes']],
  [services as unknown as Resource, ['kubernetes'], 'default'],
  [endpoints as unknown as Resource, ['kubernetes'], 'default'],
  [endpointslices as unknown as Resource, ['kubernetes'], 'default'],
];

/**
 * Makes the namespaces of the system, the default ServiceCIDR and the `kubernetes` Service with its endpoints again as soon as one of
 * them is gone, until `signal`.
 *
 * @source upstream pkg/controlplane/controller/{systemnamespaces,kubernetesservice,defaultservicecidr}, which look every so often
 */
export async function keepDefaults(options: BootstrapOptions, cacher: Cacher, signal: AbortSignal): Promise<void> {
  const queue = new RateLimitedQueue<string>();
  using subscriptions = new DisposableStack();
  for (const [resource, names, namespace = ''] of KEPT) {
    const offer = ({ type }: CacheEvent) => type === 'delete' && queue.add(resource.resource);
    const cache = cacher.cache(prefixOf(resource));
    for (const name of names) subscriptions.use(cache.subscribe({ interest: { namespace, name, nodeName: '' }, offer, close() {} }));
  }
  const reconcile = async () => {
    await ensureNamespaces(options.client);
    await ensureDefaultRange(options);
    await ensureKubernetesService(options);
    return DONE;
  };
  await runController({ name: 'bootstrap-controller', workers: 1, queue, reconcile, logger: options.logger, signal });
}

/** Says since when the Secrets of tokens bear the day of their last use. @source upstream pkg/controlplane/controller/legacytokentracking */
async function ensureTokenTracking({ client, now }: BootstrapOptions): Promise<void> {
  const metadata = { namespace: 'kube-system', name: 'kube-apiserver-legacy-service-account-token-tracking' };
  const data = { since: new Date(now()).toISOString().slice(0, 10) };
  await ensure(client, configmaps, { metadata, data });
  const found = await client.get(configmaps, metadata);
  if (!/^\d{4}-\d\d-\d\d$/.test(found.data?.['since'] ?? ''))
    await client.update(configmaps, { ...found, data: { ...found.data, ...data } });
}

async function ensureNamespaces(client: Client): Promise<void> {
  await Promise.all(SYSTEM_NAMESPACES.map((name) => ensure(client, namespaces, { metadata: { name } })));
}

async function ensureKubernetesService(options: BootstrapOptions): Promise<void> {
  await ensure(options.client, services as Resource<KubeObject>, kubernetesService(options.serviceIp));
  await publishEndpoints(options);
}

async function ensure<T extends KubeObject>(client: Client, resource: Resource<T>, object: Draft<T>): Promise<void> {
  const { name = '', namespace } = (object as Draft<KubeObject>).metadata ?? {};
  try {
    await client.get(resource, { namespace, name });
    return;
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
  await client.create(resource, object).catch((error: unknown) => {
    if (!isAlreadyExists(error)) throw error; // Another API server was faster.
  });
}

/** With the status that says its priority level exists. */
async function ensureFlowSchema(client: Client, object: Draft<FlowSchema>): Promise<void> {
  await ensure(client, flowschemas, object);
  const name = object.metadata?.name ?? '';
  const found = await client.get(flowschemas, { name });
  if (found.status?.conditions?.some(({ type }) => type === 'Dangling')) return;
  const condition = danglingCondition(found.spec.priorityLevelConfiguration.name, true, found.metadata.creationTimestamp ?? '');
  await client.patch(flowschemas, { name }, 'merge', { status: { conditions: [condition] } }, { subresource: 'status' });
}

/** One that has got a second family since is extended; any other difference is for the administrator to settle. */
async function ensureDefaultRange({ client, logger, serviceClusterIpRange }: BootstrapOptions): Promise<void> {
  const name = 'kubernetes';
  const cidrs = serviceClusterIpRange.split(',');
  await ensure(client, servicecidrs, { metadata: { name }, spec: { cidrs } });
  const found = await client.get(servicecidrs, { name });
  const had = found.spec?.cidrs ?? [];
  if (found.metadata.deletionTimestamp !== undefined) return;
  if (cidrs.length === 2 && had.length === 1 && had[0] === cidrs[0]) {
    await client.update(servicecidrs, { ...found, spec: { cidrs } });
  } else if (!deepEqual(had, cidrs)) {
    return logger.warn({ cidrs, had }, 'The default ServiceCIDR does not match the range that is configured');
  }
  if (found.status?.conditions?.some(({ type }) => type === 'Ready')) return;
  const message = 'Kubernetes default Service CIDR is ready';
  const condition = { type: 'Ready', status: 'True', reason: '', message, lastTransitionTime: found.metadata.creationTimestamp };
  await client.patch(servicecidrs, { name }, 'merge', { status: { conditions: [condition] } }, { subresource: 'status' });
}

function priorityClasses() {
  return [
    {
      metadata: { name: 'system-node-critical' },
      value: 2_000_001_000,
      description: 'Used for system critical pods that must not be moved from their current node.',
    },
    {
      metadata: { name: 'system-cluster-critical' },
      value: 2_000_000_000,
      description: 'Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.',
    },
  ];
}

/** An APIService per group and version served here. */
function localApiServices() {
  const versions = new Map(RESOURCES.map(({ group, version }) => [`${version}.${group}`, { group, version }]));
  return [...versions.values()].flatMap((of) => localApiService(of) ?? []);
}

function kubernetesService(clusterIp: string): Draft<KubeObject> {
  return {
    metadata: { name: 'kubernetes', namespace: 'default', labels: { component: 'apiserver', provider: 'kubernetes' } },
    spec: {
      clusterIP: clusterIp,
      clusterIPs: [clusterIp],
      ipFamilies: [clusterIp.includes(':') ? 'IPv6' : 'IPv4'],
      ipFamilyPolicy: 'SingleStack',
      type: 'ClusterIP',
      sessionAffinity: 'None',
      ports: [{ name: 'https', protocol: 'TCP', port: 443, targetPort: 6443 }],
    },
  } as Draft<KubeObject>;
}

/** Endpoints and EndpointSlice of the `kubernetes` Service point at this server. */
async function publishEndpoints({ client, logger, advertise: { address, port } }: BootstrapOptions): Promise<void> {
  if (address.startsWith('127.') || address === '::1') {
    logger.warn({ address }, 'The kubernetes Service gets no endpoints: nobody else can reach this address');
    return;
  }
  const subsets = [{ addresses: [{ ip: address }], ports: [{ name: 'https', port, protocol: 'TCP' as const }] }];
  const slice = {
    addressType: address.includes(':') ? ('IPv6' as const) : ('IPv4' as const),
    endpoints: [{ addresses: [address], conditions: { ready: true } }],
    ports: [{ name: 'https', port, protocol: 'TCP' as const }],
  };
  const name = 'kubernetes';
  const namespace = 'default';
  await ensure(client, endpoints, {
    metadata: { name, namespace, labels: { 'endpointslice.kubernetes.io/skip-mirror': 'true' } },
    subsets,
  });
  await ensure(client, endpointslices, { metadata: { name, namespace, labels: { 'kubernetes.io/service-name': name } }, ...slice });
  // The address may be another one than at the last start.
  await client.patch(endpoints, { name, namespace }, 'merge', { subsets });
  await client.patch(endpointslices, { name, namespace }, 'merge', { endpoints: slice.endpoints, ports: slice.ports });
}
