// SPDX-License-Identifier: Apache-2.0
// The arithmetic of rollouts: percentages, how far to surge, how many old Pods may go, how a scaled Deployment divides its replicas.
import type { Deployment, ReplicaSet } from '#api/apps/v1';
import { type DeepReadonly, timeMs } from '#machinery';
import { MAX_REPLICAS, readNumber } from './annotations.ts';

export type ReadDeployment = DeepReadonly<Deployment>;
export type ReadSet = DeepReadonly<ReplicaSet>;

/** `25%` of a total, or the number itself. */
export function resolve(value: number | string | undefined, total: number, round: (exact: number) => number): number {
  if (value === undefined) return 0;
  if (typeof value === 'number') return value;
  return value.endsWith('%') ? round((Number(value.slice(0, -1)) * total) / 100) : 0;
}

export function replicasOf({ spec }: ReadDeployment | ReadSet): number {
  return spec.replicas ?? 1;
}

export function isRolling({ spec }: ReadDeployment): boolean {
  return (spec.strategy?.type ?? 'RollingUpdate') === 'RollingUpdate';
}

/** How far a rollout may go above and below the wanted count. Both zero would stop it: then one may be missing. */
export function fencePosts(deployment: ReadDeployment): { maxSurge: number; maxUnavailable: number } {
  const { rollingUpdate } = deployment.spec.strategy ?? {};
  const replicas = replicasOf(deployment);
  const maxSurge = resolve(rollingUpdate?.maxSurge ?? 0, replicas, Math.ceil);
  const maxUnavailable = resolve(rollingUpdate?.maxUnavailable ?? 0, replicas, Math.floor);
  return { maxSurge, maxUnavailable: maxSurge === 0 && maxUnavailable === 0 ? 1 : maxUnavailable };
}

export function maxSurgeOf(deployment: ReadDeployment): number {
  return isRolling(deployment) ? fencePosts(deployment).maxSurge : 0;
}

export function maxUnavailableOf(deployment: ReadDeployment): number {
  if (!isRolling(deployment) || replicasOf(deployment) === 0) return 0;
  return Math.min(fencePosts(deployment).maxUnavailable, replicasOf(deployment));
}

export function sumReplicas(sets: readonly ReadSet[]): number {
  return sets.reduce((sum, set) => sum + replicasOf(set), 0);
}

/** A total over the statuses of sets. */
export function sumStatus(
  sets: readonly ReadSet[],
  field: 'replicas' | 'readyReplicas' | 'availableReplicas' | 'terminatingReplicas',
): number {
  return sets.reduce((sum, { status }) => sum + (status?.[field] ?? 0), 0);
}

/** How many replicas the new set may have now. */
export function newSetReplicas(deployment: ReadDeployment, all: readonly ReadSet[], newReplicas: number): number {
  const wanted = replicasOf(deployment);
  if (!isRolling(deployment)) return wanted;
  const room = wanted + maxSurgeOf(deployment) - sumReplicas(all);
  return room <= 0 ? newReplicas : newReplicas + Math.min(room, wanted - newReplicas);
}

export interface Scaling {
  readonly set: ReadSet;
  readonly to: number;
}

/** The old sets to scale down so that a rolling update goes on: those with sick Pods first, then the oldest. */
export function planScaleDown(deployment: ReadDeployment, newSet: ReadSet, old: readonly ReadSet[]): Scaling[] {
  const all = [...old, newSet];
  const minAvailable = replicasOf(deployment) - maxUnavailableOf(deployment);
  const newUnavailable = replicasOf(newSet) - (newSet.status?.availableReplicas ?? 0);
  const most = sumReplicas(all) - minAvailable - newUnavailable;
  if (sumReplicas(old) === 0 || most <= 0) return [];
  const sizes = new Map(old.map((set) => [set, replicasOf(set)]));
  const oldest = [...old].sort(byCreation);
  removeSick(oldest, sizes, most);
  let left = sumStatus(all, 'availableReplicas') - minAvailable;
  for (const set of oldest) {
    if (left <= 0) break;
    const size = sizes.get(set) ?? 0;
    const taken = Math.min(size, left);
    sizes.set(set, size - taken);
    left -= taken;
  }
  return oldest.flatMap((set) => (sizes.get(set) === replicasOf(set) ? [] : [{ set, to: sizes.get(set) ?? 0 }]));
}

function removeSick(oldest: readonly ReadSet[], sizes: Map<ReadSet, number>, most: number): void {
  let left = most;
  for (const set of oldest) {
    if (left <= 0) return;
    const size = sizes.get(set) ?? 0;
    const sick = Math.min(left, Math.max(0, size - (set.status?.availableReplicas ?? 0)));
    sizes.set(set, size - sick);
    left -= sick;
  }
}

export function byCreation(a: ReadSet, b: ReadSet): number {
  const [first, second] = [timeMs(a.metadata.creationTimestamp), timeMs(b.metadata.creationTimestamp)];
  return first - second || (a.metadata.name < b.metadata.name ? -1 : 1);
}

/** Divides what a scaled Deployment gains or loses over its sets in proportion to their sizes; leftovers go to the largest. */
export function planProportional(deployment: ReadDeployment, active: readonly ReadSet[]): Scaling[] {
  const wanted = replicasOf(deployment);
  const allowed = wanted > 0 ? wanted + maxSurgeOf(deployment) : 0;
  const toAdd = allowed - sumReplicas(active);
  const newerFirst = toAdd > 0 ? -1 : 1;
  const bySize = [...active].sort((a, b) => replicasOf(b) - replicasOf(a) || newerFirst * byCreation(a, b));
  let added = 0;
  const sizes = bySize.map((set) => {
    const share = toAdd === 0 ? 0 : shareOf(set, deployment, { toAdd, added });
    added += share;
    return replicasOf(set) + share;
  });
  return bySize.map((set, index) => {
    const size = (sizes[index] ?? 0) + (index === 0 && toAdd !== 0 ? toAdd - added : 0);
    return { set, to: Math.max(0, size) };
  });
}

function shareOf(set: ReadSet, deployment: ReadDeployment, { toAdd, added }: { toAdd: number; added: number }): number {
  if (replicasOf(set) === 0 || toAdd === added) return 0;
  const fraction = fractionOf(set, deployment);
  const left = toAdd - added;
  return toAdd > 0 ? Math.min(fraction, left) : Math.max(fraction, left);
}

function fractionOf(set: ReadSet, deployment: ReadDeployment): number {
  const size = replicasOf(set);
  if (replicasOf(deployment) === 0) return -size;
  const before = readNumber(set, MAX_REPLICAS) || (deployment.status?.replicas ?? 0);
  if (before === 0) return 0;
  return Math.round((size * (replicasOf(deployment) + maxSurgeOf(deployment))) / before) - size;
}
