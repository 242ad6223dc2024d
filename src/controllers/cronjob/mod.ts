// SPDX-License-Identifier: Apache-2.0
// cronjob-controller: makes a Job at each time of a schedule, within the concurrency policy, and removes old ones beyond the limits.
// One timer per CronJob, for its next time.
import type { CronJob, Job } from '#api/batch/v1';
import { cronjobs, jobs } from '#api/resources';
import { DONE, type Lister, type Result, requeueAfter } from '#client';
import { formatTime } from '#component';
import { type DeepReadonly, deepCopy, isAlreadyExists, isNotFound, semanticEqual, timeMs } from '#machinery';
import { type ControllerContext, type ControllerEntry, controllerOf, controllerReference, KeyQueue, ownerKeyOf } from '../context.ts';
import { isFinished } from '../job/plan.ts';
import { messageOf } from '../pods/pod-control.ts';
import { parseSchedule, type Schedule } from './schedule.ts';

type ReadCron = DeepReadonly<CronJob>;
type ReadJob = DeepReadonly<Job>;

/** Later than this after its time a Job is not started for it, where the deadline is not set. */
const MOST_MISSED = 100;
/** @source upstream: the timer fires a little late, so that the time has surely come */
const LATE_MS = 100;
const SCHEDULED_AT = 'batch.kubernetes.io/cronjob-scheduled-timestamp';

export const cronJob: ControllerEntry = {
  name: 'cronjob-controller',
  account: 'cronjob-controller',
  create(context) {
    const { informers } = context;
    const all = informers.informer(cronjobs);
    const allJobs = informers.informer(jobs);
    const work = new KeyQueue(context, 'cronjob-controller');
    work.follow(all);
    const addOwner = (job: ReadJob) => {
      const key = ownerKeyOf(job, 'CronJob');
      if (key !== undefined) work.addKey(key);
    };
    allJobs.addHandler({ add: addOwner, update: (_, after) => addOwner(after), delete: addOwner });
    return work.run({ reconcile: (key) => reconcile(key, { ...context, crons: all.lister, jobs: allJobs.lister }) });
  },
};

interface Deps extends Pick<ControllerContext, 'client' | 'clock' | 'recorder'> {
  readonly crons: Lister<CronJob>;
  readonly jobs: Lister<Job>;
}

async function reconcile(key: string, deps: Deps): Promise<Result> {
  const cron = deps.crons.find(key);
  if (cron === undefined) return DONE;
  const own = deps.jobs.list(cron.metadata.namespace).filter((job) => controllerOf(job)?.uid === cron.metadata.uid);
  await removeOld(cron, own, deps);
  const status = observe(cron, own, deps);
  if (cron.metadata.deletionTimestamp !== undefined || cron.spec.suspend === true) {
    await writeStatus(cron, status, deps);
    return DONE;
  }
  let schedule: Schedule;
  try {
    schedule = parseSchedule(cron.spec.schedule, cron.spec.timeZone);
  } catch (error) {
    deps.recorder.event(cron, 'Warning', 'UnparseableSchedule', `unparseable schedule: "${cron.spec.schedule}" : ${messageOf(error)}`);
    return DONE;
  }
  const now = deps.clock.now();
  const due = dueTime(cron, schedule, now, deps);
  const nextStatus = due === undefined ? status : await run(cron, due, { own, status }, deps);
  await writeStatus(cron, nextStatus, deps);
  const next = schedule.next(now);
  return next === undefined ? DONE : requeueAfter(next - now + LATE_MS);
}

/** The latest time that has passed and has no Job yet. */
function dueTime({ spec, status, metadata }: ReadCron, schedule: Schedule, now: number, { recorder, crons }: Deps): number | undefined {
  let earliest = timeMs(status?.lastScheduleTime ?? metadata.creationTimestamp);
  if (spec.startingDeadlineSeconds !== undefined) earliest = Math.max(earliest, now - spec.startingDeadlineSeconds * 1000);
  let due: number | undefined;
  let missed = 0;
  for (let at = schedule.next(earliest); at !== undefined && at <= now; at = schedule.next(at)) {
    due = at;
    missed += 1;
    if (missed <= MOST_MISSED) continue;
    // After a long pause: start from now instead of counting through all of it.
    const cron = crons.find(`${metadata.namespace}/${metadata.name}`);
    if (cron !== undefined)
      recorder.event(
        cron,
        'Warning',
        'TooManyMissedTimes',
        `too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew`,
      );
    return latestBefore(schedule, now);
  }
  return due;
}

function latestBefore(schedule: Schedule, now: number): number | undefined {
  for (let back = 60_000; back <= 400 * 86_400_000; back *= 2) {
    let found: number | undefined;
    for (let at = schedule.next(now - back); at !== undefined && at <= now; at = schedule.next(at)) found = at;
    if (found !== undefined) return found;
  }
  return undefined;
}

interface Pass {
  readonly own: readonly ReadJob[];
  readonly status: DeepReadonly<CronJob['status']>;
}

