// SPDX-License-Identifier: Apache-2.0
// Moves one Job toward its end.
//
// Guarantees: every ended Pod is counted exactly once. Its uid is first written into the status, then its finalizer is removed, then it
// moves from the list into the count; whatever interrupts this, the next pass goes on where it stopped.
import type { Job, JobStatus } from '#api/batch/v1';
import type { EnvVar, Pod } from '#api/core/v1';
import { jobs } from '#api/resources';
import { DONE, type Lister, type Result, requeueAfter } from '#client';
import { formatTime } from '#component';
import { type DeepReadonly, type Draft, deepCopy, keyOf, selectorOf, semanticEqual } from '#machinery';
import { type ControllerContext, controllerReference } from '../context.ts';
import { claimPods } from '../pods/claim.ts';
import { isTerminal } from '../pods/conditions.ts';
import type { Expectations } from '../pods/expectations.ts';
import { type PodControl, podFromTemplate, slowStart } from '../pods/pod-control.ts';
import type { PodIndex } from '../pods/pod-index.ts';
import { formatIndexes, freeIndexes, INDEX_ANNOTATION, indexOf } from './indexes.ts';
import {
  backoffMs,
  deadlineIn,
  hasTracking,
  isFinished,
  isIndexed,
  judge,
  type ReadJob,
  type ReadPod,
  type Tally,
  TRACKING,
  tally,
  type Verdict,
  wantedActive,
  withCondition,
  withGoingFailed,
} from './plan.ts';
import { FAILURES, failuresOf, IGNORED_FAILURES, type IndexFailures } from './policies.ts';
import { stopTracking } from './tracking.ts';

export interface JobDeps extends Pick<ControllerContext, 'client' | 'clock' | 'recorder'> {
  readonly jobs: Lister<Job>;
  readonly pods: PodIndex;
  readonly control: PodControl;
  readonly expectations: Expectations;
}

/** @throws {ApiError} On any API failure; nothing is counted twice when it is tried again. */
export async function reconcile(key: string, deps: JobDeps): Promise<Result> {
  const cached = deps.jobs.find(key);
  if (cached === undefined) {
    deps.expectations.forget(key);
    return DONE;
  }
  if (cached.spec.managedBy !== undefined && cached.spec.managedBy !== 'kubernetes.io/job-controller') return DONE;
  const pods = await claim(cached, deps);
  if (isFinished(cached) || cached.metadata.deletionTimestamp !== undefined) {
    await Promise.all(pods.filter(hasTracking).map((pod) => stopTracking(pod, deps.client)));
    return DONE;
  }
  const job = await start(cached, deps);
  const seen = tally(job, pods);
  const now = deps.clock.now();
  const verdict = judge(job, seen, now);
  const counts = verdict?.type === 'FailureTarget' ? withGoingFailed(job, seen, pods) : seen;
  const waitMs = deps.expectations.satisfied(key) ? await manage(key, job, { pods, counts, verdict }, deps) : undefined;
  await count(job, { pods, counts, verdict }, deps);
  const waits = [waitMs, verdict === undefined ? deadlineIn(job, now) : undefined].filter((ms): ms is number => ms !== undefined && ms > 0);
  return waits.length === 0 ? DONE : requeueAfter(Math.min(...waits));
}

function claim(job: ReadJob, { client, pods, control }: JobDeps): Promise<readonly ReadPod[]> {
  const { namespace, name } = job.metadata;
  const selector = selectorOf(job.spec.selector as Parameters<typeof selectorOf>[0]);
  return claimPods({
    owner: job,
    reference: controllerReference(job, jobs),
    selector,
    pods,
    control,
    finalizers: [TRACKING],
    readOwner: () => client.get(jobs, { namespace, name }),
  });
}

/** The start time, and what suspending and resuming do to it. */
async function start(job: ReadJob, { client, clock, recorder }: JobDeps): Promise<ReadJob> {
  const isSuspended = job.spec.suspend === true;
  const now = formatTime(clock.now());
  const before = job.status?.conditions ?? [];
  const wasSuspended = before.some(({ type, status }) => type === 'Suspended' && status === 'True');
  if (isSuspended && !wasSuspended) {
    recorder.event(job, 'Normal', 'Suspended', 'Job suspended');
    const { startTime: _, ...status } = job.status ?? {};
    return await client.update(
      jobs,
      {
        ...job,
        status: { ...status, conditions: withCondition(before, 'Suspended', { reason: 'JobSuspended', message: 'Job suspended', now }) },
      },
      { subresource: 'status' },
    );
  }
  if (isSuspended || (job.status?.startTime !== undefined && !wasSuspended)) return job;
  if (wasSuspended) recorder.event(job, 'Normal', 'Resumed', 'Job resumed');
  const conditions = wasSuspended
    ? withCondition(before, 'Suspended', { status: 'False', reason: 'JobResumed', message: 'Job resumed', now })
    : before;
  return await client.update(
    jobs,
    { ...job, status: { ...job.status, startTime: now, ...(conditions.length === 0 ? {} : { conditions }) } },
    { subresource: 'status' },
  );
}

