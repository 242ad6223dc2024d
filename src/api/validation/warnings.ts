// SPDX-License-Identifier: Apache-2.0
// `Warning` texts of every kind but Pods: templates of workloads, deprecated volume sources, settings without effect.
import { type DeepReadonly, field, type KubeObject } from '../../machinery/mod.ts';
import type { PersistentVolume, PodTemplateSpec, Service } from '../generated/core/v1.ts';
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

export function warningsOf({ group, kind }: { readonly group: string; readonly kind: string }, object: DeepReadonly<KubeObject>): string[] {
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
    case '/Service':
      return serviceWarnings(object as unknown as Service);
    default:
      return [];
  }
}

function serviceWarnings({ spec }: Service): string[] {
  const isHeadless = spec.clusterIP === 'None' || spec.clusterIPs?.[0] === 'None';
  return isHeadless && spec.sessionAffinity === 'ClientIP' ? ['spec.SessionAffinity is ignored for headless services'] : [];
}
