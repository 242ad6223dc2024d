// SPDX-License-Identifier: Apache-2.0
// What a Job's own rules say of its Pods: podFailurePolicy, backoffLimitPerIndex, successPolicy. Pure. An index's failures are counted
// in annotations of its Pods; a failed Pod that somebody deletes before it was replaced is forgotten (upstream holds it back).
// @source upstream pkg/controller/job/{pod_failure_policy,success_policy,indexed_job_utils,backoff_utils}.go
import type { Job, PodFailurePolicyAction, PodFailurePolicyRule } from '#api/batch/v1';
import type { Pod } from '#api/core/v1';
import type { DeepReadonly } from '#machinery';
import { indexOf, parseIndexes } from './indexes.ts';

type ReadJob = DeepReadonly<Job>;
type ReadPod = DeepReadonly<Pod>;

export const FAILURES = 'batch.kubernetes.io/job-index-failure-count';
export const IGNORED_FAILURES = 'batch.kubernetes.io/job-index-ignored-failure-count';

/** What the first rule that matches a failed Pod says, with how it matched. */
export interface PolicyMatch {
  readonly action: PodFailurePolicyAction;
  readonly message: string;
}

export function matchFailurePolicy({ spec }: ReadJob, pod: ReadPod): PolicyMatch | undefined {
  for (const [at, rule] of (spec.podFailurePolicy?.rules ?? []).entries()) {
    const reason = matchExitCodes(rule, pod) ?? matchConditions(rule, pod);
    if (reason !== undefined) return { action: rule.action, message: `${reason} matching ${rule.action} rule at index ${at}` };
  }
  return undefined;
}

function matchExitCodes({ onExitCodes: wanted }: DeepReadonly<PodFailurePolicyRule>, { metadata, status }: ReadPod): string | undefined {
  if (wanted === undefined) return undefined;
  for (const { name, state } of [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])]) {
    const code = state?.terminated?.exitCode ?? 0;
    const isNamed = wanted.containerName === undefined || wanted.containerName === name;
    if (code !== 0 && isNamed && wanted.values.includes(code) === (wanted.operator === 'In')) {
      return `Container ${name} for pod ${metadata.namespace}/${metadata.name} failed with exit code ${code}`;
    }
  }
  return undefined;
}

function matchConditions({ onPodConditions = [] }: DeepReadonly<PodFailurePolicyRule>, { metadata, status }: ReadPod): string | undefined {
  const found = status?.conditions?.find((condition) =>
    onPodConditions.some((wanted) => wanted.type === condition.type && wanted.status === condition.status),
  );
  return found === undefined ? undefined : `Pod ${metadata.namespace}/${metadata.name} has condition ${found.type}`;
}

/** Whether the failure of a Pod counts against the limits. */
export function isCounted(job: ReadJob, pod: ReadPod): boolean {
  return matchFailurePolicy(job, pod)?.action !== 'Ignore';
}

/** Why a failed Pod ends the whole Job. */
export function failJobMessage(job: ReadJob, pods: readonly ReadPod[]): string | undefined {
  if (job.spec.podFailurePolicy === undefined) return undefined;
  for (const pod of pods) {
    const match = pod.status?.phase === 'Failed' ? matchFailurePolicy(job, pod) : undefined;
    if (match?.action === 'FailJob') return match.message;
  }
  return undefined;
}

function annotated({ metadata }: ReadPod, name: string): number {
  return Number(metadata.annotations?.[name] ?? 0) || 0;
}

/** Indexes that are given up, those of the status among them. */
export function failedIndexesOf(job: ReadJob, failed: readonly ReadPod[]): Set<number> {
  const { backoffLimitPerIndex, completions = 0 } = job.spec;
  if (backoffLimitPerIndex === undefined) return new Set();
  const indexes = parseIndexes(job.status?.failedIndexes ?? '', completions);
  for (const pod of failed) {
    const index = indexOf(pod);
    const action = matchFailurePolicy(job, pod)?.action;
    const isOver = action === 'FailIndex' || (action !== 'Ignore' && annotated(pod, FAILURES) >= backoffLimitPerIndex);
    if (index !== undefined && index < completions && isOver) indexes.add(index);
  }
  return indexes;
}

export interface IndexFailures {
  readonly counted: number;
  readonly ignored: number;
  /** The Pod that failed last. */
  readonly last: ReadPod;
}

/** What the next Pod of an index inherits; undefined where none has failed. */
export function failuresOf(job: ReadJob, pods: readonly ReadPod[], index: number): IndexFailures | undefined {
  let most: IndexFailures | undefined;
  for (const pod of pods) {
    if (indexOf(pod) !== index || pod.status?.phase === 'Succeeded') continue;
    const one = isCounted(job, pod) ? 1 : 0;
    const counted = annotated(pod, FAILURES) + one;
    const ignored = annotated(pod, IGNORED_FAILURES) + 1 - one;
    if (most === undefined || counted + ignored > most.counted + most.ignored) most = { counted, ignored, last: pod };
  }
  return most;
}

/** Why an indexed Job has done enough. */
export function matchSuccessPolicy({ spec }: ReadJob, succeeded: ReadonlySet<number>): string | undefined {
  for (const [at, { succeededIndexes, succeededCount }] of (spec.successPolicy?.rules ?? []).entries()) {
    const wanted = succeededIndexes === undefined ? undefined : parseIndexes(succeededIndexes, spec.completions ?? 0);
    const met = wanted === undefined ? succeeded.size : [...wanted].filter((index) => succeeded.has(index)).length;
    if (met >= (succeededCount ?? wanted?.size ?? Number.POSITIVE_INFINITY)) return `Matched rules at index ${at}`;
  }
  return undefined;
}
