// SPDX-License-Identifier: Apache-2.0
// The order of admission plugins, upstream's recommended one, and the two passes over it. Webhooks and CEL policies are
// plugins like the others: the server passes them in, their place in the order is here. @source pkg/kubeapiserver/options/plugins.go
import type { Clock } from '#component';
import type { AdmissionMetrics, AdmissionPass } from '../metrics/admission-metrics.ts';
import type { WebhookClientDeps } from '../webhook-client/mod.ts';
import type { AdmissionDeps, AdmissionPlugin, AdmissionRequest } from './admission.ts';
import type { PluginConfigurations } from './admission-configuration.ts';
import { alwaysAdmit, alwaysDeny, alwaysPullImages, denyServiceExternalIPs, limitPodHardAntiAffinityTopology } from './always.ts';
import { certificateApproval, certificateSigning, certificateSubjectRestriction, clusterTrustBundleAttest } from './certificates.ts';
import { defaultIngressClass } from './default-ingress-class.ts';
import { defaultTolerationSeconds } from './default-toleration-seconds.ts';
import { eventRateLimit } from './event-rate-limit.ts';
import { imagePolicyWebhook } from './image-policy.ts';
import { limitRanger } from './limit-ranger.ts';
import { namespaceLifecycle } from './namespace-lifecycle.ts';
import { namespaceAutoProvision, namespaceExists } from './namespace-plugins.ts';
import { nodeRestriction } from './node-restriction.ts';
import { extendedResourceToleration, podTopologyLabels } from './node-topology.ts';
import { ownerReferencesPermissionEnforcement } from './owner-references.ts';
import { podNodeSelector } from './pod-node-selector.ts';
import { podSecurity } from './pod-security/mod.ts';
import { podTolerationRestriction } from './pod-toleration-restriction.ts';
import { priority } from './priority.ts';
import { resourceQuota } from './resource-quota.ts';
import { runtimeClass } from './runtime-class.ts';
import { serviceAccount } from './service-account.ts';
import { defaultStorageClass, persistentVolumeClaimResize, storageObjectInUseProtection } from './storage.ts';
import { taintNodesByCondition } from './taint-nodes.ts';

/** Every plugin that may run, first to last. */
export const ADMISSION_ORDER = [
  'AlwaysAdmit',
  'NamespaceAutoProvision',
  'NamespaceLifecycle',
  'NamespaceExists',
  'LimitPodHardAntiAffinityTopology',
  'LimitRanger',
  'ServiceAccount',
  'NodeRestriction',
  'TaintNodesByCondition',
  'AlwaysPullImages',
  'ImagePolicyWebhook',
  'PodSecurity',
  'PodNodeSelector',
  'Priority',
  'DefaultTolerationSeconds',
  'PodTolerationRestriction',
  'EventRateLimit',
  'ExtendedResourceToleration',
  'DefaultStorageClass',
  'StorageObjectInUseProtection',
  'OwnerReferencesPermissionEnforcement',
  'PersistentVolumeClaimResize',
  'RuntimeClass',
  'CertificateApproval',
  'CertificateSigning',
  'ClusterTrustBundleAttest',
  'CertificateSubjectRestriction',
  'DefaultIngressClass',
  'DenyServiceExternalIPs',
  'PodTopologyLabels',
  'MutatingAdmissionPolicy',
  'MutatingAdmissionWebhook',
  'ValidatingAdmissionPolicy',
  'ValidatingAdmissionWebhook',
  'ResourceQuota',
  'AlwaysDeny',
] as const;

/** Off unless `--enable-admission-plugins` names it. */
const OFF_BY_DEFAULT = new Set([
  'AlwaysAdmit',
  'NamespaceAutoProvision',
  'NamespaceExists',
  'LimitPodHardAntiAffinityTopology',
  'NodeRestriction',
  'AlwaysPullImages',
  'ImagePolicyWebhook',
  'PodNodeSelector',
  'PodTolerationRestriction',
  'EventRateLimit',
  'ExtendedResourceToleration',
  'OwnerReferencesPermissionEnforcement',
  'DenyServiceExternalIPs',
  'AlwaysDeny',
]);
/** Upstream's, for features that are not here: they may be turned off, which they are, and not on. */
const NOT_BUILT = new Set([
  'PodGroupProtection',
  'PodGroupWorkloadExists',
  'NodeDeclaredFeatureValidator',
  'JobValidation',
  'PodResizeValidator',
]);

export interface AdmissionChain {
  /** Names of the plugins that run, in order. */
  readonly names: readonly string[];
  /** @throws {ApiError} When a plugin refuses. */
  runMutating(request: AdmissionRequest, deps: AdmissionDeps): Promise<void>;
  /** @throws {ApiError} When a plugin refuses. */
  runValidating(request: AdmissionRequest, deps: AdmissionDeps): Promise<void>;
}

