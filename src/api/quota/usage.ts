// SPDX-License-Identifier: Apache-2.0
// What an object uses up of a ResourceQuota: the counters and amounts of each kind, and which quotas' scopes it falls under. Admission
// and the quota controller count by the same rules. @source upstream pkg/quota/v1/evaluator
import {
  compareQuantity,
  type DeepReadonly,
  formatQuantity,
  type KubeObject,
  parseQuantity,
  qualifiedResource,
  type Resource,
} from '../../machinery/mod.ts';
import type { PersistentVolumeClaim, Pod, ResourceList, ResourceQuota, Service } from '../generated/core/v1.ts';
import type { ResourceClaim } from '../generated/resource/v1.ts';
import { qosClassOf } from '../validation/pod-qos.ts';
import { deviceUsage } from './device-usage.ts';
import { podLimits, podRequests } from './pod-amounts.ts';

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

const isClaims = ({ group, resource }: Resource) => group === 'resource.k8s.io' && resource === 'resourceclaims';

/** Amounts by quota resource name. */
export function quotaUsageOf(resource: Resource, object: Object): ResourceList {
  const usage: ResourceList = { [`count/${qualifiedResource(resource)}`]: '1' };
  if (isClaims(resource)) for (const [name, count] of deviceUsage(object as unknown as ResourceClaim)) usage[name] = String(count);
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

const STORAGE_CLASS = '.storageclass.storage.k8s.io/';
const OLD_CLASS = 'volume.beta.kubernetes.io/storage-class';

function claimUsage(claim: DeepReadonly<PersistentVolumeClaim>, usage: ResourceList): ResourceList {
  const size = claimSize(claim);
  const storageClass = claim.metadata.annotations?.[OLD_CLASS] ?? claim.spec.storageClassName;
  const prefix = storageClass ? `${storageClass}${STORAGE_CLASS}` : undefined;
  if (prefix !== undefined) usage[`${prefix}persistentvolumeclaims`] = '1';
  if (size === undefined) return usage;
  usage['requests.storage'] = size;
  if (prefix !== undefined) usage[`${prefix}requests.storage`] = size;
  return usage;
}

/** What is asked for, or already allocated where that is more; in whole bytes. */
function claimSize({ spec, status }: DeepReadonly<PersistentVolumeClaim>): string | undefined {
  const asked = spec.resources?.requests?.['storage'];
  if (asked === undefined) return undefined;
  const allocated = status?.allocatedResources?.['storage'];
  const larger = allocated !== undefined && compareQuantity(parseQuantity(allocated), parseQuantity(asked)) > 0 ? allocated : asked;
  const { nanos, format } = parseQuantity(larger);
  return nanos % NANO === 0n ? larger : formatQuantity({ nanos: (nanos / NANO + 1n) * NANO, format });
}

const NANO = 1_000_000_000n;
const POD_RESOURCES = /^(count\/pods|pods|(requests\.|limits\.)?(cpu|memory|ephemeral-storage)|(requests\.)?hugepages-.*)$/;
const SERVICE_RESOURCES = /^(count\/services|services|services\.nodeports|services\.loadbalancers)$/;
const CLAIM_RESOURCES =
  /^(count\/persistentvolumeclaims|([^/]+\.storageclass\.storage\.k8s\.io\/)?(persistentvolumeclaims|requests\.storage))$/;

/** Whether a name in a quota is about objects of this resource. */
export function isOfQuota(resource: Resource, name: string): boolean {
  const { group, resource: of } = resource;
  if (group === '' && of === 'pods') return POD_RESOURCES.test(name) || /^requests\.[^/]+\/./.test(name);
  if (group === '' && of === 'services') return SERVICE_RESOURCES.test(name);
  if (group === '' && of === 'persistentvolumeclaims') return CLAIM_RESOURCES.test(name);
  if (isClaims(resource) && name.endsWith('.deviceclass.resource.k8s.io/devices')) return true;
  return name === `count/${qualifiedResource(resource)}` || (group === '' && COUNTED.has(of) && name === of);
}

type Selected = { scopeName: string; operator: string; values?: readonly string[] | undefined };

/** Whether a quota counts this object. Only Pods and claims have scopes. */
export function isInQuotaScope(quota: DeepReadonly<ResourceQuota>, resource: Resource, object: Object): boolean {
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
      return (spec.activeDeadlineSeconds ?? -1) < 0;
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

/** What can be asked for on the level of the whole Pod. */
const isPodLevel = (name: string) => name === 'cpu' || name === 'memory' || name.startsWith('hugepages-');

/** For a quota on compute resources each container must say what it asks for. `name for: a,b; other for: c` */
export function missingAmounts(names: readonly string[], pod: DeepReadonly<Pod>): string {
  const parts: string[] = [];
  const { requests, limits } = pod.spec.resources ?? {};
  if (Object.keys({ ...requests, ...limits }).some(isPodLevel)) return '';
  for (const name of [...names].sort()) {
    const [part, short] = name.startsWith('limits.')
      ? (['limits', name.slice(7)] as const)
      : (['requests', name.replace(/^requests\./, '')] as const);
    if (!['cpu', 'memory'].includes(short)) continue;
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
