// SPDX-License-Identifier: Apache-2.0
// InterPodAffinity: required affinity and anti-affinity to other Pods by topology, the anti-affinity of Pods that are already there, and
// preferences in both directions. Counts of matching Pods per (key, value) are made once per Pod and kept while victims are tried.
import type { Namespace } from '#api/core/v1';
import type { Lister } from '#client';
import type { NodeInfo } from '../cache/node-info.ts';
import type { AffinityTerm, PodInfo, WeightedTerm } from '../cache/pod-info.ts';
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

const NAME = 'InterPodAffinity';
const AFFINITY = unresolvable("node(s) didn't match pod affinity rules");
const ANTI_AFFINITY = unschedulable("node(s) didn't match pod anti-affinity rules");
const EXISTING = unschedulable("node(s) didn't satisfy existing pods anti-affinity rules");
/** @source upstream: what the required affinity of a Pod on the node is worth to one that matches it */
const HARD_WEIGHT = 1;

/** Pods by `key\nvalue` of the topology. */
type Counts = Map<string, number>;

interface FilterState {
  /** Anti-affinity of Pods that are there, against this Pod. */
  readonly existing: Counts;
  /** Pods that match all of this Pod's affinity terms, by term. */
  readonly affinity: Counts;
  /** Pods that match any anti-affinity term. */
  readonly antiAffinity: Counts;
}

interface PluginState {
  filter?: FilterState;
  score?: Counts;
}

export function interPodAffinity(namespaces: Lister<Namespace>): Plugin {
  const matches = (term: AffinityTerm, pod: PodInfo) => {
    if (!term.namespaces.has(pod.namespace) && term.namespaceSelector?.matches(namespaces.find(pod.namespace)?.metadata.labels) !== true)
      return false;
    return term.selector.matches(pod.labels);
  };
  const parts = { matches };
  return {
    name: NAME,
    weight: 2,
    requeueOn: [
      { resource: 'Pod', actions: ['add', 'update', 'delete'] },
      { resource: 'Node', actions: ['add', 'update'] },
      { resource: 'Namespace', actions: ['update'] },
    ],
    preFilter: (state, pod, view) => preFilter(state, pod, { ...parts, view }),
    filter,
    addPod: (state, pod, other, node) => shift(state, pod, other, { ...parts, node, change: 1 }),
    removePod: (state, pod, other, node) => shift(state, pod, other, { ...parts, node, change: -1 }),
    preScore: (state, pod, _feasible, view) => preScore(state, pod, { ...parts, view }),
    score(state, _pod, node) {
      let sum = 0;
      for (const [key, weight] of state.read<PluginState>(NAME)?.score ?? []) {
        const cut = key.indexOf('\n');
        if (node.labels[key.slice(0, cut)] === key.slice(cut + 1)) sum += weight;
      }
      return sum;
    },
    normalize(_state, scores) {
      const [least, most] = [Math.min(...scores), Math.max(...scores)];
      for (let index = 0; index < scores.length; index++)
        scores[index] = most === least ? 0 : Math.floor((MAX_SCORE * ((scores[index] ?? 0) - least)) / (most - least));
    },
  };
}

interface Parts {
  readonly matches: (term: AffinityTerm, pod: PodInfo) => boolean;
  readonly view: NodeView;
}

function bump(counts: Counts, node: NodeInfo, key: string, change: number): void {
  const value = node.labels[key];
  if (value === undefined) return;
  const at = `${key}\n${value}`;
  const next = (counts.get(at) ?? 0) + change;
  if (next === 0) counts.delete(at);
  else counts.set(at, next);
}

function preFilter(state: CycleState, pod: PodInfo, { matches, view }: Parts) {
  const found: FilterState = { existing: new Map(), affinity: new Map(), antiAffinity: new Map() };
  for (const node of view.withAntiAffinity) {
    for (const other of node.withAntiAffinity) noteExisting(found, pod, other, { matches, node, change: 1 });
  }
  if (pod.affinity.length > 0 || pod.antiAffinity.length > 0) {
    for (const node of view.nodes) for (const other of node.pods.values()) noteOwn(found, pod, other, { matches, node, change: 1 });
  } else if (found.existing.size === 0) return SKIP;
  state.write(NAME, { filter: found } satisfies PluginState);
  return CONTINUE;
}

