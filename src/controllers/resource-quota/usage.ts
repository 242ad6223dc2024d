// SPDX-License-Identifier: Apache-2.0
// What the objects of a namespace use of each thing a quota limits (upstream's quota/v1/evaluator). Pure.
import { deviceUsage } from '#api';
import type { Container, PersistentVolumeClaim, Pod, ResourceQuota, Service } from '#api/core/v1';
import type { ResourceClaim } from '#api/resource/v1';
import {
  addQuantity,
  compareQuantity,
  type DeepReadonly,
  findQuantity,
  formatQuantity,
  type KubeObject,
  parseQuantity,
  type Quantity,
} from '#machinery';
import { isTerminal } from '../pods/conditions.ts';

type ReadPod = DeepReadonly<Pod>;
type Amounts = Map<string, Quantity>;
/** All objects of a resource in the namespace at hand: `pods`, `deployments.apps`. Undefined: not known here. */
export type ListOf = (resource: string) => readonly DeepReadonly<KubeObject>[] | undefined;

const ONE = parseQuantity('1');
const ZERO = parseQuantity('0');
const COMPUTE = new Set(['cpu', 'memory', 'ephemeral-storage']);
/** Counted by their plain names as well as `count/…`. */
const PLAIN = new Set(['configmaps', 'persistentvolumeclaims', 'replicationcontrollers', 'resourcequotas', 'secrets', 'services']);

function add(amounts: Amounts, name: string, amount: Quantity): void {
  const known = amounts.get(name);
  amounts.set(name, known === undefined ? amount : addQuantity(known, amount));
}

function raise(amounts: Amounts, other: Amounts): void {
  for (const [name, amount] of other) if (compareQuantity(amount, amounts.get(name) ?? ZERO) > 0) amounts.set(name, amount);
}

/** The sum over containers, or what initialisation needs where that is more, plus overhead. */
function podAmounts({ spec }: ReadPod, of: 'requests' | 'limits'): Amounts {
  const listed = (container: DeepReadonly<Container>) =>
    new Map(Object.entries(container.resources?.[of] ?? {}).map(([name, amount]) => [name, parseQuantity(amount)]));
  const total: Amounts = new Map();
  const restartable: Amounts = new Map();
  const initial: Amounts = new Map();
  for (const container of spec.containers) for (const [name, amount] of listed(container)) add(total, name, amount);
  for (const container of spec.initContainers ?? []) {
    const step = listed(container);
    if (container.restartPolicy === 'Always') {
      for (const [name, amount] of step) {
        add(total, name, amount);
        add(restartable, name, amount);
      }
      raise(initial, restartable);
    } else {
      for (const [name, amount] of restartable) add(step, name, amount);
      raise(initial, step);
    }
  }
  raise(total, initial);
  for (const [name, amount] of Object.entries(spec.resources?.[of] ?? {})) total.set(name, parseQuantity(amount));
  for (const [name, amount] of Object.entries(spec.overhead ?? {}))
    if (of === 'requests' || total.has(name)) add(total, name, parseQuantity(amount));
  return total;
}

function podUsage(pod: ReadPod): Amounts {
  const usage: Amounts = new Map([['count/pods', ONE]]);
  if (isTerminal(pod)) return usage;
  usage.set('pods', ONE);
  for (const [name, amount] of podAmounts(pod, 'requests')) {
    usage.set(`requests.${name}`, amount);
    if (COMPUTE.has(name) || name.startsWith('hugepages-')) usage.set(name, amount);
  }
  for (const [name, amount] of podAmounts(pod, 'limits')) usage.set(`limits.${name}`, amount);
  return usage;
}

function serviceUsage({ spec }: DeepReadonly<Service>): Amounts {
  const usage: Amounts = new Map();
  const ports = spec.ports ?? [];
  if (spec.type === 'LoadBalancer') usage.set('services.loadbalancers', ONE);
  const hasNodePorts = spec.type === 'NodePort' || (spec.type === 'LoadBalancer' && spec.allocateLoadBalancerNodePorts !== false);
  const count = hasNodePorts ? ports.length : spec.type === 'LoadBalancer' ? ports.filter(({ nodePort }) => nodePort).length : 0;
  if (count > 0) usage.set('services.nodeports', parseQuantity(count));
  return usage;
}

