// SPDX-License-Identifier: Apache-2.0
// The order of admission plugins, upstream's recommended one, and the two passes over it. Webhooks and CEL policies are
// plugins like the others: the server passes them in, their place in the order is here.
import type { AdmissionDeps, AdmissionPlugin, AdmissionRequest } from './admission.ts';
import { certificateApproval, certificateSigning, certificateSubjectRestriction } from './certificates.ts';
import { defaultIngressClass } from './default-ingress-class.ts';
import { defaultTolerationSeconds } from './default-toleration-seconds.ts';
import { limitRanger } from './limit-ranger.ts';
import { namespaceLifecycle } from './namespace-lifecycle.ts';
import { nodeRestriction } from './node-restriction.ts';
import { podSecurity } from './pod-security/mod.ts';
import { priority } from './priority.ts';
import { resourceQuota } from './resource-quota.ts';
import { runtimeClass } from './runtime-class.ts';
import { serviceAccount } from './service-account.ts';
import { defaultStorageClass, persistentVolumeClaimResize, storageObjectInUseProtection } from './storage.ts';
import { taintNodesByCondition } from './taint-nodes.ts';

/** Every plugin that may run, first to last. */
export const ADMISSION_ORDER = [
  'NamespaceLifecycle',
  'LimitRanger',
  'ServiceAccount',
  'NodeRestriction',
  'TaintNodesByCondition',
  'PodSecurity',
  'Priority',
  'DefaultTolerationSeconds',
  'DefaultStorageClass',
  'StorageObjectInUseProtection',
  'PersistentVolumeClaimResize',
  'RuntimeClass',
  'CertificateApproval',
  'CertificateSigning',
  'CertificateSubjectRestriction',
  'DefaultIngressClass',
  'MutatingAdmissionPolicy',
  'MutatingAdmissionWebhook',
  'ValidatingAdmissionPolicy',
  'ValidatingAdmissionWebhook',
  'ResourceQuota',
] as const;

/** Off unless `--enable-admission-plugins` names it. */
const OFF_BY_DEFAULT = new Set(['NodeRestriction']);

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
  /** Plugins made elsewhere (webhooks, policies); a name that the order lacks is refused. */
  readonly extra?: readonly AdmissionPlugin[];
}

/** @throws {RangeError} If a flag or an extra plugin names one that is not known. */
export function createAdmissionChain({ enabled, disabled, extra = [] }: AdmissionChainOptions): AdmissionChain {
  const builtIn = [
    namespaceLifecycle,
    limitRanger,
    serviceAccount,
    nodeRestriction,
    taintNodesByCondition,
    podSecurity,
    priority,
    defaultTolerationSeconds,
    defaultStorageClass,
    storageObjectInUseProtection,
    persistentVolumeClaimResize,
    runtimeClass,
    certificateApproval,
    certificateSigning,
    certificateSubjectRestriction,
    defaultIngressClass,
    resourceQuota(),
  ];
  const byName = new Map([...builtIn, ...extra].map((plugin) => [plugin.name, plugin]));
  for (const name of [...enabled, ...disabled, ...byName.keys()]) {
    if (!(ADMISSION_ORDER as readonly string[]).includes(name)) throw new RangeError(`build the admission chain: unknown plugin "${name}"`);
  }
  const isOn = (name: string) => !disabled.includes(name) && (enabled.includes(name) || !OFF_BY_DEFAULT.has(name));
  const plugins = ADMISSION_ORDER.filter(isOn).flatMap((name) => byName.get(name) ?? []);
  const mutating = plugins.filter(({ admit }) => admit !== undefined);
  const validating = plugins.filter(({ validate }) => validate !== undefined);
  return {
    names: plugins.map(({ name }) => name),
    async runMutating(request, deps) {
      for (const plugin of mutating) if (plugin.handles(request)) await plugin.admit?.(request, deps);
    },
    async runValidating(request, deps) {
      for (const plugin of validating) if (plugin.handles(request)) await plugin.validate?.(request, deps);
    },
  };
}