export interface AdmissionChainOptions {
  readonly enabled: readonly string[];
  readonly disabled: readonly string[];
  /** Of `--admission-control-config-file`. */
  readonly configurations?: PluginConfigurations | undefined;
  /** What ImagePolicyWebhook needs. */
  readonly clock?: Clock | undefined;
  readonly webhooks?: WebhookClientDeps | undefined;
  readonly metrics?: AdmissionMetrics | undefined;
  /** Plugins made elsewhere (webhooks, policies); a name that the order lacks is refused. */
  readonly extra?: readonly AdmissionPlugin[];
}

const PLAIN = [
  alwaysAdmit,
  namespaceAutoProvision,
  namespaceLifecycle,
  namespaceExists,
  limitPodHardAntiAffinityTopology,
  limitRanger,
  serviceAccount,
  nodeRestriction,
  taintNodesByCondition,
  alwaysPullImages,
  priority,
  defaultTolerationSeconds,
  extendedResourceToleration,
  defaultStorageClass,
  storageObjectInUseProtection,
  ownerReferencesPermissionEnforcement,
  persistentVolumeClaimResize,
  runtimeClass,
  certificateApproval,
  certificateSigning,
  clusterTrustBundleAttest,
  certificateSubjectRestriction,
  defaultIngressClass,
  denyServiceExternalIPs,
  podTopologyLabels,
  alwaysDeny,
];
/** Plugins with a configuration, or with state of their own. */
const CONFIGURED: Readonly<Record<string, (configuration: unknown, options: AdmissionChainOptions) => AdmissionPlugin>> = {
  PodSecurity: podSecurity,
  PodNodeSelector: podNodeSelector,
  PodTolerationRestriction: podTolerationRestriction,
  EventRateLimit: eventRateLimit,
  ResourceQuota: resourceQuota,
  ImagePolicyWebhook(configuration, { clock, webhooks }) {
    if (clock === undefined || webhooks === undefined)
      throw new RangeError('build the admission chain: ImagePolicyWebhook cannot run here');
    return imagePolicyWebhook(configuration, { clock, client: webhooks });
  },
};
/** They read their configuration where they are made. */
const CONFIGURED_ELSEWHERE = new Set(['MutatingAdmissionWebhook', 'ValidatingAdmissionWebhook']);

/** @throws {RangeError} If a flag, a configuration or an extra plugin names one that is not known. */
export function createAdmissionChain(options: AdmissionChainOptions): AdmissionChain {
  const { metrics } = options;
  const { enabled, disabled, configurations = new Map(), extra = [] } = options;
  checkNames(options);
  const isOn = (name: string) => !disabled.includes(name) && (enabled.includes(name) || !OFF_BY_DEFAULT.has(name));
  const ready = new Map([...PLAIN, ...extra].map((plugin) => [plugin.name, plugin]));
  const plugins = ADMISSION_ORDER.filter(isOn).flatMap((name) => {
    return CONFIGURED[name]?.(configurations.get(name), options) ?? ready.get(name) ?? [];
  });
  const mutating = plugins.filter(({ admit }) => admit !== undefined);
  const validating = plugins.filter(({ validate }) => validate !== undefined);
  const mutate = (request: AdmissionRequest, deps: AdmissionDeps) => pass('admit', mutating, request, deps, metrics);
  return {
    names: plugins.map(({ name }) => name),
    async runMutating(request, deps) {
      await mutate(request, deps);
      if (request.reinvocation?.wanted !== true) return;
      request.reinvocation.isReinvoke = true;
      await mutate(request, deps);
    },
    runValidating: (request, deps) => pass('validate', validating, request, deps, metrics),
  };
}

/** One pass over the plugins, timed. */
async function pass(
  type: AdmissionPass,
  plugins: readonly AdmissionPlugin[],
  request: AdmissionRequest,
  deps: AdmissionDeps,
  metrics: AdmissionMetrics | undefined,
): Promise<void> {
  const { operation } = request;
  const startedAt = performance.now();
  let since = startedAt;
  for (const plugin of plugins) {
    if (!plugin.handles(request)) continue;
    try {
      const done = plugin[type]?.(request, deps);
      if (done instanceof Promise) await done; // Most answer at once.
    } catch (error) {
      const now = performance.now();
      metrics?.controller(plugin.name, type, operation, true, now - since);
      metrics?.step(type, operation, true, now - startedAt);
      throw error;
    }
    const now = performance.now();
    metrics?.controller(plugin.name, type, operation, false, now - since);
    since = now;
  }
  metrics?.step(type, operation, false, since - startedAt);
}

function checkNames({ enabled, disabled, configurations = new Map(), extra = [] }: AdmissionChainOptions): void {
  const isKnown = (name: string) => (ADMISSION_ORDER as readonly string[]).includes(name);
  for (const name of enabled) if (NOT_BUILT.has(name)) throw new RangeError(`build the admission chain: plugin "${name}" is not supported`);
  for (const name of [...enabled, ...disabled, ...extra.map((plugin) => plugin.name)]) {
    if (!isKnown(name) && !NOT_BUILT.has(name)) throw new RangeError(`build the admission chain: unknown plugin "${name}"`);
  }
  for (const name of configurations.keys()) {
    if (CONFIGURED[name] === undefined && !CONFIGURED_ELSEWHERE.has(name))
      throw new RangeError(`build the admission chain: plugin "${name}" takes no configuration`);
  }
}
