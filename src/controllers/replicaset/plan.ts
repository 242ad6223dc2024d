// SPDX-License-Identifier: Apache-2.0
// The pure part of ReplicaSets: how many Pods to create, which to delete first, and the status that the Pods make.
import type { Pod } from '#api/core/v1';
import { type DeepReadonly, timeMs } from '#machinery';
import { availableIn, isActive, isReady, isTerminating, mostRestarts, readySince } from '../pods/conditions.ts';

type ReadPod = DeepReadonly<Pod>;

/** @source upstream: what one pass creates or deletes at most */
export const BURST = 500;
const DELETION_COST = 'controller.kubernetes.io/pod-deletion-cost';

export type ReplicaPlan =
  | { readonly action: 'none' }
  | { readonly action: 'create'; readonly count: number }
  | { readonly action: 'delete'; readonly pods: readonly ReadPod[] };

export interface PlanInput {
  readonly replicas: number;
  /** The set's own Pods that are active. */
  readonly active: readonly ReadPod[];
  /** Active Pods of the sets with the same owner: how crowded nodes are. */
  readonly related: readonly ReadPod[];
  readonly now: number;
}

export function planReplicas({ replicas, active, related, now }: PlanInput): ReplicaPlan {
  const missing = replicas - active.length;
  if (missing > 0) return { action: 'create', count: Math.min(missing, BURST) };
  if (missing === 0) return { action: 'none' };
  const count = Math.min(-missing, BURST);
  return { action: 'delete', pods: count === active.length ? active : rankForDeletion(active, related, now).slice(0, count) };
}

/** Pods in the order in which they are given up. */
export function rankForDeletion(active: readonly ReadPod[], related: readonly ReadPod[], now: number): ReadPod[] {
  const onNode = new Map<string, number>();
  for (const { spec } of related) if (spec.nodeName) onNode.set(spec.nodeName, (onNode.get(spec.nodeName) ?? 0) + 1);
  const ranked = active.map((pod) => rankOf(pod, onNode.get(pod.spec.nodeName ?? '') ?? 0, now));
  return ranked.sort(compareRanks).map(({ pod }) => pod);
}

interface Rank {
  readonly pod: ReadPod;
  /** Compared in order: the lower goes first. */
  readonly keys: readonly number[];
}

const PHASES: Readonly<Record<string, number>> = { Pending: 0, Unknown: 1, Running: 2 };

function rankOf(pod: ReadPod, crowd: number, now: number): Rank {
  const ready = isReady(pod);
  const keys = [
    pod.spec.nodeName ? 1 : 0,
    PHASES[pod.status?.phase ?? ''] ?? 0,
    ready ? 1 : 0,
    deletionCostOf(pod),
    -crowd,
    ready ? ageClass(readySince(pod), now) : 0,
    -mostRestarts(pod),
    ageClass(timeMs(pod.metadata.creationTimestamp), now),
  ];
  return { pod, keys };
}

/** Ages compare by powers of ten, so that Pods of about the same age are alike; within them the uid decides. Unknown is youngest. */
function ageClass(since: number, now: number): number {
  if (Number.isNaN(since)) return -1;
  const ageNanos = (now - since) * 1e6;
  return ageNanos <= 0 ? -1 : Math.floor(Math.log10(ageNanos));
}

function deletionCostOf({ metadata }: ReadPod): number {
  const text = metadata.annotations?.[DELETION_COST] ?? '0';
  return /^(0|[+-]?[1-9]\d{0,9})$/.test(text) ? Number(text) : 0;
}

function compareRanks(a: Rank, b: Rank): number {
  for (let index = 0; index < a.keys.length; index++) {
    const difference = (a.keys[index] ?? 0) - (b.keys[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return a.pod.metadata.uid < b.pod.metadata.uid ? -1 : 1;
}

export interface ObservedReplicas {
  readonly replicas: number;
  readonly fullyLabeledReplicas: number;
  readonly readyReplicas: number;
  readonly availableReplicas: number;
  readonly terminatingReplicas: number;
  /** Milliseconds until the next ready Pod becomes available. */
  readonly nextAvailableInMs: number | undefined;
}

export function observeReplicas(
  pods: readonly ReadPod[],
  templateLabels: Readonly<Record<string, string>>,
  minReadySeconds: number,
  now: number,
): ObservedReplicas {
  const active = pods.filter(isActive);
  const labels = Object.entries(templateLabels);
  const waits = active.map((pod) => availableIn(pod, minReadySeconds, now));
  const pending = waits.filter((wait): wait is number => wait !== undefined && wait > 0);
  return {
    replicas: active.length,
    fullyLabeledReplicas: active.filter(({ metadata }) => labels.every(([key, value]) => metadata.labels?.[key] === value)).length,
    readyReplicas: active.filter(isReady).length,
    availableReplicas: waits.filter((wait) => wait === 0).length,
    terminatingReplicas: pods.filter(isTerminating).length,
    nextAvailableInMs: pending.length === 0 ? undefined : Math.min(...pending),
  };
}
