// SPDX-License-Identifier: Apache-2.0
// What a Job's Pods mean for it: which are active, newly ended, whether it is to fail or has succeeded, how many more to run. Pure.
import type { Job, JobCondition } from '#api/batch/v1';
import type { Pod } from '#api/core/v1';
import { type DeepReadonly, timeMs } from '#machinery';
import { isReady, isTerminal } from '../pods/conditions.ts';
import { indexOf, parseIndexes } from './indexes.ts';

export type ReadJob = DeepReadonly<Job>;
export type ReadPod = DeepReadonly<Pod>;

/** Keeps an ended Pod until it has been counted. */
export const TRACKING = 'batch.kubernetes.io/job-tracking';
const FIRST_BACKOFF_MS = 10_000;
const MOST_BACKOFF_MS = 600_000;

export function hasTracking({ metadata }: ReadPod): boolean {
  return metadata.finalizers?.includes(TRACKING) === true;
}

export function conditionOf({ status }: ReadJob, type: string) {
  return status?.conditions?.find((condition) => condition.type === type && condition.status === 'True');
}

export function isFinished(job: ReadJob): boolean {
  return conditionOf(job, 'Complete') !== undefined || conditionOf(job, 'Failed') !== undefined;
}

export function isIndexed({ spec }: ReadJob): boolean {
  return spec.completionMode === 'Indexed';
}

/** Features of Jobs that are not there: a Job that needs one is not run at all. */
export function unsupportedFeature({ spec }: ReadJob): string | undefined {
  if (spec.podFailurePolicy !== undefined) return 'podFailurePolicy';
  if (spec.successPolicy !== undefined) return 'successPolicy';
  if (spec.backoffLimitPerIndex !== undefined) return 'backoffLimitPerIndex';
  return undefined;
}

export interface Tally {
  readonly active: readonly ReadPod[];
  readonly ready: number;
  readonly terminating: number;
  /** Ended, still to be counted. */
  readonly newSucceeded: readonly ReadPod[];
  readonly newFailed: readonly ReadPod[];
  /** All that ever succeeded or failed, counted or not. */
  readonly succeeded: number;
  readonly failed: number;
  readonly completedIndexes: ReadonlySet<number>;
}

export function tally(job: ReadJob, pods: readonly ReadPod[]): Tally {
  const { status } = job;
  const replacesOnlyFailed = job.spec.podReplacementPolicy === 'Failed';
  const counted = new Set([...(status?.uncountedTerminatedPods?.succeeded ?? []), ...(status?.uncountedTerminatedPods?.failed ?? [])]);
  const fresh = pods.filter((pod) => hasTracking(pod) && !counted.has(pod.metadata.uid));
  const isGoing = ({ metadata }: ReadPod) => metadata.deletionTimestamp !== undefined;
  const newSucceeded = fresh.filter((pod) => pod.status?.phase === 'Succeeded');
  // A Pod that is deleted counts as failed at once, unless only ended ones are to be replaced.
  const newFailed = fresh.filter(
    (pod) => pod.status?.phase === 'Failed' || (isGoing(pod) && pod.status?.phase !== 'Succeeded' && !replacesOnlyFailed),
  );
  const active = pods.filter((pod) => !isTerminal(pod) && !isGoing(pod));
  const { completions } = job.spec;
  const completedIndexes = isIndexed(job) ? parseIndexes(status?.completedIndexes ?? '', completions ?? 0) : new Set<number>();
  for (const pod of isIndexed(job) ? newSucceeded : []) {
    const index = indexOf(pod);
    if (index !== undefined && index < (completions ?? 0)) completedIndexes.add(index);
  }
  const uncounted = status?.uncountedTerminatedPods;
  const succeeded = isIndexed(job)
    ? completedIndexes.size
    : (status?.succeeded ?? 0) + (uncounted?.succeeded ?? []).length + newSucceeded.length;
  return {
    active,
    ready: active.filter(isReady).length,
    terminating: pods.filter((pod) => isGoing(pod) && !isTerminal(pod)).length,
    newSucceeded,
    newFailed,
    succeeded,
    failed: (status?.failed ?? 0) + (uncounted?.failed ?? []).length + newFailed.length,
    completedIndexes,
  };
}

