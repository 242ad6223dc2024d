// SPDX-License-Identifier: Apache-2.0
// The status of a PodDisruptionBudget: how many of its Pods are healthy, must be, and may be disrupted now. Pure.
import type { Pod } from '#api/core/v1';
import type { PodDisruptionBudget, PodDisruptionBudgetStatus } from '#api/policy/v1';
import { type DeepReadonly, timeMs } from '#machinery';
import { isActive, isReady, isTerminal } from '../pods/conditions.ts';

/** How long an eviction that the server has granted counts although the Pod is still there. */
export const DISRUPTION_TIMEOUT_MS = 2 * 60_000;

type ReadPod = DeepReadonly<Pod>;
type ReadBudget = DeepReadonly<PodDisruptionBudget>;

export interface BudgetInput {
  readonly budget: ReadBudget;
  /** The Pods its selector takes. */
  readonly pods: readonly ReadPod[];
  /** How many Pods their controllers want; undefined where one of them cannot be asked. */
  readonly wanted: number | undefined;
  readonly now: number;
}

export type Counts = Omit<PodDisruptionBudgetStatus, 'conditions' | 'observedGeneration'> & { readonly nextLookMs: number | undefined };

/** Undefined where the budget needs the controllers' counts and they are not known. */
export function countBudget({ budget, pods, wanted, now }: BudgetInput): Counts | undefined {
  const { minAvailable, maxUnavailable } = budget.spec;
  const live = pods.filter((pod) => !isTerminal(pod));
  const disruptedPods: Record<string, string> = {};
  let nextLookMs: number | undefined;
  for (const pod of live) {
    const since = budget.status?.disruptedPods?.[pod.metadata.name];
    if (since === undefined || pod.metadata.deletionTimestamp !== undefined) continue;
    const leftMs = timeMs(since) + DISRUPTION_TIMEOUT_MS - now;
    if (leftMs <= 0) continue;
    disruptedPods[pod.metadata.name] = since;
    nextLookMs = Math.min(nextLookMs ?? leftMs, leftMs);
  }
  const currentHealthy = live.filter((pod) => isActive(pod) && isReady(pod) && disruptedPods[pod.metadata.name] === undefined).length;
  const needsScale = maxUnavailable !== undefined || typeof minAvailable === 'string';
  if (needsScale && wanted === undefined) return undefined;
  const expectedPods = needsScale ? (wanted ?? 0) : live.length;
  const desiredHealthy =
    maxUnavailable !== undefined ? Math.max(0, expectedPods - share(maxUnavailable, expectedPods)) : share(minAvailable ?? 0, expectedPods);
  const disruptionsAllowed = expectedPods <= 0 ? 0 : Math.max(0, currentHealthy - desiredHealthy);
  return {
    currentHealthy,
    desiredHealthy,
    expectedPods,
    disruptionsAllowed,
    ...(Object.keys(disruptedPods).length === 0 ? {} : { disruptedPods }),
    nextLookMs,
  };
}

/** Percentages are rounded up, as upstream does for both. */
function share(value: number | string, total: number): number {
  return typeof value === 'number' ? value : Math.ceil((Number(value.replace('%', '')) * total) / 100);
}
