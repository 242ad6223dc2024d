// SPDX-License-Identifier: Apache-2.0
// What an object uses up of a ResourceQuota: the counters and amounts of each kind, and which quotas' scopes it falls under
// (upstream's quota/v1/evaluator).

import { qosClassOf } from '#api';
import type { PersistentVolumeClaim, Pod, ResourceList, ResourceQuota, Service } from '#api/core/v1';
import { type DeepReadonly, type KubeObject, qualifiedResource, type Resource } from '#machinery';
import { podLimits, podRequests } from './pod-resources.ts';

type Object = DeepReadonly<KubeObject>;
const COUNTED = new Set([
  'configmaps',
  'persistentvolumeclaims',
  'pods',
  'replicationcontrollers',
  'resourcequotas',
  'secrets',
  'services',
]);
const isExtended = (name: string) => name.includes('/') && !name.startsWith('kubernetes.io/');

/** Amounts by quota resource name. */
export function usageOf(resource: Resource, object: Object): ResourceList {
  const usage: ResourceList = { [`count/${qualifiedResource(resource)}`]: '1' };
  if (resource.group !== '') return usage;
  if (COUNTED.has(resource.resource) && resource.resource !== 'pods') usage[resource.resource] = '1';
  if (resource.resource === 'pods') return podUsage(object as unknown as DeepReadonly<Pod>, usage);
  if (resource.resource === 'services') return serviceUsage(object as unknown as DeepReadonly<Service>, usage);
  if (resource.resource === 'persistentvolumeclaims') return claimUsage(object as unknown as DeepReadonly<PersistentVolumeClaim>, usage);
  return usage;
}

function podUsage(pod: DeepReadonly<Pod>, usage: ResourceList): ResourceList {
  const phase = pod.status?.phase;
  if (phase === 'Succeeded' || phase === 'Failed') return usage;
  usage['pods'] = '1';
  for (const [name, amount] of Object.entries(podRequests(pod.spec))) {
    usage[`requests.${name}`] = amount;
    if (name === 'cpu' || name === 'memory' || name === 'ephemeral-storage' || name.startsWith('hugepages-')) usage[name] = amount;
  }
  for (const [name, amount] of Object.entries(podLimits(pod.spec))) if (!isExtended(name)) usage[`limits.${name}`] = amount;
  return usage;
}

function serviceUsage({ spec }: DeepReadonly<Service>, usage: ResourceList): ResourceList {
  const ports = (spec.ports ?? []).length;
  if (spec.type === 'NodePort') usage['services.nodeports'] = String(ports);
  if (spec.type === 'LoadBalancer') {
    usage['services.loadbalancers'] = '1';
    const allocated = spec.allocateLoadBalancerNodePorts === false ? (spec.ports ?? []).filter(({ nodePort }) => nodePort).length : ports;
    if (allocated > 0) usage['services.nodeports'] = String(allocated);
  }
  return usage;
}

function claimUsage({ spec }: DeepReadonly<PersistentVolumeClaim>, usage: ResourceList): ResourceList {
  const size = spec.resources?.requests?.['storage'];
  const prefix = spec.storageClassName ? `${spec.storageClassName}.storageclass.storage.k8s.io/` : undefined;
  if (prefix !== undefined) usage[`${prefix}persistentvolumeclaims`] = '1';
  if (size === undefined) return usage;
  usage['requests.storage'] = size;
  if (prefix !== undefined) usage[`${prefix}requests.storage`] = size;
  return usage;
}

type Selected = { scopeName: string; operator: string; values?: readonly string[] | undefined };

/** Whether a quota counts this object. Only Pods and claims have scopes. */
export function isInScope(quota: DeepReadonly<ResourceQuota>, resource: Resource, object: Object): boolean {
  const scopes: Selected[] = [
    ...(quota.spec.scopes ?? []).map((scopeName) => ({ scopeName, operator: 'Exists' })),
    ...(quota.spec.scopeSelector?.matchExpressions ?? []),
  ];
  if (scopes.length === 0) return true;
  if (resource.group !== '') return false;
  if (resource.resource === 'pods') return scopes.every((scope) => matchesPod(scope, object as unknown as DeepReadonly<Pod>));
  if (resource.resource !== 'persistentvolumeclaims') return false;
  const claim = object as unknown as DeepReadonly<PersistentVolumeClaim>;
  return scopes.every((scope) => scope.scopeName === 'VolumeAttributesClass' && matchesText(scope, claim.spec.volumeAttributesClassName));
}

function matchesPod(scope: Selected, pod: DeepReadonly<Pod>): boolean {
  const { spec } = pod;
  switch (scope.scopeName) {
    case 'Terminating':
      return (spec.activeDeadlineSeconds ?? -1) >= 0;
    case 'NotTerminating':
      return (spec.activeDeadlineSeconds ?? undefined) === undefined;
    case 'BestEffort':
      return qosClassOf(pod) === 'BestEffort';
    case 'NotBestEffort':
      return qosClassOf(pod) !== 'BestEffort';
    case 'PriorityClass':
      return matchesText(scope, spec.priorityClassName);
    case 'CrossNamespacePodAffinity':
      return usesOtherNamespaces(pod);
    default:
      return false;
  }
}

function matchesText({ operator, values }: Selected, value: string | undefined): boolean {
  const isSet = value !== undefined && value !== '';
  if (operator === 'Exists') return isSet;
  if (operator === 'DoesNotExist') return !isSet;
  const isListed = isSet && (values ?? []).includes(value);
  return operator === 'In' ? isListed : !isListed;
}

function usesOtherNamespaces({ spec }: DeepReadonly<Pod>): boolean {
  const { podAffinity, podAntiAffinity } = spec.affinity ?? {};
  return [podAffinity, podAntiAffinity].some((affinity) =>
    [
      ...(affinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []),
      ...(affinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map(({ podAffinityTerm }) => podAffinityTerm),
    ].some((term) => (term.namespaces ?? []).length > 0 || term.namespaceSelector !== undefined),
  );
}

/** For a quota on compute resources each container must say what it asks for. `name for: a,b; other for: c` */
export function missingText(hard: Readonly<Record<string, string>>, pod: DeepReadonly<Pod>): string {
  const parts: string[] = [];
  for (const name of Object.keys(hard).sort()) {
    const [part, short] = name.startsWith('limits.')
      ? (['limits', name.slice(7)] as const)
      : (['requests', name.replace(/^requests\./, '')] as const);
    if (!['cpu', 'memory'].includes(short)) continue;
    if (pod.spec.resources?.[part]?.[short] !== undefined) continue;
    const lacking = [...(pod.spec.containers ?? []), ...(pod.spec.initContainers ?? [])].filter(
      (it) => it.resources?.[part]?.[short] === undefined,
    );
    if (lacking.length > 0)
      parts.push(
        `${name} for: ${lacking
          .map((it) => it.name)
          .sort()
          .join(',')}`,
      );
  }
  return parts.join('; ');
}
