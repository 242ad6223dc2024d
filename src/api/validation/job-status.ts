// SPDX-License-Identifier: Apache-2.0
// Validation of a Job's status, which other controllers than ours may write: counts, terminal conditions, times, lists of indexes.
// A rule is applied where the fields it speaks of change, so that a status that broke it before does not block other writes.
// @source upstream pkg/apis/batch/validation validateJobStatus, ValidateJobStatusUpdate; pkg/registry/batch/job
// getStatusValidationOptions (JobManagedBy and JobPodReplacementPolicy are on)
import {
  type DeepReadonly,
  duplicateValue,
  type FieldCause,
  type FieldPath,
  field,
  invalidValue,
  required,
  semanticEqual,
} from '../../machinery/mod.ts';
import type { Job, JobStatus } from '../generated/batch/v1.ts';
import { countIndexes, overlapOf } from './job-indexes.ts';
import { IMMUTABLE } from './object-meta.ts';
import { invalidPlain, isSet, nonNegative } from './rules.ts';

type Given = DeepReadonly<Job>;
type Status = DeepReadonly<Partial<JobStatus>>;
const STATUS = field('status');
const CONDITIONS = STATUS.child('conditions');

/** What one state of a Job says, looked up once. */
interface Facts {
  readonly status: Status;
  readonly complete: boolean;
  readonly failed: boolean;
  readonly finished: boolean;
  readonly failureTarget: boolean;
  readonly successCriteriaMet: boolean;
}

/** Whether a condition of this type has this status. */
export function hasCondition({ conditions }: Status, type: string, status = 'True'): boolean {
  return (conditions ?? []).some((it) => it.type === type && it.status === status);
}

function factsOf(job: Given): Facts {
  const status: Status = job.status ?? {};
  const [complete, failed] = [hasCondition(status, 'Complete'), hasCondition(status, 'Failed')];
  return {
    status,
    complete,
    failed,
    finished: complete || failed,
    failureTarget: hasCondition(status, 'FailureTarget'),
    successCriteriaMet: hasCondition(status, 'SuccessCriteriaMet'),
  };
}

/** Both states, and which of what they say differs. */
interface Change {
  readonly job: Given;
  readonly now: Facts;
  readonly before: Facts;
  readonly changed: (...names: readonly (keyof Facts | keyof JobStatus)[]) => boolean;
}

export function jobStatusCauses(next: Given, previous: Given): FieldCause[] {
  const [now, before] = [factsOf(next), factsOf(previous)];
  const differs = (name: keyof Facts | keyof JobStatus): boolean =>
    name in now ? now[name as keyof Facts] !== before[name as keyof Facts] : !sameField(now.status, before.status, name as keyof JobStatus);
  const change: Change = { job: next, now, before, changed: (...names) => names.some(differs) };
  return [
    ...countCauses(now.status),
    ...conditionCauses(change),
    ...finishedCauses(change),
    ...indexCauses(change),
    ...podCauses(change),
    ...criteriaCauses(change),
    ...transitionCauses(change, hasCondition(before.status, 'Suspended') && hasCondition(now.status, 'Suspended', 'False')),
  ];
}

const COUNTED = ['active', 'succeeded', 'failed', 'ready', 'terminating'] as const;
/** Fields in which nothing and zero, or nothing and '', are the same. */
const PLAIN: Readonly<Record<string, unknown>> = { active: 0, succeeded: 0, failed: 0, completedIndexes: '' };

function sameField(now: Status, before: Status, name: keyof JobStatus): boolean {
  const of = (status: Status) => status[name] ?? PLAIN[name];
  return semanticEqual(of(now), of(before));
}