function claimUsage({ spec }: DeepReadonly<PersistentVolumeClaim>): Amounts {
  const usage: Amounts = new Map();
  const size = findQuantity(spec.resources?.requests?.['storage'] ?? '');
  const prefix = spec.storageClassName ? `${spec.storageClassName}.storageclass.storage.k8s.io/` : undefined;
  if (prefix !== undefined) usage.set(`${prefix}persistentvolumeclaims`, ONE);
  if (size === undefined) return usage;
  usage.set('requests.storage', size);
  if (prefix !== undefined) usage.set(`${prefix}requests.storage`, size);
  return usage;
}

/** Guaranteed Pods and burstable ones alike are "not best effort". */
function isBestEffort({ spec, status }: ReadPod): boolean {
  if (status?.qosClass !== undefined) return status.qosClass === 'BestEffort';
  const asks = ({ resources }: DeepReadonly<Container>) =>
    Object.keys({ ...resources?.requests, ...resources?.limits }).some((name) => name === 'cpu' || name === 'memory');
  return ![...spec.containers, ...(spec.initContainers ?? [])].some(asks);
}

function isInScope({ spec }: DeepReadonly<ResourceQuota>, pod: ReadPod): boolean {
  const scopes = [
    ...(spec.scopes ?? []).map((scopeName) => ({ scopeName, operator: 'Exists', values: undefined })),
    ...(spec.scopeSelector?.matchExpressions ?? []),
  ];
  return scopes.every(({ scopeName, operator, values }) => {
    switch (scopeName) {
      case 'Terminating':
        return pod.spec.activeDeadlineSeconds !== undefined;
      case 'NotTerminating':
        return pod.spec.activeDeadlineSeconds === undefined;
      case 'BestEffort':
        return isBestEffort(pod);
      case 'NotBestEffort':
        return !isBestEffort(pod);
      case 'PriorityClass':
        return matchesText(operator, values, pod.spec.priorityClassName);
      case 'CrossNamespacePodAffinity':
        return usesOtherNamespaces(pod);
      default:
        return false;
    }
  });
}

function matchesText(operator: string, values: readonly string[] | undefined, value: string | undefined): boolean {
  if (operator === 'Exists') return Boolean(value);
  if (operator === 'DoesNotExist') return !value;
  const isListed = values?.includes(value ?? '') === true;
  return operator === 'In' ? isListed : !isListed;
}

function usesOtherNamespaces({ spec: { affinity } }: ReadPod): boolean {
  const terms = [affinity?.podAffinity, affinity?.podAntiAffinity].flatMap((kind) => [
    ...(kind?.requiredDuringSchedulingIgnoredDuringExecution ?? []),
    ...(kind?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map(({ podAffinityTerm }) => podAffinityTerm),
  ]);
  return terms.some(({ namespaces = [], namespaceSelector }) => namespaces.length > 0 || namespaceSelector !== undefined);
}

/** What is used of everything that `spec.hard` names; names that cannot be worked out here are left out. */
export function usageFor(quota: DeepReadonly<ResourceQuota>, listOf: ListOf): Record<string, string> {
  const isScoped = (quota.spec.scopes ?? []).length + (quota.spec.scopeSelector?.matchExpressions ?? []).length > 0;
  const sum: Amounts = new Map();
  const addAll = (usage: Amounts) => {
    for (const [name, amount] of usage) add(sum, name, amount);
  };
  for (const pod of (listOf('pods') ?? []) as unknown as readonly ReadPod[]) if (isInScope(quota, pod)) addAll(podUsage(pod));
  if (!isScoped) {
    for (const service of listOf('services') ?? []) addAll(serviceUsage(service as unknown as DeepReadonly<Service>));
    for (const claim of listOf('persistentvolumeclaims') ?? []) addAll(claimUsage(claim as unknown as DeepReadonly<PersistentVolumeClaim>));
    for (const claim of listOf('resourceclaims.resource.k8s.io') ?? []) {
      const devices = deviceUsage(claim as unknown as DeepReadonly<ResourceClaim>);
      for (const [name, count] of devices) add(sum, name, parseQuantity(count));
    }
  }
  const used: Record<string, string> = {};
  for (const name of Object.keys(quota.spec.hard ?? {})) {
    const counted = name.startsWith('count/') ? name.slice('count/'.length) : PLAIN.has(name) ? name : undefined;
    if (counted === undefined || counted === 'pods') used[name] = formatQuantity(sum.get(name) ?? ZERO);
    else {
      const list = listOf(counted);
      if (list !== undefined) used[name] = String(isScoped ? 0 : list.length);
    }
  }
  return used;
}
