// SPDX-License-Identifier: Apache-2.0
// What a Job's Pods mean for it: which are active, newly ended, whether it is to fail or has succeeded, how many more to run. Pure.
import type { Job, JobCondition } from '#api/batch/v1';
import type { Pod } from '#api/core/v1';
import { type DeepReadonly, timeMs } from '#machinery';
import { isReady, isTerminal } from '../pods/conditions.ts';
import { indexOf, parseIndexes } from './indexes.ts';
import { failedIndexesOf, failJobMessage, isCounted, matchSuccessPolicy } from './policies.ts';

export type ReadJob = DeepReadonly<Job>;
export type ReadPod = DeepReadonly<Pod>;

/** Keeps an ended Pod until it has been counted. */
export const TRACKING = 'batch.kubernetes.io/job-tracking';
const FIRST_BACKOFF_MS = 10_000;
const MOST_BACKOFF_MS = 600_000;
const DEFAULT_BACKOFF_LIMIT = 6;

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

export interface Tally {
  readonly active: readonly ReadPod[];
  readonly ready: number;
  readonly terminating: number;
  /** Ended, still to be counted. */
  readonly newSucceeded: readonly ReadPod[];
  readonly newFailed: readonly ReadPod[];
  /** Failed, but by the Job's failure policy of no account. */
  readonly newIgnored: readonly ReadPod[];
  /** All that ever succeeded or failed, counted or not. */
  readonly succeeded: number;
  readonly failed: number;
  readonly completedIndexes: ReadonlySet<number>;
  /** Given up, where every index has a limit of its own. */
  readonly failedIndexes: ReadonlySet<number>;
  /** Why a failed Pod ends the Job, where one does. */
  readonly failure: string | undefined;
}

export function tally(job: ReadJob, pods: readonly ReadPod[]): Tally {
  const { status } = job;
  const replacesOnlyFailed = job.spec.podReplacementPolicy === 'Failed';
  const counted = new Set([...(status?.uncountedTerminatedPods?.succeeded ?? []), ...(status?.uncountedTerminatedPods?.failed ?? [])]);
  const fresh = pods.filter((pod) => hasTracking(pod) && !counted.has(pod.metadata.uid));
  const isGoing = ({ metadata }: ReadPod) => metadata.deletionTimestamp !== undefined;
  const newSucceeded = fresh.filter((pod) => pod.status?.phase === 'Succeeded');
  // A Pod that is deleted counts as failed at once, unless only ended ones are to be replaced.
  const ended = fresh.filter(
    (pod) => pod.status?.phase === 'Failed' || (isGoing(pod) && pod.status?.phase !== 'Succeeded' && !replacesOnlyFailed),
  );
  const newFailed = ended.filter((pod) => isCounted(job, pod));
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
    newIgnored: ended.filter((pod) => !newFailed.includes(pod)),
    succeeded,
    failed: (status?.failed ?? 0) + (uncounted?.failed ?? []).length + newFailed.length,
    completedIndexes,
    failedIndexes: failedIndexesOf(job, [...ended, ...pods.filter((pod) => pod.status?.phase === 'Failed')]),
    failure: failJobMessage(job, pods),
  };
}

/** Of a Job that fails every Pod that is going has failed, whatever its policy of replacing them. */
export function withGoingFailed({ status }: ReadJob, counts: Tally, pods: readonly ReadPod[]): Tally {
  const known = new Set([...counts.newFailed, ...counts.newSucceeded, ...counts.newIgnored]);
  const uncounted = new Set(status?.uncountedTerminatedPods?.failed);
  const going = pods.filter(
    (pod) => pod.metadata.deletionTimestamp !== undefined && hasTracking(pod) && !known.has(pod) && !uncounted.has(pod.metadata.uid),
  );
  return { ...counts, newFailed: [...counts.newFailed, ...going], failed: counts.failed + going.length };
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
  const { completions, activeDeadlineSeconds, suspend, backoffLimitPerIndex } = job.spec;
  const { backoffLimit = backoffLimitPerIndex === undefined ? DEFAULT_BACKOFF_LIMIT : Number.POSITIVE_INFINITY } = job.spec;
  if (counts.failure !== undefined) return { type: 'FailureTarget', reason: 'PodFailurePolicy', message: counts.failure };
  if (counts.failed > backoffLimit || restarts(job, counts.active) > backoffLimit) {
    return { type: 'FailureTarget', reason: 'BackoffLimitExceeded', message: 'Job has reached the specified backoff limit' };
  }
  const deadline = deadlineIn(job, now);
  if (activeDeadlineSeconds !== undefined && suspend !== true && deadline !== undefined && deadline <= 0) {
    return { type: 'FailureTarget', reason: 'DeadlineExceeded', message: 'Job was active longer than specified deadline' };
  }
  const indexes = judgeIndexes(job, counts);
  if (indexes !== undefined) return indexes;
  // Without completions any success is enough, once the others have ended.
  const isDone =
    completions === undefined
      ? counts.succeeded > 0 && counts.active.length === 0
      : counts.succeeded >= completions && counts.active.length === 0;
  return isDone && suspend !== true
    ? { type: 'SuccessCriteriaMet', reason: 'CompletionsReached', message: 'Reached expected number of succeeded pods' }
    : undefined;
}

/** The rules that only indexed Jobs have. */
function judgeIndexes(job: ReadJob, { failedIndexes, completedIndexes }: Tally): Verdict | undefined {
  if (!isIndexed(job)) return undefined;
  const { maxFailedIndexes, completions = 0 } = job.spec;
  if (maxFailedIndexes !== undefined && failedIndexes.size > maxFailedIndexes) {
    const message = 'Job has exceeded the specified maximal number of failed indexes';
    return { type: 'FailureTarget', reason: 'MaxFailedIndexesExceeded', message };
  }
  if (failedIndexes.size > 0 && failedIndexes.size + completedIndexes.size >= completions) {
    return { type: 'FailureTarget', reason: 'FailedIndexes', message: 'Job has failed indexes' };
  }
  const message = matchSuccessPolicy(job, completedIndexes);
  return message === undefined ? undefined : { type: 'SuccessCriteriaMet', reason: 'SuccessPolicy', message };
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
export function wantedActive({ spec }: ReadJob, { active, succeeded, terminating, failedIndexes }: Tally): number {
  if (spec.suspend === true) return 0;
  const { parallelism = 1, completions } = spec;
  const wanted =
    completions === undefined
      ? succeeded > 0
        ? active.length
        : parallelism
      : Math.min(parallelism, Math.max(0, completions - succeeded - failedIndexes.size));
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
