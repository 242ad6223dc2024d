// SPDX-License-Identifier: Apache-2.0
// What controllers ask of a Pod's status: is it active, ready, available, since when. Pure.
import type { Pod } from '#api/core/v1';
import { type DeepReadonly, timeMs } from '#machinery';

type ReadPod = DeepReadonly<Pod>;

export function conditionOf(pod: ReadPod, type: string) {
  return pod.status?.conditions?.find((condition) => condition.type === type);
}

export function isReady(pod: ReadPod): boolean {
  return conditionOf(pod, 'Ready')?.status === 'True';
}

/** Ended for good. */
export function isTerminal({ status }: ReadPod): boolean {
  return status?.phase === 'Succeeded' || status?.phase === 'Failed';
}

/** Neither ended nor being deleted. */
export function isActive(pod: ReadPod): boolean {
  return !isTerminal(pod) && pod.metadata.deletionTimestamp === undefined;
}

/** Being deleted and not yet ended. */
export function isTerminating(pod: ReadPod): boolean {
  return !isTerminal(pod) && pod.metadata.deletionTimestamp !== undefined;
}

/** When a ready Pod became so; NaN where unknown. */
export function readySince(pod: ReadPod): number {
  return timeMs(conditionOf(pod, 'Ready')?.lastTransitionTime);
}

/** Ready for at least `minReadySeconds`. */
export function isAvailable(pod: ReadPod, minReadySeconds: number, now: number): boolean {
  return availableIn(pod, minReadySeconds, now) === 0;
}

/** Milliseconds until a ready Pod is available: 0 when it is, undefined when it is not ready. */
export function availableIn(pod: ReadPod, minReadySeconds: number, now: number): number | undefined {
  if (!isReady(pod)) return undefined;
  if (minReadySeconds <= 0) return 0;
  const since = readySince(pod);
  if (Number.isNaN(since)) return undefined;
  return Math.max(0, since + minReadySeconds * 1000 - now);
}

/** Restarts of the container that was restarted most. */
export function mostRestarts({ status }: ReadPod): number {
  return Math.max(0, ...(status?.containerStatuses ?? []).map(({ restartCount }) => restartCount));
}
