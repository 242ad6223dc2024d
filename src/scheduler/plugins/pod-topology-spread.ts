// SPDX-License-Identifier: Apache-2.0
// PodTopologySpread: keeps matching Pods even over the domains of a topology key. DoNotSchedule constraints filter, ScheduleAnyway ones
// score; a Pod that belongs to a Service or workload and has none gets upstream's defaults (host name 3, zone 5, score only).

import type { TopologySpreadConstraint } from '#api/core/v1';
import { isTolerated } from '#api/node-selection';
import { type DeepReadonly, Selector, selectorOf } from '#machinery';
import type { NodeInfo } from '../cache/node-info.ts';
import type { PodInfo } from '../cache/pod-info.ts';
import {
  CONTINUE,
  type CycleState,
  MAX_SCORE,
  type NodeView,
  type Plugin,
  SKIP,
  unresolvable,
  unschedulable,
} from '../framework/plugin.ts';
import { matches as matchesNodeAffinity } from './node-affinity.ts';

const NAME = 'PodTopologySpread';
const HOSTNAME = 'kubernetes.io/hostname';
const ZONE = 'topology.kubernetes.io/zone';
const MISMATCH = unschedulable("node(s) didn't match pod topology spread constraints");
const MISSING = unresolvable("node(s) didn't match pod topology spread constraints (missing required label)");

export interface Constraint {
  readonly maxSkew: number;
  readonly topologyKey: string;
  readonly selector: Selector;
  /** Names the selector among what a node remembers. */
  readonly selectorKey: string;
  readonly minDomains: number;
  readonly honorsAffinity: boolean;
  readonly honorsTaints: boolean;
}

/** What selects a Pod's siblings: its Services, ReplicaSet or StatefulSet. */
export type DefaultSelector = (pod: PodInfo) => Selector | undefined;

interface FilterState {
  readonly constraints: readonly Constraint[];
  /** By constraint: matching Pods per domain. */
  readonly counts: readonly Map<string, number>[];
}

interface ScoreState {
  readonly constraints: readonly Constraint[];
  readonly counts: readonly Map<string, number>[];
  readonly weights: readonly number[];
  readonly ignored: ReadonlySet<string>;
}

interface PluginState {
  filter?: FilterState;
  score?: ScoreState;
}

export function podTopologySpread(defaultSelector: DefaultSelector): Plugin {
  return {
    name: NAME,
    weight: 2,
    requeueOn: [
      {
        resource: 'Pod',
        actions: ['add', 'update', 'delete'],
        helps: (pod, event) => event.resource === 'Pod' && event.pod.namespace === pod.namespace,
      },
      { resource: 'Node', actions: ['add', 'update', 'delete'] },
    ],
    preFilter(state, pod, view) {
      const constraints = constraintsOf(pod, 'DoNotSchedule');
      if (constraints.length === 0) return SKIP;
      state.write(NAME, { filter: { constraints, counts: countDomains(pod, constraints, view) } } satisfies PluginState);
      return CONTINUE;
    },
    filter,
    addPod: (state, pod, added, node) => shift(state, pod, added, { node, change: 1 }),
    removePod: (state, pod, removed, node) => shift(state, pod, removed, { node, change: -1 }),
    preScore: (state, pod, feasible, view) => preScore(state, pod, { feasible, view, defaultSelector }),
    score(state, _pod, node) {
      const found = state.read<PluginState>(NAME)?.score;
      if (found === undefined || found.ignored.has(node.name)) return 0;
      return Math.round(
        found.constraints.reduce(
          (sum, { topologyKey, maxSkew }, index) =>
            sum + (found.counts[index]?.get(node.labels[topologyKey] ?? '') ?? 0) * (found.weights[index] ?? 0) + (maxSkew - 1),
          0,
        ),
      );
    },
    normalize(state, scores, feasible) {
      const ignored = state.read<PluginState>(NAME)?.score?.ignored ?? new Set();
      const counted = scores.filter((_, index) => !ignored.has(feasible[index]?.name ?? ''));
      const [least, most] = [Math.min(...counted), Math.max(...counted)];
      for (let index = 0; index < scores.length; index++) {
        if (ignored.has(feasible[index]?.name ?? '')) scores[index] = 0;
        else scores[index] = most === 0 ? MAX_SCORE : Math.floor((MAX_SCORE * (most + least - (scores[index] ?? 0))) / most);
      }
    },
  };
}

function filter(state: CycleState, pod: PodInfo, node: NodeInfo) {
  const found = state.read<PluginState>(NAME)?.filter;
  if (found === undefined) return undefined;
  for (const [index, { topologyKey, maxSkew, selector, minDomains }] of found.constraints.entries()) {
    const domain = node.labels[topologyKey];
    if (domain === undefined) return MISSING;
    const counts = found.counts[index] ?? new Map<string, number>();
    const least = counts.size < minDomains || counts.size === 0 ? 0 : Math.min(...counts.values());
    const own = selector.matches(pod.labels) ? 1 : 0;
    if ((counts.get(domain) ?? 0) + own - least > maxSkew) return MISMATCH;
  }
  return undefined;
}

function shift(state: CycleState, pod: PodInfo, other: PodInfo, { node, change }: { node: NodeInfo; change: 1 | -1 }): void {
  const found = state.read<PluginState>(NAME)?.filter;
  if (found === undefined || other.namespace !== pod.namespace || !hasAllKeys(node, found.constraints)) return;
  for (const [index, constraint] of found.constraints.entries()) {
    if (!constraint.selector.matches(other.labels) || !isIncluded(pod, node, constraint)) continue;
    const domain = node.labels[constraint.topologyKey] ?? '';
    const counts = found.counts[index];
    counts?.set(domain, (counts.get(domain) ?? 0) + change);
  }
}

