// SPDX-License-Identifier: Apache-2.0
// `Warning` texts of every kind but Pods: templates of workloads, deprecated volume sources, settings without effect.
import { type DeepReadonly, field, type KubeObject } from '../../machinery/mod.ts';
import type { PersistentVolume, PodTemplateSpec, Service } from '../generated/core/v1.ts';
import type { CSIDriver } from '../generated/storage/v1.ts';
import { deprecatedSourceWarnings, templateWarnings } from './pod-warnings.ts';

const TEMPLATED = new Set([
  'apps/Deployment',
  'apps/ReplicaSet',
  'apps/DaemonSet',
  'apps/StatefulSet',
  'batch/Job',
  '/ReplicationController',
]);
const ENFORCE = 'kubernetes.io/enforce-mountable-secrets';

/** @param isNew Whether it is being created: some things are said only then. */
export function warningsOf(
  { group, kind }: { readonly group: string; readonly kind: string },
  object: DeepReadonly<KubeObject>,
  isNew: boolean,
): string[] {
  const key = `${group}/${kind}`;
  if (TEMPLATED.has(key)) {
    const { spec } = object as unknown as { spec: { template?: DeepReadonly<PodTemplateSpec> } };
    return templateWarnings(spec.template, field('spec', 'template'));
  }
  switch (key) {
    case '/PodTemplate':
      return templateWarnings((object as unknown as { template: DeepReadonly<PodTemplateSpec> }).template, field('template'));
    case 'batch/CronJob': {
      const { spec } = object as unknown as { spec: { jobTemplate: { spec: { template: DeepReadonly<PodTemplateSpec> } } } };
      return templateWarnings(spec.jobTemplate.spec.template, field('spec', 'jobTemplate', 'spec', 'template'));
    }
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

function serviceWarnings({ spec }: Service): string[] {
  const isHeadless = spec.clusterIP === 'None' || spec.clusterIPs?.[0] === 'None';
  const warnings = isHeadless && spec.sessionAffinity === 'ClientIP' ? ['spec.SessionAffinity is ignored for headless services'] : [];
  if ((spec.externalIPs ?? []).length > 0)
    warnings.push('spec.externalIPs is deprecated and may no longer be implemented in some clusters');
  if (spec.trafficDistribution === 'PreferClose')
    warnings.push('spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"');
  return warnings;
}

function driverWarnings({ spec }: CSIDriver): string[] {
  if ((spec.tokenRequests ?? []).length === 0 || spec.serviceAccountTokenInSecrets !== undefined) return [];
  return [
    'spec.serviceAccountTokenInSecrets is unset; if supported by this CSI driver, set to true to prevent possible logging of tokens in volume attributes',
  ];
}