export interface Verdict {
  readonly type: 'FailureTarget' | 'SuccessCriteriaMet';
  readonly reason: string;
  readonly message: string;
}

/** Whether the Job's end is decided. */
export function judge(job: ReadJob, counts: Tally, now: number): Verdict | undefined {
  const known = conditionOf(job, 'FailureTarget') ?? conditionOf(job, 'SuccessCriteriaMet');
  if (known !== undefined) return { type: known.type as Verdict['type'], reason: known.reason ?? '', message: known.message ?? '' };
  const { backoffLimit = 6, completions, activeDeadlineSeconds, suspend } = job.spec;
  if (counts.failed > backoffLimit || restarts(job, counts.active) > backoffLimit) {
    return { type: 'FailureTarget', reason: 'BackoffLimitExceeded', message: 'Job has reached the specified backoff limit' };
  }
  const deadline = deadlineIn(job, now);
  if (activeDeadlineSeconds !== undefined && suspend !== true && deadline !== undefined && deadline <= 0) {
    return { type: 'FailureTarget', reason: 'DeadlineExceeded', message: 'Job was active longer than specified deadline' };
  }
  // Without completions any success is enough, once the others have ended.
  const isDone =
    completions === undefined
      ? counts.succeeded > 0 && counts.active.length === 0
      : counts.succeeded >= completions && counts.active.length === 0;
  return isDone && suspend !== true
    ? { type: 'SuccessCriteriaMet', reason: 'CompletionsReached', message: 'Reached expected number of succeeded pods' }
    : undefined;
}

/** With restartPolicy OnFailure the restarts of running Pods count too. */
function restarts({ spec }: ReadJob, active: readonly ReadPod[]): number {
  if (spec.template.spec.restartPolicy !== 'OnFailure') return 0;
  const all = active.flatMap(({ status }) => [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])]);
  return all.reduce((sum, { restartCount }) => sum + restartCount, 0);
}

/** Milliseconds until the Job has been active too long. */
export function deadlineIn({ spec, status }: ReadJob, now: number): number | undefined {
  if (spec.activeDeadlineSeconds === undefined || status?.startTime === undefined) return undefined;
  return timeMs(status.startTime) + spec.activeDeadlineSeconds * 1000 - now;
}

/** How many Pods should be active. */
export function wantedActive({ spec }: ReadJob, { active, succeeded, terminating }: Tally): number {
  if (spec.suspend === true) return 0;
  const { parallelism = 1, completions } = spec;
  const wanted =
    completions === undefined ? (succeeded > 0 ? active.length : parallelism) : Math.min(parallelism, Math.max(0, completions - succeeded));
  return spec.podReplacementPolicy === 'Failed' ? Math.max(0, wanted - terminating) : wanted;
}

/** Milliseconds to wait before more Pods are made: failures slow a Job down. */
export function backoffMs(pods: readonly ReadPod[], failures: number, now: number): number {
  if (failures === 0) return 0;
  const ends = pods.filter((pod) => pod.status?.phase === 'Failed').map(endOf);
  const last = Math.max(...ends, Number.NEGATIVE_INFINITY);
  if (last === Number.NEGATIVE_INFINITY) return 0;
  return Math.max(0, last + Math.min(MOST_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** Math.min(failures - 1, 10)) - now);
}

function endOf({ metadata, status }: ReadPod): number {
  const ends = (status?.containerStatuses ?? [])
    .map(({ state }) => timeMs(state?.terminated?.finishedAt))
    .filter((ms) => !Number.isNaN(ms));
  return ends.length > 0 ? Math.max(...ends) : timeMs(metadata.deletionTimestamp ?? metadata.creationTimestamp);
}

export function withCondition(
  conditions: readonly DeepReadonly<JobCondition>[],
  type: string,
  { status = 'True', reason, message, now }: { status?: 'True' | 'False'; reason: string; message: string; now: string },
): readonly DeepReadonly<JobCondition>[] {
  const known = conditions.find((condition) => condition.type === type);
  if (known?.status === status && known.reason === reason) return conditions;
  const next: JobCondition = { type, status, reason, message, lastProbeTime: now, lastTransitionTime: now };
  return [...conditions.filter((condition) => condition.type !== type), next];
}