function countCauses(status: Status): FieldCause[] {
  const seen = new Set<string>();
  const at = STATUS.child('uncountedTerminatedPods');
  const uids = (name: 'succeeded' | 'failed') =>
    (status.uncountedTerminatedPods?.[name] ?? []).flatMap((uid, index) => {
      const path = at.child(name).index(index);
      if (uid === '') return [invalidValue(path, uid, 'must not be empty')];
      if (seen.has(uid)) return [duplicateValue(path, uid)];
      seen.add(uid);
      return [];
    });
  return [...COUNTED.flatMap((name) => nonNegative(status[name], STATUS.child(name))), ...uids('succeeded'), ...uids('failed')];
}

const refuse = (isWrong: boolean, detail: string): FieldCause[] => (isWrong ? [invalidPlain(CONDITIONS, detail)] : []);

function conditionCauses({ now, changed }: Change): FieldCause[] {
  const { status, complete, failed, failureTarget, successCriteriaMet } = now;
  const { startTime, completionTime } = status;
  const at = STATUS.child('completionTime');
  const causes: FieldCause[] = [];
  if (changed('complete', 'failed')) causes.push(...refuse(complete && failed, 'cannot set Complete=True and Failed=true conditions'));
  if (changed('complete', 'failureTarget'))
    causes.push(...refuse(complete && failureTarget, 'cannot set Complete=True and FailureTarget=true conditions'));
  if (changed('complete', 'completionTime')) {
    if (isSet(completionTime) && !complete)
      causes.push(invalidValue(at, completionTime, 'cannot set completionTime when there is no Complete=True condition'));
    if (!isSet(completionTime) && complete) causes.push(required(at, 'completionTime is required for Complete jobs'));
  }
  const isEarly = isSet(startTime) && isSet(completionTime) && Date.parse(completionTime) < Date.parse(startTime);
  if (changed('startTime', 'completionTime') && isEarly)
    causes.push(invalidValue(at, completionTime, 'must be equal to or after `startTime`'));
  if (changed('failed', 'failedIndexes'))
    causes.push(...refuse(failed && !failureTarget, 'cannot set Failed=True condition without the FailureTarget=true condition'));
  if (changed('complete', 'successCriteriaMet')) {
    const why = 'cannot set Complete=True condition without the SuccessCriteriaMet=true condition';
    causes.push(...refuse(complete && !successCriteriaMet, why));
  }
  return causes;
}

/** What a Job that is over may not have any more. */
function finishedCauses({ job, now, changed }: Change): FieldCause[] {
  const { status, finished } = now;
  if (!finished) return [];
  const { active = 0, startTime, uncountedTerminatedPods: uncounted } = status;
  const causes: FieldCause[] = [];
  if (changed('finished', 'active') && active > 0)
    causes.push(invalidValue(STATUS.child('active'), active, 'active>0 is invalid for finished job'));
  const neverRuns = job.spec.suspend === true && job.spec.completions === 0;
  if (changed('finished', 'startTime') && !neverRuns && !isSet(startTime))
    causes.push(required(STATUS.child('startTime'), 'startTime is required for finished job'));
  const isUncounted = (uncounted?.failed ?? []).length + (uncounted?.succeeded ?? []).length > 0;
  if (changed('finished', 'uncountedTerminatedPods') && isUncounted) {
    const shown = { Succeeded: uncounted?.succeeded ?? null, Failed: uncounted?.failed ?? null };
    causes.push(invalidValue(STATUS.child('uncountedTerminatedPods'), shown, 'must be empty for finished job'));
  }
  return causes;
}