interface Pass {
  readonly pods: readonly ReadPod[];
  readonly counts: Tally;
  readonly verdict: Verdict | undefined;
}

/** @returns Milliseconds until more Pods may be made, where failures make it wait. */
async function manage(key: string, job: ReadJob, { pods, counts, verdict }: Pass, deps: JobDeps): Promise<number | undefined> {
  const { active } = counts;
  const wanted = verdict === undefined ? wantedActive(job, counts) : 0;
  if (active.length > wanted) {
    await removePods(key, job, active.slice(0, active.length - wanted), deps);
    return undefined;
  }
  if (active.length === wanted || verdict !== undefined) return undefined;
  const now = deps.clock.now();
  const missing = wanted - active.length;
  if (isIndexed(job)) {
    const { ready, waitMs } = dueIndexes(job, { pods, counts, now });
    const shared = job.spec.backoffLimitPerIndex === undefined ? sharedBackoffMs(pods, counts, now) : 0;
    if (shared > 0) return shared;
    await createPods(
      key,
      job,
      ready.slice(0, missing).map((index) => podOf(job, index, failuresOf(job, pods, index))),
      deps,
    );
    return ready.length < missing ? waitMs : undefined;
  }
  const waitMs = sharedBackoffMs(pods, counts, now);
  if (waitMs > 0) return waitMs;
  await createPods(
    key,
    job,
    Array.from({ length: missing }, () => podOf(job)),
    deps,
  );
  return undefined;
}

function sharedBackoffMs(pods: readonly ReadPod[], { succeeded, failed }: Tally, now: number): number {
  return backoffMs(pods, succeeded > 0 ? Math.min(1, failed) : failed, now);
}

/** Indexes that lack a Pod, lowest first; those whose last failure is too fresh wait, where each has a limit of its own. */
function dueIndexes(
  job: ReadJob,
  { pods, counts, now }: { pods: readonly ReadPod[]; counts: Tally; now: number },
): { ready: number[]; waitMs: number | undefined } {
  const { completions = 0, backoffLimitPerIndex, podReplacementPolicy } = job.spec;
  const busy = podReplacementPolicy === 'Failed' ? pods.filter((pod) => !isTerminal(pod)) : counts.active;
  const taken = new Set([...counts.completedIndexes, ...counts.failedIndexes, ...busy.flatMap((pod) => indexOf(pod) ?? [])]);
  const free = freeIndexes(taken, completions, completions);
  if (backoffLimitPerIndex === undefined) return { ready: free, waitMs: undefined };
  const waits = new Map(
    free.map((index) => {
      const failures = failuresOf(job, pods, index);
      return [index, failures === undefined ? 0 : backoffMs([failures.last], failures.counted, now)];
    }),
  );
  const ready = free.filter((index) => waits.get(index) === 0);
  const waiting = [...waits.values()].filter((ms) => ms > 0);
  return { ready, waitMs: waiting.length === 0 ? undefined : Math.min(...waiting) };
}

async function removePods(key: string, job: ReadJob, doomed: readonly ReadPod[], { control, expectations }: JobDeps): Promise<void> {
  expectations.expectDeletions(
    key,
    doomed.map(({ metadata }) => keyOf(metadata)),
  );
  const results = await Promise.allSettled(
    doomed.map(async (pod) => {
      try {
        await control.delete(job, pod);
      } catch (error) {
        expectations.deleted(key, keyOf(pod.metadata));
        throw error;
      }
    }),
  );
  const failed = results.find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}

async function createPods(key: string, job: ReadJob, drafts: readonly Draft<Pod>[], { control, expectations }: JobDeps): Promise<void> {
  if (drafts.length === 0) return;
  expectations.expectCreations(key, drafts.length);
  const { done, error } = await slowStart(drafts.length, (at) => control.create(job, drafts[at] as Draft<Pod>));
  expectations.created(key, drafts.length - done);
  if (error !== undefined) throw error;
}

function podOf(job: ReadJob, index?: number, failures?: IndexFailures): Draft<Pod> {
  const draft = podFromTemplate(job, controllerReference(job, jobs), job.spec.template);
  const finalizers = [...((draft.metadata?.finalizers as string[] | undefined) ?? []), TRACKING];
  if (index === undefined) return { ...draft, metadata: { ...draft.metadata, finalizers } };
  const spec = deepCopy(job.spec.template.spec);
  const variable: EnvVar = {
    name: 'JOB_COMPLETION_INDEX',
    valueFrom: { fieldRef: { fieldPath: `metadata.labels['${INDEX_ANNOTATION}']`, apiVersion: 'v1' } },
  };
  for (const container of [...spec.containers, ...(spec.initContainers ?? [])]) {
    if (!container.env?.some(({ name }) => name === variable.name)) container.env = [...(container.env ?? []), variable];
  }
  const mark = { [INDEX_ANNOTATION]: String(index) };
  const counted = job.spec.backoffLimitPerIndex === undefined ? {} : { [FAILURES]: String(failures?.counted ?? 0) };
  const ignored = failures !== undefined && failures.ignored > 0 ? { [IGNORED_FAILURES]: String(failures.ignored) } : {};
  const name = job.metadata.name;
  return {
    ...draft,
    metadata: {
      ...draft.metadata,
      finalizers,
      generateName: `${name}-${index}-`,
      annotations: { ...draft.metadata?.annotations, ...mark, ...counted, ...(job.spec.backoffLimitPerIndex === undefined ? {} : ignored) },
      labels: { ...draft.metadata?.labels, ...mark },
    },
    spec: { ...spec, hostname: `${name}-${index}`.slice(0, 63) },
  };
}

