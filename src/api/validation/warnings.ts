// SPDX-License-Identifier: Apache-2.0
// `Warning` texts of every kind but Pods: templates of workloads, deprecated volume sources, settings without effect.
import { type DeepReadonly, field, type KubeObject } from '../../machinery/mod.ts';
import type { Node, PersistentVolume, PersistentVolumeClaim, PodTemplateSpec, Secret, Service } from '../generated/core/v1.ts';
import type { CSIDriver } from '../generated/storage/v1.ts';
import { cidrWarnings, ipWarnings } from './ip-warnings.ts';
import { keyPairProblem } from './key-pair.ts';
import { claimSpecWarnings, deprecatedSourceWarnings, nameWarnings, templateWarnings, termWarnings } from './pod-warnings.ts';

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
}

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
    return [...name, ...templateWarnings(spec.template, field('spec', 'template'))];
  }
  switch (key) {
    case '/PodTemplate':
      return templateWarnings((object as unknown as { template: DeepReadonly<PodTemplateSpec> }).template, field('template'));
    case 'batch/CronJob': {
      const { spec } = object as unknown as { spec: { jobTemplate: { spec: { template: DeepReadonly<PodTemplateSpec> } } } };
      return templateWarnings(spec.jobTemplate.spec.template, field('spec', 'jobTemplate', 'spec', 'template'));
    }
    case '/PersistentVolumeClaim':
      return [...classWarnings(object), ...claimSpecWarnings((object as unknown as PersistentVolumeClaim).spec, field('spec'))];
    case '/PersistentVolume':
      return volumeWarnings(object as unknown as PersistentVolume);
    case '/Node':
      return nodeWarnings(object as unknown as Node);
    case '/Secret':
      return secretWarnings(object as unknown as Secret);
    case 'storage.k8s.io/CSIDriver':
      return isNew ? driverWarnings(object as unknown as CSIDriver) : [];
    case '/Service':
      return serviceWarnings(object as unknown as Service);
    default:
      return [];
  }
}

const ANNOTATIONS = field('metadata', 'annotations');
const [OLD_CLASS, OLD_OPTIONS] = ['volume.beta.kubernetes.io/storage-class', 'volume.beta.kubernetes.io/mount-options'];

function classWarnings({ metadata }: DeepReadonly<KubeObject>): string[] {
  if (metadata.annotations?.[OLD_CLASS] === undefined) return [];
  return [`${ANNOTATIONS.key(OLD_CLASS)}: deprecated since v1.8; use "storageClassName" attribute instead`];
}

const SOURCES = new Set(['cephfs', 'photonPersistentDisk', 'scaleIO', 'storageos', 'glusterfs', 'rbd']);
const RECYCLED =
  'spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. Instead, the recommended approach is to use dynamic provisioning.';

function volumeWarnings(volume: DeepReadonly<PersistentVolume>): string[] {
  const { metadata, spec } = volume;
  const terms = spec.nodeAffinity?.required?.nodeSelectorTerms ?? [];
  const path = field('spec', 'nodeAffinity', 'required', 'nodeSelectorTerms');
  const options = metadata.annotations?.[OLD_OPTIONS] !== undefined;
  return [
    ...classWarnings(volume as unknown as DeepReadonly<KubeObject>),
    ...(options ? [`${ANNOTATIONS.key(OLD_OPTIONS)}: deprecated since v1.31; use "mountOptions" attribute instead`] : []),
    ...(spec.persistentVolumeReclaimPolicy === 'Recycle' ? [RECYCLED] : []),
    ...terms.flatMap((term, index) => termWarnings(term, path.index(index))),
    ...deprecatedSourceWarnings(spec, field('spec'), SOURCES),
  ];
}

function nodeWarnings({ spec }: DeepReadonly<Node>): string[] {
  const cidrs = (spec?.podCIDRs ?? []).flatMap((cidr, index) => cidrWarnings(cidr, field('spec', 'podCIDRs').index(index)));
  return [...(spec?.externalID ? ['spec.externalID: this field is deprecated, and is unused by Kubernetes'] : []), ...cidrs];
}

/** A pair that does not work is kept nevertheless. */
function secretWarnings({ type, data }: DeepReadonly<Secret>): string[] {
  if (type !== 'kubernetes.io/tls') return [];
  const [certificate, key] = ['tls.crt', 'tls.key'].map((name) => Buffer.from(data?.[name] ?? '', 'base64').toString('latin1'));
  const problem = keyPairProblem(certificate ?? '', key ?? '');
  return problem === undefined ? [] : [problem];
}

const [HINTS, MODE] = ['service.kubernetes.io/topology-aware-hints', 'service.kubernetes.io/topology-mode'];

function serviceWarnings({ metadata, spec }: DeepReadonly<Service>): string[] {
  const isHeadless = spec.type === 'ClusterIP' && spec.clusterIP === 'None';
  const isName = spec.type === 'ExternalName';
  const { clusterIPs = [], externalIPs = [], loadBalancerSourceRanges: ranges = [], loadBalancerIP } = spec;
  const hasExternal = externalIPs.length > 0;
  const warnings: string[] = [];
  const note = (isWrong: boolean, text: string) => {
    if (isWrong) warnings.push(text);
  };
  const at = (name: string) => field('spec', name);
  note(metadata.annotations?.[HINTS] !== undefined, `annotation ${HINTS} is deprecated, please use ${MODE} instead`);
  warnings.push(...clusterIPs.flatMap((ip, index) => ipWarnings(ip, at('clusterIPs').index(index))));
  note(isHeadless && Boolean(loadBalancerIP), 'spec.loadBalancerIP is ignored for headless services');
  note(isHeadless && hasExternal, 'spec.externalIPs is ignored for headless services');
  note(isHeadless && spec.sessionAffinity !== 'None', 'spec.SessionAffinity is ignored for headless services');
  warnings.push(...externalIPs.flatMap((ip, index) => ipWarnings(ip, at('externalIPs').index(index))));
  note(hasExternal && !isHeadless && !isName, 'spec.externalIPs is deprecated and may no longer be implemented in some clusters');
  if (loadBalancerIP) warnings.push(...ipWarnings(loadBalancerIP, at('loadBalancerIP')));
  warnings.push(...ranges.flatMap((range, index) => cidrWarnings(range, at('loadBalancerSourceRanges').index(index))));
  note(isName && hasExternal, 'spec.externalIPs is ignored when spec.type is "ExternalName"');
  note(!isName && Boolean(spec.externalName), 'spec.externalName is ignored when spec.type is not "ExternalName"');
  note(spec.trafficDistribution === 'PreferClose', 'spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"');
  return warnings;
}

function driverWarnings({ spec }: CSIDriver): string[] {
  if ((spec.tokenRequests ?? []).length === 0 || spec.serviceAccountTokenInSecrets !== undefined) return [];
  return [
    'spec.serviceAccountTokenInSecrets is unset; if supported by this CSI driver, set to true to prevent possible logging of tokens in volume attributes',
  ];
}