async function run(cron: ReadCron, due: number, { own, status }: Pass, deps: Deps): Promise<DeepReadonly<CronJob['status']>> {
  const { client, recorder } = deps;
  const { namespace, name } = cron.metadata;
  const active = own.filter((job) => !isFinished(job));
  if (cron.spec.concurrencyPolicy === 'Forbid' && active.length > 0) {
    recorder.event(
      cron,
      'Normal',
      'JobAlreadyActive',
      'Not starting job because prior execution is running and concurrency policy is Forbid',
    );
    return { ...status, lastScheduleTime: formatTime(due) };
  }
  let kept = status?.active ?? [];
  if (cron.spec.concurrencyPolicy === 'Replace') {
    for (const job of active) await removeJob(cron, job, deps);
    kept = [];
  }
  const jobName = `${name}-${Math.floor(due / 60_000)}`;
  const { metadata, spec } = cron.spec.jobTemplate;
  const annotations = { ...metadata?.annotations, [SCHEDULED_AT]: new Date(due).toISOString().replace('.000', '') };
  try {
    const made = await client.create(jobs, {
      metadata: {
        namespace,
        name: jobName,
        annotations,
        labels: { ...metadata?.labels },
        ownerReferences: [controllerReference(cron, cronjobs)],
      },
      spec: deepCopy(spec),
    });
    recorder.event(cron, 'Normal', 'SuccessfulCreate', `Created job ${jobName}`);
    kept = [
      ...kept,
      {
        kind: 'Job',
        apiVersion: 'batch/v1',
        namespace: namespace ?? '',
        name: jobName,
        uid: made.metadata.uid,
        resourceVersion: made.metadata.resourceVersion,
      },
    ];
  } catch (error) {
    if (!isAlreadyExists(error)) {
      recorder.event(cron, 'Warning', 'FailedCreate', `Error creating job: ${messageOf(error)}`);
      throw error;
    }
  }
  return { ...status, active: kept, lastScheduleTime: formatTime(due) };
}

/** Jobs that have ended leave the list of active ones. */
function observe(cron: ReadCron, own: readonly ReadJob[], { recorder }: Deps): DeepReadonly<CronJob['status']> {
  let lastSuccessfulTime = cron.status?.lastSuccessfulTime;
  const active = (cron.status?.active ?? []).filter((reference) => {
    const job = own.find(({ metadata }) => metadata.uid === reference.uid);
    // Made a moment ago, perhaps not in the cache yet: its own event brings the next pass.
    if (job === undefined) return false;
    if (!isFinished(job)) return true;
    const completed = job.status?.conditions?.some(({ type, status }) => type === 'Complete' && status === 'True');
    recorder.event(
      cron,
      'Normal',
      'SawCompletedJob',
      `Saw completed job: ${job.metadata.name}, condition: ${completed ? 'Complete' : 'Failed'}`,
    );
    return false;
  });
  for (const { status } of own) {
    const time = status?.completionTime;
    if (time !== undefined && (lastSuccessfulTime === undefined || timeMs(time) > timeMs(lastSuccessfulTime))) lastSuccessfulTime = time;
  }
  const running = own.filter((job) => !isFinished(job) && !active.some(({ uid }) => uid === job.metadata.uid));
  const found = running.map(({ metadata }) => ({
    kind: 'Job',
    apiVersion: 'batch/v1',
    namespace: metadata.namespace ?? '',
    name: metadata.name,
    uid: metadata.uid,
    resourceVersion: metadata.resourceVersion,
  }));
  const all = [...active, ...found];
  const { active: _, ...rest } = cron.status ?? {};
  return { ...rest, ...(all.length === 0 ? {} : { active: all }), ...(lastSuccessfulTime === undefined ? {} : { lastSuccessfulTime }) };
}

async function removeOld(cron: ReadCron, own: readonly ReadJob[], deps: Deps): Promise<void> {
  const { successfulJobsHistoryLimit: good = 3, failedJobsHistoryLimit: bad = 1 } = cron.spec;
  const oldest = (type: string) =>
    own
      .filter(({ status }) => status?.conditions?.some((condition) => condition.type === type && condition.status === 'True'))
      .sort(
        (a, b) => timeMs(a.status?.startTime ?? a.metadata.creationTimestamp) - timeMs(b.status?.startTime ?? b.metadata.creationTimestamp),
      );
  const surplus = (list: readonly ReadJob[], limit: number) => list.slice(0, Math.max(0, list.length - limit));
  for (const job of [...surplus(oldest('Complete'), good), ...surplus(oldest('Failed'), bad)])
    if (job.metadata.deletionTimestamp === undefined) await removeJob(cron, job, deps);
}

async function removeJob(cron: ReadCron, { metadata: { namespace, name } }: ReadJob, { client, recorder }: Deps): Promise<void> {
  try {
    await client.delete(jobs, { namespace, name }, { propagationPolicy: 'Background' });
    recorder.event(cron, 'Normal', 'SuccessfulDelete', `Deleted job ${name}`);
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}

async function writeStatus(cron: ReadCron, status: DeepReadonly<CronJob['status']>, { client }: Deps): Promise<void> {
  if (semanticEqual(cron.status ?? {}, status)) return;
  await client.update(cronjobs, { ...cron, status }, { subresource: 'status' });
}