function indexCauses({ job, now, changed }: Change): FieldCause[] {
  const { completions, backoffLimitPerIndex, completionMode } = job.spec;
  const { completedIndexes: completed = '', failedIndexes: failed } = now.status;
  const [done, lost] = [STATUS.child('completedIndexes'), STATUS.child('failedIndexes')];
  const [ofDone, ofLost] = [changed('completedIndexes'), changed('failedIndexes')];
  const causes: FieldCause[] = [];
  const parse = (text: string, path: FieldPath, name: string) => {
    const parsed = countIndexes(text, completions ?? 0);
    if (typeof parsed === 'string') causes.push(invalidValue(path, text, `error parsing ${name}: ${parsed}`));
  };
  if (ofDone && isSet(completions)) parse(completed, done, 'completedIndexes');
  if (ofLost && isSet(completions) && isSet(backoffLimitPerIndex) && isSet(failed)) parse(failed, lost, 'failedIndexes');
  if (ofDone && completed !== '' && completionMode !== 'Indexed')
    causes.push(invalidValue(done, completed, 'cannot set non-empty completedIndexes when non-indexed completion mode'));
  if (ofLost && !isSet(backoffLimitPerIndex) && isSet(failed))
    causes.push(invalidValue(lost, failed, 'cannot set non-null failedIndexes when backoffLimitPerIndex is null'));
  if ((ofDone || ofLost) && isSet(completions) && isSet(failed)) {
    const index = overlapOf(completed, failed, completions);
    if (index !== undefined) causes.push(invalidValue(lost, failed, `failedIndexes and completedIndexes overlap at index: ${index}`));
  }
  return causes;
}

function podCauses({ now, changed }: Change): FieldCause[] {
  const { active = 0, ready, terminating } = now.status;
  const causes: FieldCause[] = [];
  if (changed('finished', 'terminating') && now.finished && isSet(terminating) && terminating > 0)
    causes.push(invalidValue(STATUS.child('terminating'), terminating, 'terminating>0 is invalid for finished job'));
  if (changed('ready', 'active') && isSet(ready) && ready > active)
    causes.push(invalidValue(STATUS.child('ready'), ready, 'cannot set more ready pods than active'));
  return causes;
}

function criteriaCauses({ job, now }: Change): FieldCause[] {
  const { successCriteriaMet: met, failed, failureTarget, complete } = now;
  const why = 'cannot set Complete=True for Job with SuccessPolicy unless SuccessCriteriaMet=True';
  return [
    ...refuse(met && failed, 'cannot set SuccessCriteriaMet=True and Failed=true conditions'),
    ...refuse(met && failureTarget, 'cannot set SuccessCriteriaMet=True and FailureTarget=true conditions'),
    ...refuse(isSet(job.spec.successPolicy) && !met && complete, why),
  ];
}

const TERMINAL = ['Failed', 'Complete', 'FailureTarget'];

/** What may not be taken back. @param isResuming A suspended Job's start is told anew. */
function transitionCauses({ job, now, before, changed }: Change, isResuming: boolean): FieldCause[] {
  const causes = TERMINAL.flatMap((type) =>
    refuse(hasCondition(before.status, type) && !hasCondition(now.status, type), `cannot disable the terminal ${type}=True condition`),
  );
  const { spec } = job;
  const mayShrink = spec.completionMode === 'Indexed' && (spec.completions ?? null) === (spec.parallelism ?? null);
  for (const name of ['failed', 'succeeded'] as const) {
    const value = now.status[name] ?? 0;
    if (value < (before.status[name] ?? 0) && !(name === 'succeeded' && mayShrink))
      causes.push(invalidValue(STATUS.child(name), value, `cannot decrease the ${name} counter`));
  }
  const { completionTime } = now.status;
  if (isSet(completionTime) && isSet(before.status.completionTime) && changed('completionTime'))
    causes.push(invalidValue(STATUS.child('completionTime'), completionTime, IMMUTABLE));
  if (isSet(before.status.startTime) && changed('startTime') && !isResuming && spec.suspend !== true)
    causes.push(required(STATUS.child('startTime'), 'startTime cannot be removed for unsuspended job'));
  const late = before.complete && !before.successCriteriaMet && now.successCriteriaMet;
  return [
    ...causes,
    ...refuse(before.successCriteriaMet && !now.successCriteriaMet, 'cannot disable the SuccessCriteriaMet=True condition'),
    ...refuse(late, 'cannot set SuccessCriteriaMet=True for Job already has Complete=true conditions'),
  ];
}
