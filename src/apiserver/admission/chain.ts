// SPDX-License-Identifier: Apache-2.0
// The order of admission plugins, upstream's recommended one, and the two passes over it. Webhooks and CEL policies are
// plugins like the others: the server passes them in, their place in the order is here. @source pkg/kubeapiserver/options/plugins.go
import type { Clock } from '#component';
import type { AdmissionMetrics, AdmissionPass, AdmissionTimes } from '../metrics/admission-metrics.ts';
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
import { nodeDeclaredFeatureValidator, podResizeValidator } from './pod-resize.ts';
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
  'NodeDeclaredFeatureValidator',
  'PodResizeValidator',
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
const NOT_BUILT = new Set(['PodGroupProtection', 'PodGroupWorkloadExists', 'JobValidation']);

export interface AdmissionChain {
  /** Names of the plugins that run, in order. */
  readonly names: readonly string[];
  /** @returns undefined where no plugin had to wait. @throws {ApiError} When a plugin refuses. */
  runMutating(request: AdmissionRequest, deps: AdmissionDeps): Promise<void> | undefined;
  /** @returns undefined where no plugin had to wait. @throws {ApiError} When a plugin refuses. */
  runValidating(request: AdmissionRequest, deps: AdmissionDeps): Promise<void> | undefined;
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
  nodeDeclaredFeatureValidator,
  podResizeValidator,
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
  const mutating = new Pass('admit', plugins, metrics);
  const validating = new Pass('validate', plugins, metrics);
  return {
    names: plugins.map(({ name }) => name),
    runMutating(request, deps) {
      const again = () => {
        if (request.reinvocation?.wanted !== true) return undefined;
        request.reinvocation.isReinvoke = true;
        return mutating.run(request, deps);
      };
      const first = mutating.run(request, deps);
      return first === undefined ? again() : first.then(again);
    },
    runValidating: (request, deps) => validating.run(request, deps),
  };
}

interface PassPlugin {
  readonly plugin: AdmissionPlugin;
  readonly times: AdmissionTimes | undefined;
}

/** One pass over the plugins, timed. Nothing is waited for, and no promise made, where every plugin answers at once: most do. */
class Pass {
  readonly #type: AdmissionPass;
  readonly #plugins: readonly PassPlugin[];
  readonly #times: AdmissionTimes | undefined;

  constructor(type: AdmissionPass, plugins: readonly AdmissionPlugin[], metrics: AdmissionMetrics | undefined) {
    this.#type = type;
    this.#plugins = plugins
      .filter((plugin) => plugin[type] !== undefined)
      .map((plugin) => ({ plugin, times: metrics?.controller(plugin.name, type) }));
    this.#times = metrics?.step(type);
  }

  run(request: AdmissionRequest, deps: AdmissionDeps): Promise<void> | undefined {
    const startedAt = performance.now();
    return this.#runFrom(0, request, deps, { startedAt, since: startedAt });
  }

  #runFrom(first: number, request: AdmissionRequest, deps: AdmissionDeps, clock: PassClock): Promise<void> | undefined {
    for (let index = first; index < this.#plugins.length; index++) {
      const { plugin, times } = this.#plugins[index] as PassPlugin;
      if (!plugin.handles(request)) continue;
      let done: Promise<void> | void;
      try {
        done = plugin[this.#type]?.(request, deps);
      } catch (error) {
        this.#refused(request, times, clock);
        throw error;
      }
      if (done instanceof Promise) return this.#waitFor(done, index, request, deps, clock);
      this.#passed(request, times, clock);
    }
    this.#times?.observe(request.operation, false, clock.since - clock.startedAt);
    return undefined;
  }

  async #waitFor(done: Promise<void>, index: number, request: AdmissionRequest, deps: AdmissionDeps, clock: PassClock): Promise<void> {
    const times = this.#plugins[index]?.times;
    try {
      await done;
    } catch (error) {
      this.#refused(request, times, clock);
      throw error;
    }
    this.#passed(request, times, clock);
    await this.#runFrom(index + 1, request, deps, clock);
  }

  #passed({ operation }: AdmissionRequest, times: AdmissionTimes | undefined, clock: PassClock): void {
    const now = performance.now();
    times?.observe(operation, false, now - clock.since);
    clock.since = now;
  }

  #refused({ operation }: AdmissionRequest, times: AdmissionTimes | undefined, { startedAt, since }: PassClock): void {
    const now = performance.now();
    times?.observe(operation, true, now - since);
    this.#times?.observe(operation, true, now - startedAt);
  }
}

/** Milliseconds: when a pass began, and when its latest plugin was done. */
interface PassClock {
  readonly startedAt: number;
  since: number;
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
