// SPDX-License-Identifier: Apache-2.0
// What selects the siblings of a Pod: every Service that selects it and the workload that controls it, all at once (upstream's
// helper.DefaultSelector).
import type { ReplicaSet, StatefulSet } from '#api/apps/v1';
import type { ReplicationController, Service } from '#api/core/v1';
import type { Lister } from '#client';
import { Selector, selectorOf, selectorOfMap } from '#machinery';
import type { PodInfo } from '../cache/pod-info.ts';
import type { DefaultSelector } from './pod-topology-spread.ts';

export interface WorkloadListers {
  readonly services: Lister<Service>;
  readonly replicaSets: Lister<ReplicaSet>;
  readonly statefulSets: Lister<StatefulSet>;
  readonly replicationControllers: Lister<ReplicationController>;
}

export function defaultSelectorOf(listers: WorkloadListers): DefaultSelector {
  return (pod) => {
    const requirements = [...servicesOf(pod, listers), ...ownerSelector(pod, listers)].flatMap((selector) => selector.requirements);
    return requirements.length === 0 ? undefined : new Selector(distinct(requirements));
  };
}

function servicesOf(pod: PodInfo, { services }: WorkloadListers): Selector[] {
  const found: Selector[] = [];
  for (const { spec } of services.list(pod.namespace)) {
    const { selector } = spec;
    if (selector === undefined || Object.keys(selector).length === 0) continue;
    if (Object.entries(selector).every(([key, value]) => pod.labels[key] === value)) found.push(selectorOfMap(selector));
  }
  return found;
}

function ownerSelector({ pod, namespace }: PodInfo, { replicaSets, statefulSets, replicationControllers }: WorkloadListers): Selector[] {
  const owner = pod.metadata.ownerReferences?.find(({ controller }) => controller === true);
  const key = `${namespace}/${owner?.name}`;
  switch (owner?.kind) {
    case 'ReplicaSet':
      return selected(replicaSets.find(key)?.spec.selector);
    case 'StatefulSet':
      return selected(statefulSets.find(key)?.spec.selector);
    case 'ReplicationController':
      return [selectorOfMap(replicationControllers.find(key)?.spec.selector ?? {})];
    default:
      return [];
  }
}

function selected(selector: unknown): Selector[] {
  return selector === undefined ? [] : [selectorOf(selector as Parameters<typeof selectorOf>[0])];
}

function distinct(requirements: readonly Selector['requirements'][number][]): Selector['requirements'] {
  const byText = new Map(
    requirements.map((requirement) => [`${requirement.key} ${requirement.operator} ${requirement.values.join(',')}`, requirement]),
  );
  return [...byText.values()];
}
