// SPDX-License-Identifier: Apache-2.0
// `Warning` texts of every kind but Pods: templates of workloads, deprecated volume sources, settings without effect.
import { type DeepReadonly, field, type KubeObject } from '../../machinery/mod.ts';
import type { PersistentVolume, PersistentVolumeClaim, PodTemplateSpec, Service } from '../generated/core/v1.ts';
import type { CSIDriver } from '../generated/storage/v1.ts';
import { claimSpecWarnings, deprecatedSourceWarnings, nameWarnings, templateWarnings } from './pod-warnings.ts';

const TEMPLATED = new Set([
  'apps/Deployment',
  'apps/ReplicaSet',
  'apps/DaemonSet',
  'apps/StatefulSet',
  'batch/Job',
  '/ReplicationController',
]);
/** Whose Pods are named after them. */
const NAMING = new Set(['apps/Deployment', 'apps/ReplicaSet', 'batch/Job', '/ReplicationController']);

interface Templated {
  readonly template?: DeepReadonly<PodTemplateSpec>;
  readonly volumeClaimTemplates?: readonly DeepReadonly<PersistentVolumeClaim>[];
}
const ENFORCE = 'kubernetes.io/enforce-mountable-secrets';

/** @param isNew Whether it is being created: some things are said only then. */
export function warningsOf(
  { group, kind }: { readonly group: string; readonly kind: string },
  object: DeepReadonly<KubeObject>,
  isNew: boolean,
): string[] {
  const key = `${group}/${kind}`;
  if (TEMPLATED.has(key)) {
    const { spec } = object as unknown as { spec: Templated };
    const name = isNew && NAMING.has(key) ? nameWarnings(object.metadata.name, 'Pod names and hostnames') : [];
    const claims = (spec.volumeClaimTemplates ?? []).flatMap((claim, index) =>
      claimSpecWarnings(claim.spec, field('spec', 'volumeClaimTemplates').index(index).child('spec')),
    );
    return [...name, ...templateWarnings(spec.template, field('spec', 'template')), ...claims];
  }
  switch (key) {
    case '/PodTemplate':
      return templateWarnings((object as unknown as { template: DeepReadonly<PodTemplateSpec> }).template, field('template'));
    case 'batch/CronJob': {
      const { spec } = object as unknown as { spec: { jobTemplate: { spec: { template: DeepReadonly<PodTemplateSpec> } } } };
      return templateWarnings(spec.jobTemplate.spec.template, field('spec', 'jobTemplate', 'spec', 'template'));
    }
    case '/PersistentVolumeClaim':
      return claimSpecWarnings((object as unknown as PersistentVolumeClaim).spec, field('spec'));
    case '/PersistentVolume':
      return deprecatedSourceWarnings((object as unknown as PersistentVolume).spec, field('spec'));
    case '/ServiceAccount':
      return object.metadata.annotations?.[ENFORCE] === undefined
        ? []
        : [`metadata.annotations[${ENFORCE}]: deprecated in v1.32+; prefer separate namespaces to isolate access to mounted secrets`];
    case 'storage.k8s.io/CSIDriver':
      return isNew ? driverWarnings(object as unknown as CSIDriver) : [];
    case '/Service':
      return serviceWarnings(object as unknown as Service);
    default:
      return [];
  }
}

const [HINTS, MODE] = ['service.kubernetes.io/topology-aware-hints', 'service.kubernetes.io/topology-mode'];

function serviceWarnings({ metadata, spec }: DeepReadonly<Service>): string[] {
  const isHeadless = spec.clusterIP === 'None' || spec.clusterIPs?.[0] === 'None';
  const hasExternal = (spec.externalIPs ?? []).length > 0;
  const warnings: string[] = [];
  const note = (isWrong: boolean, text: string) => {
    if (isWrong) warnings.push(text);
  };
  note(metadata.annotations?.[HINTS] !== undefined, `annotation ${HINTS} is deprecated, please use ${MODE} instead`);
  note(spec.type === 'ExternalName' && hasExternal, 'spec.externalIPs is ignored when spec.type is "ExternalName"');
  note(spec.type !== 'ExternalName' && Boolean(spec.externalName), 'spec.externalName is ignored when spec.type is not "ExternalName"');
  note(isHeadless && Boolean(spec.loadBalancerIP), 'spec.loadBalancerIP is ignored for headless services');
  note(isHeadless && hasExternal, 'spec.externalIPs is ignored for headless services');
  note(isHeadless && spec.sessionAffinity === 'ClientIP', 'spec.SessionAffinity is ignored for headless services');
  note(hasExternal, 'spec.externalIPs is deprecated and may no longer be implemented in some clusters');
  note(spec.trafficDistribution === 'PreferClose', 'spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"');
  return warnings;
}

function driverWarnings({ spec }: CSIDriver): string[] {
  if ((spec.tokenRequests ?? []).length === 0 || spec.serviceAccountTokenInSecrets !== undefined) return [];
  return [
    'spec.serviceAccountTokenInSecrets is unset; if supported by this CSI driver, set to true to prevent possible logging of tokens in volume attributes',
  ];
}