function constraintsOf(pod: PodInfo, effect: TopologySpreadConstraint['whenUnsatisfiable']): Constraint[] {
  const stated = pod.pod.spec.topologySpreadConstraints ?? [];
  return stated.filter(({ whenUnsatisfiable }) => whenUnsatisfiable === effect).map((constraint) => compile(constraint, pod));
}

function compile(constraint: DeepReadonly<TopologySpreadConstraint>, { labels }: PodInfo): Constraint {
  const {
    maxSkew,
    topologyKey,
    labelSelector,
    minDomains = 1,
    nodeAffinityPolicy = 'Honor',
    nodeTaintsPolicy = 'Ignore',
    matchLabelKeys = [],
  } = constraint;
  const stated = selectorOf(labelSelector as Parameters<typeof selectorOf>[0]);
  const extra = matchLabelKeys
    .filter((key) => labels[key] !== undefined)
    .map((key) => ({ key, operator: '=' as const, values: [labels[key] ?? ''] }));
  const selector = extra.length === 0 ? stated : new Selector([...stated.requirements, ...extra]);
  return {
    maxSkew,
    topologyKey,
    selector,
    selectorKey: selector.toString(),
    minDomains,
    honorsAffinity: nodeAffinityPolicy === 'Honor',
    honorsTaints: nodeTaintsPolicy === 'Honor',
  };
}

function defaultConstraints(pod: PodInfo, defaultSelector: DefaultSelector): Constraint[] {
  const selector = defaultSelector(pod);
  if (selector === undefined) return [];
  const base = { selector, selectorKey: selector.toString(), minDomains: 1, honorsAffinity: true, honorsTaints: false };
  return [
    { ...base, topologyKey: HOSTNAME, maxSkew: 3 },
    { ...base, topologyKey: ZONE, maxSkew: 5 },
  ];
}

function hasAllKeys({ labels }: NodeInfo, constraints: readonly Constraint[]): boolean {
  return constraints.every(({ topologyKey }) => labels[topologyKey] !== undefined);
}

function isIncluded(pod: PodInfo, node: NodeInfo, { honorsAffinity, honorsTaints }: Constraint): boolean {
  if (honorsAffinity && !matchesNodeAffinity(pod, node)) return false;
  return (
    !honorsTaints ||
    (node.node?.spec.taints ?? []).every((taint) => taint.effect === 'PreferNoSchedule' || isTolerated(pod.tolerations, taint))
  );
}

function countDomains(pod: PodInfo, constraints: readonly Constraint[], { nodes }: NodeView): Map<string, number>[] {
  const counts = constraints.map(() => new Map<string, number>());
  for (const node of nodes) {
    if (!hasAllKeys(node, constraints)) continue;
    for (const [index, constraint] of constraints.entries()) {
      if (!isIncluded(pod, node, constraint)) continue;
      const domain = node.labels[constraint.topologyKey] ?? '';
      const found = counts[index];
      found?.set(domain, (found.get(domain) ?? 0) + node.countMatching(pod.namespace, constraint.selectorKey, constraint.selector));
    }
  }
  return counts;
}

function preScore(
  state: CycleState,
  pod: PodInfo,
  { feasible, view, defaultSelector }: { feasible: readonly NodeInfo[]; view: NodeView; defaultSelector: DefaultSelector },
): boolean {
  const stated = constraintsOf(pod, 'ScheduleAnyway');
  const isDefault = (pod.pod.spec.topologySpreadConstraints ?? []).length === 0;
  const constraints = isDefault ? defaultConstraints(pod, defaultSelector) : stated;
  if (constraints.length === 0) return false;
  const ignored = new Set<string>();
  const domains = constraints.map(() => new Map<string, number>());
  for (const node of feasible) {
    // Defaults also hold where there are no zones.
    if (!isDefault && !hasAllKeys(node, constraints)) {
      ignored.add(node.name);
      continue;
    }
    for (const [index, { topologyKey }] of constraints.entries()) {
      const domain = node.labels[topologyKey];
      if (domain !== undefined) domains[index]?.set(domain, 0);
    }
  }
  count(pod, constraints, { domains, view, isDefault });
  const sizes = constraints.map(({ topologyKey }, index) =>
    topologyKey === HOSTNAME ? feasible.length - ignored.size : (domains[index]?.size ?? 0),
  );
  const previous = state.read<PluginState>(NAME);
  state.write(NAME, {
    ...previous,
    score: { constraints, counts: domains, weights: sizes.map((size) => Math.log(size + 2)), ignored },
  } satisfies PluginState);
  return true;
}

function count(
  pod: PodInfo,
  constraints: readonly Constraint[],
  { domains, view, isDefault }: { domains: readonly Map<string, number>[]; view: NodeView; isDefault: boolean },
): void {
  for (const node of view.nodes) {
    if (!isDefault && !hasAllKeys(node, constraints)) continue;
    for (const [index, constraint] of constraints.entries()) {
      const found = domains[index];
      const domain = node.labels[constraint.topologyKey];
      const known = domain === undefined ? undefined : found?.get(domain);
      if (domain === undefined || known === undefined || !isIncluded(pod, node, constraint)) continue;
      found?.set(domain, known + node.countMatching(pod.namespace, constraint.selectorKey, constraint.selector));
    }
  }
}
