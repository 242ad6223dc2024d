// SPDX-License-Identifier: Apache-2.0
// The next step of a StatefulSet: which Pods to make and which to remove, in order or all at once, and the status. Pure.
import type { StatefulSetStatus } from '#api/apps/v1';
import { timeMs } from '#machinery';
import { resolve } from '../deployment/counts.ts';
import { isAvailable, isReady, isTerminal } from '../pods/conditions.ts';
import { ordinalOf, type ReadPod, type ReadRevision, type ReadSet, revisionOf, startOf } from './identity.ts';

export interface StatefulInput {
  readonly set: ReadSet;
  readonly pods: readonly ReadPod[];
  readonly current: ReadRevision;
  readonly update: ReadRevision;
  readonly now: number;
}

export interface StatefulPlan {
  readonly create: readonly { readonly ordinal: number; readonly revision: ReadRevision }[];
  readonly remove: readonly ReadPod[];
  /** Those of `remove` that are beyond the wanted count. */
  readonly condemned: readonly ReadPod[];
}

const NOTHING: StatefulPlan = { create: [], remove: [], condemned: [] };

function isHealthy(pod: ReadPod | undefined, { set, now }: StatefulInput): boolean {
  return (
    pod !== undefined &&
    pod.metadata.deletionTimestamp === undefined &&
    pod.status?.phase === 'Running' &&
    isAvailable(pod, set.spec.minReadySeconds ?? 0, now)
  );
}

/**
 * Which revision a new Pod of an ordinal has. Without a partition the lowest keep theirs, as many as still run at the current revision:
 * counted now, since the count in the status may be older than the going of the Pod that is to be replaced.
 */
function revisionFor(ordinal: number, { set, pods, current, update }: StatefulInput): ReadRevision {
  if ((set.spec.updateStrategy?.type ?? 'RollingUpdate') !== 'RollingUpdate') return update;
  const partition = set.spec.updateStrategy?.rollingUpdate?.partition;
  const stays = (pod: ReadPod) => pod.metadata.deletionTimestamp === undefined && revisionOf(pod) === current.metadata.name;
  const kept = partition ?? pods.filter(stays).length;
  return ordinal < startOf(set) + kept ? current : update;
}

export function planStateful(input: StatefulInput): StatefulPlan {
  const { set, pods } = input;
  const ordered = set.spec.podManagementPolicy !== 'Parallel';
  const byOrdinal = new Map(pods.flatMap((pod) => (ordinalOf(set, pod) === undefined ? [] : [[ordinalOf(set, pod) ?? 0, pod] as const])));
  const first = startOf(set);
  const last = first + (set.spec.replicas ?? 1) - 1;
  const create: { ordinal: number; revision: ReadRevision }[] = [];
  const remove: ReadPod[] = [];
  for (let ordinal = first; ordinal <= last; ordinal++) {
    const pod = byOrdinal.get(ordinal);
    const isGoing = pod?.metadata.deletionTimestamp !== undefined;
    if (pod === undefined) create.push({ ordinal, revision: revisionFor(ordinal, input) });
    // An ended Pod is replaced by one of the same name.
    else if (isTerminal(pod) && !isGoing) remove.push(pod);
    else if (isHealthy(pod, input)) continue;
    if (ordered) return { create, remove, condemned: [] };
  }
  const condemned = [...byOrdinal]
    .filter(([ordinal]) => ordinal < first || ordinal > last)
    .sort(([a], [b]) => b - a)
    .map(([, pod]) => pod);
  const doomed = planScaleDown(condemned, ordered);
  if (create.length + remove.length + doomed.length > 0) return { create, remove: [...remove, ...doomed], condemned: doomed };
  return condemned.length > 0 && ordered ? NOTHING : planUpdate(byOrdinal, { first, last }, input);
}

/** The highest first; in order one at a time, and only when the one before is gone. */
function planScaleDown(condemned: readonly ReadPod[], ordered: boolean): readonly ReadPod[] {
  if (!ordered) return condemned.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  const [highest] = condemned;
  return highest === undefined || highest.metadata.deletionTimestamp !== undefined ? [] : [highest];
}

/** From the highest ordinal down to the partition, never more than `maxUnavailable` missing. */
function planUpdate(
  byOrdinal: ReadonlyMap<number, ReadPod>,
  { first, last }: { first: number; last: number },
  input: StatefulInput,
): StatefulPlan {
  const { set, update } = input;
  const { type = 'RollingUpdate', rollingUpdate } = set.spec.updateStrategy ?? {};
  if (type !== 'RollingUpdate') return NOTHING;
  const most = Math.max(1, resolve(rollingUpdate?.maxUnavailable ?? 1, set.spec.replicas ?? 1, Math.ceil));
  const remove: ReadPod[] = [];
  let unavailable = 0;
  for (let ordinal = last; ordinal >= first + (rollingUpdate?.partition ?? 0); ordinal--) {
    const pod = byOrdinal.get(ordinal);
    if (pod !== undefined && revisionOf(pod) !== update.metadata.name && pod.metadata.deletionTimestamp === undefined) {
      remove.push(pod);
      unavailable += 1;
    } else if (!isHealthy(pod, input)) unavailable += 1;
    if (unavailable >= most) break;
  }
  return { create: [], remove, condemned: [] };
}

export function observeStateful(input: StatefulInput): Omit<StatefulSetStatus, 'conditions' | 'collisionCount' | 'observedGeneration'> {
  const { set, pods, current, update, now } = input;
  const live = pods.filter((pod) => !isTerminal(pod) && ordinalOf(set, pod) !== undefined);
  const staying = live.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  const ready = live.filter((pod) => pod.status?.phase === 'Running' && isReady(pod));
  const count = (revision: ReadRevision) => staying.filter((pod) => revisionOf(pod) === revision.metadata.name).length;
  const counts = {
    replicas: live.length,
    readyReplicas: ready.length,
    availableReplicas: ready.filter((pod) => isAvailable(pod, set.spec.minReadySeconds ?? 0, now)).length,
    currentReplicas: count(current),
    updatedReplicas: count(update),
    currentRevision: current.metadata.name,
    updateRevision: update.metadata.name,
  };
  const isRolling = (set.spec.updateStrategy?.type ?? 'RollingUpdate') === 'RollingUpdate';
  const isOver =
    isRolling &&
    counts.updatedReplicas === counts.replicas &&
    counts.readyReplicas === counts.replicas &&
    counts.replicas === (set.spec.replicas ?? 1);
  return isOver ? { ...counts, currentReplicas: counts.updatedReplicas, currentRevision: counts.updateRevision } : counts;
}

/** Milliseconds until the next ready Pod is available. */
export function nextAvailableIn({ set, pods, now }: StatefulInput): number | undefined {
  const minReadyMs = (set.spec.minReadySeconds ?? 0) * 1000;
  if (minReadyMs === 0) return undefined;
  const waits = pods
    .filter(isReady)
    .map((pod) => timeMs(pod.status?.conditions?.find(({ type }) => type === 'Ready')?.lastTransitionTime) + minReadyMs - now);
  const pending = waits.filter((wait) => wait > 0);
  return pending.length === 0 ? undefined : Math.min(...pending);
}