interface Change extends Pick<Parts, 'matches'> {
  readonly node: NodeInfo;
  readonly change: 1 | -1;
}

function noteExisting({ existing }: FilterState, pod: PodInfo, other: PodInfo, { matches, node, change }: Change): void {
  for (const term of other.antiAffinity) if (matches(term, pod)) bump(existing, node, term.topologyKey, change);
}

function noteOwn({ affinity, antiAffinity }: FilterState, pod: PodInfo, other: PodInfo, { matches, node, change }: Change): void {
  if (pod.affinity.length > 0 && pod.affinity.every((term) => matches(term, other))) {
    for (const { topologyKey } of pod.affinity) bump(affinity, node, topologyKey, change);
  }
  for (const term of pod.antiAffinity) if (matches(term, other)) bump(antiAffinity, node, term.topologyKey, change);
}

function shift(state: CycleState, pod: PodInfo, other: PodInfo, change: Change): void {
  const found = state.read<PluginState>(NAME)?.filter;
  if (found === undefined) return;
  noteExisting(found, pod, other, change);
  noteOwn(found, pod, other, change);
}

function filter(state: CycleState, pod: PodInfo, node: NodeInfo) {
  const found = state.read<PluginState>(NAME)?.filter;
  if (found === undefined) return undefined;
  if (!satisfiesAffinity(found, pod, node)) return AFFINITY;
  if (pod.antiAffinity.some(({ topologyKey }) => isCounted(found.antiAffinity, node, topologyKey))) return ANTI_AFFINITY;
  for (const key of found.existing.keys()) {
    const cut = key.indexOf('\n');
    if (node.labels[key.slice(0, cut)] === key.slice(cut + 1)) return EXISTING;
  }
  return undefined;
}

function isCounted(counts: Counts, node: NodeInfo, key: string): boolean {
  const value = node.labels[key];
  return value !== undefined && (counts.get(`${key}\n${value}`) ?? 0) > 0;
}

function satisfiesAffinity({ affinity }: FilterState, pod: PodInfo, node: NodeInfo): boolean {
  if (pod.affinity.length === 0) return true;
  if (pod.affinity.some(({ topologyKey }) => node.labels[topologyKey] === undefined)) return false;
  if (pod.affinity.every(({ topologyKey }) => isCounted(affinity, node, topologyKey))) return true;
  // The first Pod of a group that wants to be together may go anywhere.
  return affinity.size === 0 && pod.affinity.every((term) => term.namespaces.has(pod.namespace) && term.selector.matches(pod.labels));
}

function preScore(state: CycleState, pod: PodInfo, { matches, view }: Parts): boolean {
  const hasOwn = pod.preferredAffinity.length > 0 || pod.preferredAntiAffinity.length > 0;
  const score: Counts = new Map();
  const add = (terms: readonly WeightedTerm[], target: PodInfo, node: NodeInfo, sign: 1 | -1) => {
    for (const term of terms) if (matches(term, target)) bump(score, node, term.topologyKey, sign * term.weight);
  };
  for (const node of hasOwn ? view.nodes : view.withAffinity) {
    for (const other of hasOwn ? node.pods.values() : node.withAffinity) {
      add(pod.preferredAffinity, other, node, 1);
      add(pod.preferredAntiAffinity, other, node, -1);
      add(other.preferredAffinity, pod, node, 1);
      add(other.preferredAntiAffinity, pod, node, -1);
      for (const term of other.affinity) if (matches(term, pod)) bump(score, node, term.topologyKey, HARD_WEIGHT);
    }
  }
  if (score.size === 0) return false;
  const previous = state.read<PluginState>(NAME);
  state.write(NAME, { ...previous, score } satisfies PluginState);
  return true;
}