/** Writes what has ended, lets go of it, and writes the end of the Job when nothing is left. */
async function count(job: ReadJob, pass: Pass, deps: JobDeps): Promise<void> {
  const { pods, counts } = pass;
  const uids = (list: readonly ReadPod[]) => list.map(({ metadata }) => metadata.uid);
  const known = job.status?.uncountedTerminatedPods;
  const uncounted = {
    succeeded: [...(known?.succeeded ?? []), ...(isIndexed(job) ? [] : uids(counts.newSucceeded))],
    failed: [...(known?.failed ?? []), ...uids(counts.newFailed)],
  };
  const ended = pods.filter(
    (pod) =>
      hasTracking(pod) &&
      (uncounted.succeeded.includes(pod.metadata.uid) ||
        uncounted.failed.includes(pod.metadata.uid) ||
        counts.newSucceeded.includes(pod) ||
        counts.newIgnored.includes(pod)),
  );
  if (ended.length === 0 && uncounted.succeeded.length + uncounted.failed.length === 0) return await finish(job, pass, deps);
  const noted = await writeStatus(
    job,
    { ...statusOf(job, pass, deps), uncountedTerminatedPods: uncounted, ...indexStatus(job, counts) },
    deps,
  );
  await Promise.all(ended.map((pod) => stopTracking(pod, deps.client)));
  const status = statusOf(noted, pass, deps);
  const total = {
    ...status,
    succeeded: isIndexed(job) ? counts.completedIndexes.size : (noted.status?.succeeded ?? 0) + uncounted.succeeded.length,
    failed: (noted.status?.failed ?? 0) + uncounted.failed.length,
    uncountedTerminatedPods: {},
  };
  await finish({ ...noted, status: { ...noted.status, ...total } }, pass, deps, noted);
}

function indexStatus(job: ReadJob, { completedIndexes, failedIndexes }: Tally): Partial<JobStatus> {
  if (!isIndexed(job)) return {};
  return {
    completedIndexes: formatIndexes(completedIndexes),
    succeeded: completedIndexes.size,
    ...(job.spec.backoffLimitPerIndex === undefined ? {} : { failedIndexes: formatIndexes(failedIndexes) }),
  };
}

function statusOf(job: ReadJob, { counts, verdict }: Pass, { clock }: JobDeps): DeepReadonly<JobStatus> {
  const now = formatTime(clock.now());
  const before = job.status?.conditions ?? [];
  const conditions = verdict === undefined ? before : withCondition(before, verdict.type, { ...verdict, now });
  const active = verdict === undefined ? counts.active.length : 0;
  return {
    ...job.status,
    active,
    ready: verdict === undefined ? counts.ready : 0,
    terminating: counts.terminating,
    ...(conditions.length === 0 ? {} : { conditions }),
  };
}

/** @param stored What the server has, where `job` has more. */
async function finish(job: ReadJob, pass: Pass, deps: JobDeps, stored: ReadJob = job): Promise<void> {
  const { counts, verdict } = pass;
  const { clock, recorder } = deps;
  const now = formatTime(clock.now());
  let status = statusOf(job, pass, deps);
  const isOver = verdict !== undefined && counts.active.length === 0 && counts.terminating === 0;
  if (isOver) {
    const type = verdict.type === 'FailureTarget' ? 'Failed' : 'Complete';
    const conditions = withCondition(status.conditions ?? [], type, { ...verdict, now });
    status = { ...status, conditions, ...(type === 'Complete' ? { completionTime: now } : {}) };
    if (type === 'Complete') recorder.event(job, 'Normal', 'Completed', 'Job completed');
    else recorder.event(job, 'Warning', verdict.reason, verdict.message);
  }
  await writeStatus(stored, status, deps);
}

async function writeStatus(job: ReadJob, status: DeepReadonly<JobStatus>, { client }: JobDeps): Promise<ReadJob> {
  const [before, after] = [(job.status ?? {}) as Readonly<Record<string, unknown>>, status as Readonly<Record<string, unknown>>];
  if (
    Object.keys({ ...before, ...after }).every(
      (name) => semanticEqual(before[name], after[name]) || (before[name] ?? 0) === (after[name] ?? 0),
    )
  )
    return job;
  return await client.update(jobs, { ...job, status }, { subresource: 'status' });
}
