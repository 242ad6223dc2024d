// SPDX-License-Identifier: Apache-2.0
// Validation of Jobs and CronJobs: counts, indexes, policies for failure and success, schedules; what may change in a Job.
// @source upstream pkg/apis/batch/validation/validation.go
import {
  checkDns1123Label,
  checkQualifiedName,
  type DeepReadonly,
  duplicateValue,
  type FieldCause,
  type FieldPath,
  field,
  invalidValue,
  type LabelSelector,
  notSupported,
  required,
  selectorOf,
  semanticEqual,
  tooLong,
  tooMany,
} from '../../machinery/mod.ts';
import type { CronJob, Job, JobSpec } from '../generated/batch/v1.ts';
import type { PodTemplateSpec } from '../generated/core/v1.ts';
import { scheduleProblems, timeZoneProblems } from './cron-schedule.ts';
import { internalForm } from './difference.ts';
import { countIndexes } from './job-indexes.ts';
import { hasCondition } from './job-status.ts';
import { IMMUTABLE, immutableCauses } from './object-meta.ts';
import { podTemplateCauses } from './pod-spec.ts';
import {
  choiceCauses,
  domainPathCauses,
  enumCauses,
  invalidPlain,
  isEmptySelector,
  isSelectable,
  isSet,
  nonNegative,
  problems,
  selectorCauses,
  sortedEntries,
} from './rules.ts';
import { mismatchCauses } from './workloads.ts';

const SPEC = field('spec');
const RESTARTS = ['OnFailure', 'Never'];
const MAX_INDEXED = 100_000;

const [MOST_RULES, MOST_CODES, LONGEST_MANAGER, HIGH_LIMIT] = [20, 255, 63, 10_000];
const NUMBERS = [
  'parallelism',
  'completions',
  'activeDeadlineSeconds',
  'backoffLimit',
  'ttlSecondsAfterFinished',
  'backoffLimitPerIndex',
  'maxFailedIndexes',
] as const;

function jobSpecCauses(spec: DeepReadonly<JobSpec>, path: FieldPath): FieldCause[] {
  const causes: FieldCause[] = NUMBERS.flatMap((name) => nonNegative(spec[name], path.child(name)));
  if (isSet(spec.maxFailedIndexes) && !isSet(spec.backoffLimitPerIndex))
    causes.push(required(path.child('backoffLimitPerIndex'), 'when maxFailedIndexes is specified'));
  if (isSet(spec.managedBy)) {
    causes.push(...domainPathCauses(spec.managedBy, path.child('managedBy')));
    if (Buffer.byteLength(spec.managedBy) > LONGEST_MANAGER) causes.push(tooLong(path.child('managedBy'), LONGEST_MANAGER));
  }
  causes.push(...completionModeCauses(spec, path));
  if (spec.podFailurePolicy) causes.push(...failurePolicyCauses(spec, path.child('podFailurePolicy')));
  if (spec.successPolicy) {
    const at = path.child('successPolicy');
    if (spec.completionMode !== 'Indexed')
      causes.push(invalidValue(at, internalForm(spec.successPolicy), 'requires indexed completion mode'));
    else causes.push(...successPolicyCauses(spec, at.child('rules')));
  }
  causes.push(...replacementCauses(spec, path.child('podReplacementPolicy')));
  return [
    ...causes,
    ...podTemplateCauses(spec.template, path.child('template')),
    ...jobRestartCauses(spec, path.child('template', 'spec', 'restartPolicy')),
  ];
}

/** What Jobs that count their Pods have to keep to, and what only they may have. */
function completionModeCauses(spec: DeepReadonly<JobSpec>, path: FieldPath): FieldCause[] {
  const mode = spec.completionMode;
  const causes: FieldCause[] = [];
  if (isSet(mode) && mode !== 'NonIndexed' && mode !== 'Indexed')
    causes.push(notSupported(path.child('completionMode'), mode, ['NonIndexed', 'Indexed']));
  if (mode === 'Indexed') return [...causes, ...indexedCauses(spec, path)];
  if (isSet(mode) && mode !== 'NonIndexed') return causes;
  for (const name of ['backoffLimitPerIndex', 'maxFailedIndexes'] as const)
    if (isSet(spec[name])) causes.push(invalidValue(path.child(name), spec[name], 'requires indexed completion mode'));
  return causes;
}

function indexedCauses(spec: DeepReadonly<JobSpec>, path: FieldPath): FieldCause[] {
  const { completions, parallelism, maxFailedIndexes: failed } = spec;
  const causes: FieldCause[] = [];
  const over = (name: 'parallelism' | 'maxFailedIndexes', most: number, more = '') => {
    const value = spec[name];
    if (isSet(value) && value > most) causes.push(invalidValue(path.child(name), value, `must be less than or equal to ${most}${more}`));
  };
  if (!isSet(completions)) causes.push(required(path.child('completions'), 'when completion mode is Indexed'));
  over('parallelism', MAX_INDEXED, ' when completion mode is Indexed');
  if (isSet(completions) && isSet(failed) && failed > completions)
    causes.push(invalidValue(path.child('maxFailedIndexes'), failed, 'must be less than or equal to completions'));
  over('maxFailedIndexes', MAX_INDEXED);
  if ((completions ?? 0) <= MAX_INDEXED || !isSet(spec.backoffLimitPerIndex)) return causes;
  if (!isSet(failed)) causes.push(required(path.child('maxFailedIndexes'), `must be specified when completions is above ${MAX_INDEXED}`));
  const why = ` when completions are above ${MAX_INDEXED} and used with backoff limit per index`;
  if (isSet(parallelism)) over('parallelism', HIGH_LIMIT, why);
  over('maxFailedIndexes', HIGH_LIMIT, why);
  return causes;
}

const LONGEST_INDEXES = 64 * 1024;

function successPolicyCauses({ successPolicy, completions = 0 }: DeepReadonly<JobSpec>, path: FieldPath): FieldCause[] {
  const rules = successPolicy?.rules ?? [];
  const causes: FieldCause[] = [];
  if (rules.length === 0) causes.push(required(path, 'at least one rules must be specified when the successPolicy is specified'));
  if (rules.length > MOST_RULES) causes.push(tooMany(path, rules.length, MOST_RULES));
  for (const [index, rule] of rules.entries()) causes.push(...successRuleCauses(rule, completions, path.index(index)));
  return causes;
}

type SuccessRule = NonNullable<DeepReadonly<JobSpec>['successPolicy']>['rules'][number];

function successRuleCauses(
  { succeededCount: count, succeededIndexes: indexes }: SuccessRule,
  completions: number,
  path: FieldPath,
): FieldCause[] {
  if (!isSet(count) && !isSet(indexes)) return [required(path, 'at least one of succeededCount or succeededIndexes must be specified')];
  const causes: FieldCause[] = [];
  let total = 0;
  if (isSet(indexes)) {
    const at = path.child('succeededIndexes');
    if (Buffer.byteLength(indexes) > LONGEST_INDEXES) causes.push(tooLong(at, LONGEST_INDEXES));
    const parsed = countIndexes(indexes, completions);
    if (typeof parsed === 'string') causes.push(invalidValue(at, indexes, `error parsing succeededIndexes: ${parsed}`));
    else total = parsed;
  }
  if (!isSet(count)) return causes;
  const at = path.child('succeededCount');
  const most = (limit: number, what: string) => {
    if (count > limit) causes.push(invalidValue(at, count, `must be less than or equal to ${limit} (the number of ${what})`));
  };
  causes.push(...nonNegative(count, at));
  most(completions, 'specified completions');
  if (isSet(indexes)) most(total, 'indexes in the specified succeededIndexes field');
  return causes;
}

function replacementCauses(spec: DeepReadonly<JobSpec>, path: FieldPath): FieldCause[] {
  const allowed = spec.podFailurePolicy ? ['Failed'] : ['Failed', 'TerminatingOrFailed'];
  return choiceCauses(spec.podReplacementPolicy, allowed, path);
}

function jobRestartCauses({ template, podFailurePolicy }: DeepReadonly<JobSpec>, path: FieldPath): FieldCause[] {
  const policy = template?.spec?.restartPolicy;
  if (!policy || policy === 'Always') return [required(path, `valid values: ${RESTARTS.map((name) => `"${name}"`).join(', ')}`)];
  if (!RESTARTS.includes(policy)) return [notSupported(path, policy, RESTARTS)];
  return podFailurePolicy && policy !== 'Never'
    ? [invalidValue(path, policy, 'only "Never" is supported when podFailurePolicy is specified')]
    : [];
}

const ACTIONS = ['Count', 'FailIndex', 'FailJob', 'Ignore'];
const CONDITION_STATUSES = ['False', 'True', 'Unknown'];
/** As `%q` prints lists. */
const quotedList = (list: readonly string[]) => `valid values: [${list.map((name) => JSON.stringify(name)).join(' ')}]`;
type FailureRule = NonNullable<DeepReadonly<JobSpec>['podFailurePolicy']>['rules'][number];

function oneOf(value: string | undefined, known: readonly string[], path: FieldPath): FieldCause[] {
  if (!value) return [required(path, quotedList(known))];
  return known.includes(value) ? [] : [notSupported(path, value, known)];
}

function failurePolicyCauses(spec: DeepReadonly<JobSpec>, path: FieldPath): FieldCause[] {
  const rules = spec.podFailurePolicy?.rules ?? [];
  const causes = rules.length > MOST_RULES ? [tooMany(path.child('rules'), rules.length, MOST_RULES)] : [];
  for (const [index, rule] of rules.entries()) causes.push(...failureRuleCauses(rule, spec, path.child('rules').index(index)));
  return causes;
}

function failureRuleCauses(rule: FailureRule, spec: DeepReadonly<JobSpec>, at: FieldPath): FieldCause[] {
  const conditions = rule.onPodConditions ?? [];
  const causes = oneOf(rule.action, ACTIONS, at.child('action'));
  if (rule.action === 'FailIndex' && !isSet(spec.backoffLimitPerIndex))
    causes.push(invalidValue(at.child('action'), rule.action, 'requires the backoffLimitPerIndex to be set'));
  if (rule.onExitCodes) causes.push(...exitCodeCauses(rule.onExitCodes, spec, at.child('onExitCodes')));
  const list = at.child('onPodConditions');
  if (conditions.length > MOST_RULES) causes.push(tooMany(list, conditions.length, MOST_RULES));
  for (const [index, { type, status }] of conditions.entries()) {
    causes.push(...problems(checkQualifiedName(type), list.index(index).child('type'), type));
    causes.push(...oneOf(status, CONDITION_STATUSES, list.index(index).child('status')));
  }
  if (rule.onExitCodes && conditions.length > 0)
    causes.push(invalidPlain(at, 'specifying both OnExitCodes and OnPodConditions is not supported'));
  if (!rule.onExitCodes && conditions.length === 0)
    causes.push(invalidPlain(at, 'specifying one of OnExitCodes and OnPodConditions is required'));
  return causes;
}

function exitCodeCauses(
  codes: NonNullable<FailureRule['onExitCodes']>,
  { template }: DeepReadonly<JobSpec>,
  path: FieldPath,
): FieldCause[] {
  const causes = oneOf(codes.operator, ['In', 'NotIn'], path.child('operator'));
  const { containerName } = codes;
  const values = codes.values ?? [];
  const names = [...(template?.spec?.containers ?? []), ...(template?.spec?.initContainers ?? [])];
  if (isSet(containerName) && !names.some(({ name }) => name === containerName)) {
    const why = 'must be one of the container or initContainer names in the pod template';
    causes.push(invalidValue(path.child('containerName'), containerName, why));
  }
  const at = path.child('values');
  if (values.length === 0) causes.push(invalidValue(at, codes.values, 'at least one value is required'));
  else if (values.length > MOST_CODES) causes.push(tooMany(at, values.length, MOST_CODES));
  for (const [index, value] of values.entries()) {
    if (codes.operator === 'In' && value === 0) causes.push(invalidValue(at.index(index), value, 'must not be 0 for the In operator'));
    if (values.indexOf(value) !== index) causes.push(duplicateValue(at.index(index), value));
  }
  const isOrdered = values.every((value, index) => index === 0 || value >= (values[index - 1] ?? 0));
  return isOrdered ? causes : [...causes, invalidValue(at, values, 'must be ordered')];
}

const [CONTROLLER_UID, JOB_NAME] = ['batch.kubernetes.io/controller-uid', 'batch.kubernetes.io/job-name'];

/** The selector that the server made, and the labels it selects by. @param isPrefixed Jobs of old have the bare labels only. */
function jobSelectorCauses({ metadata, spec }: DeepReadonly<Job>, isPrefixed = true): FieldCause[] {
  if (spec.manualSelector === true || !spec.selector) return []; // That it is required is said elsewhere.
  const labels = spec.template?.metadata?.labels ?? {};
  const at = SPEC.child('template', 'metadata', 'labels');
  const bare: (readonly [string, string])[] = [
    ['controller-uid', metadata.uid ?? ''],
    ['job-name', metadata.name ?? ''],
  ];
  const prefixed: (readonly [string, string])[] = [
    [CONTROLLER_UID, metadata.uid ?? ''],
    [JOB_NAME, metadata.name ?? ''],
  ];
  const wanted = isPrefixed ? [...bare, ...prefixed] : bare;
  const shown = Object.fromEntries(sortedEntries(labels)); // All of them, as upstream prints them.
  const causes = metadata.uid ? [] : [required('metadata.uid')];
  for (const [key, value] of wanted) {
    if (labels[key] === undefined) causes.push(required(at.key(key), `must be '${value}'`));
    else if (labels[key] !== value) causes.push(invalidValue(at.key(key), shown, `must be '${value}'`));
  }
  const { selector } = spec;
  const isOwn = !isSelectable(selector) || selectorOf(selector as LabelSelector).matches(Object.fromEntries(wanted));
  return isOwn ? causes : [...causes, invalidValue(SPEC.child('selector'), selector, '`selector` not auto-generated')];
}

export function jobCauses(job: DeepReadonly<Job>): FieldCause[] {
  return wholeCauses(job, true);
}

function wholeCauses(job: DeepReadonly<Job>, isPrefixed: boolean): FieldCause[] {
  return [...jobSelectorCauses(job, isPrefixed), ...jobWholeSpecCauses(job), ...indexedNameCauses(job)];
}

/** The last of an indexed Job's Pods has to be a host. */
function indexedNameCauses({ metadata, spec }: DeepReadonly<Job>): FieldCause[] {
  if (spec.completionMode !== 'Indexed' || !isSet(spec.completions) || spec.completions <= 0) return [];
  const host = `${metadata.name}-${spec.completions - 1}`;
  if (checkDns1123Label(host).length === 0) return [];
  return [invalidValue('metadata.name', metadata.name, `will not able to create pod with invalid DNS label: ${host}`)];
}

/** The spec of a Job, as against that of a Job template, which has no selector yet. */
function jobWholeSpecCauses({ spec }: DeepReadonly<Job>): FieldCause[] {
  const { selector } = spec;
  const wrong = selector ? selectorCauses(selector, SPEC.child('selector')) : [required(SPEC.child('selector'))];
  const isUnsaid = selector && (isEmptySelector(selector) || !isSelectable(selector));
  return [...jobSpecCauses(spec, SPEC), ...wrong, ...(isUnsaid ? [] : mismatchCauses(selector, spec.template))];
}

export function jobUpdateCauses(next: DeepReadonly<Job>, previous: DeepReadonly<Job>): FieldCause[] {
  const had = previous.spec.template?.metadata?.labels ?? {};
  // Upstream looks at the spec twice; the message leaves out what it has said.
  const causes = [...wholeCauses(next, CONTROLLER_UID in had && JOB_NAME in had), ...jobWholeSpecCauses(next)];
  causes.push(...completionsUpdateCauses(next.spec, previous.spec));
  causes.push(...immutableCauses(next.spec.selector, previous.spec.selector, SPEC.child('selector')));
  causes.push(...templateUpdateCauses(next, previous));
  for (const name of ['completionMode', 'podFailurePolicy', 'backoffLimitPerIndex', 'managedBy', 'successPolicy'] as const) {
    causes.push(...immutableCauses(next.spec[name], previous.spec[name], SPEC.child(name)));
  }
  return causes;
}

/** How many Pods complete an indexed Job may change together with how many run at once. */
function completionsUpdateCauses(next: DeepReadonly<JobSpec>, previous: DeepReadonly<JobSpec>): FieldCause[] {
  const path = SPEC.child('completions');
  if (next.completions === previous.completions) return [];
  if (next.completionMode !== 'Indexed') return immutableCauses(next.completions, previous.completions, path);
  if (!isSet(next.completions) || !isSet(previous.completions) || next.completions === next.parallelism) return [];
  return [invalidValue(path, next.completions, 'can only be modified in tandem with spec.parallelism')];
}

/** A suspended Job that has no Pods: it never started, or its controller says that it has stopped. */
function mayBePlaced({ spec, status }: DeepReadonly<Job>): boolean {
  if (spec.suspend !== true || (status?.active ?? 0) > 0) return false;
  return !isSet(status?.startTime) || hasCondition(status ?? {}, 'Suspended');
}

type PodSpecOf = DeepReadonly<PodTemplateSpec>['spec'];

/** The Pods of a Job stay as they are, save for where they may run and what they get while there are none. */
function templateUpdateCauses(next: DeepReadonly<Job>, previous: DeepReadonly<Job>): FieldCause[] {
  const [now, before] = [next.spec.template, previous.spec.template];
  if (semanticEqual(now, before)) return [];
  const path = SPEC.child('template');
  if (!mayBePlaced(previous)) return [invalidValue(path, internalForm(now), IMMUTABLE)];
  // Of such a Job upstream compares the Pods' specs alone; of metadata, labels and annotations may change.
  if (!semanticEqual(unplaced(now.spec), unplaced(before.spec)))
    return [invalidValue(path.child('spec'), internalForm(now.spec), IMMUTABLE)];
  const meta = ({ metadata }: DeepReadonly<PodTemplateSpec>) => ({ ...metadata, labels: undefined, annotations: undefined });
  return semanticEqual(meta(now), meta(before)) ? [] : [invalidValue(path, internalForm(now), IMMUTABLE)];
}

/** A Pod's spec without what says where it runs (of affinity, that to nodes) and without resources. */
function unplaced(spec: PodSpecOf): object {
  const { nodeSelector: _selector, tolerations: _tolerations, schedulingGates: _gates, affinity, ...rest } = spec;
  const bare = (list: PodSpecOf['containers'] | undefined) => (list ?? []).map(({ resources: _resources, ...own }) => own);
  const { nodeAffinity: _node, ...among } = affinity ?? {};
  return {
    ...rest,
    containers: bare(rest.containers),
    initContainers: bare(rest.initContainers),
    affinity: Object.keys(among).length === 0 ? undefined : among,
  };
}

const LONGEST_CRON_JOB = 52;

export function cronJobCauses(object: DeepReadonly<CronJob>): FieldCause[] {
  const name = object.metadata.name ?? '';
  const isLong = name.length > LONGEST_CRON_JOB ? [invalidValue('metadata.name', name, 'must be no more than 52 characters')] : [];
  return [...cronSpecCauses(object.spec), ...isLong];
}

/** Names that are too long by now are let be. */
export function cronJobUpdateCauses({ spec }: DeepReadonly<CronJob>, previous?: DeepReadonly<CronJob>): FieldCause[] {
  return cronSpecCauses(spec, previous?.spec);
}

type CronSpec = DeepReadonly<CronJob>['spec'];

function cronSpecCauses(spec: CronSpec, previous?: CronSpec): FieldCause[] {
  const path = SPEC.child('schedule');
  const causes: FieldCause[] = spec.schedule
    ? scheduleProblems(spec.schedule, {
        mayHaveZone: previous?.schedule?.includes('TZ') === true,
        hasTimeZone: isSet(spec.timeZone),
      }).map((problem) => invalidValue(path, spec.schedule, problem))
    : [required(path)];
  causes.push(...nonNegative(spec.startingDeadlineSeconds, SPEC.child('startingDeadlineSeconds')));
  if (previous === undefined || (previous.timeZone ?? null) !== (spec.timeZone ?? null)) {
    const at = SPEC.child('timeZone');
    if (isSet(spec.timeZone)) causes.push(...timeZoneProblems(spec.timeZone).map((problem) => invalidValue(at, spec.timeZone, problem)));
  }
  causes.push(...enumCauses(spec.concurrencyPolicy, ['Allow', 'Forbid', 'Replace'], SPEC.child('concurrencyPolicy'), true));
  const job = SPEC.child('jobTemplate', 'spec');
  const inner = spec.jobTemplate?.spec ?? ({} as JobSpec);
  causes.push(...jobSpecCauses(inner, job));
  if (inner.selector) causes.push(invalidValue(job.child('selector'), inner.selector, '`selector` will be auto-generated'));
  if (inner.manualSelector === true) causes.push(notSupported(job.child('manualSelector'), true, ['nil', 'false']));
  causes.push(...nonNegative(spec.successfulJobsHistoryLimit, SPEC.child('successfulJobsHistoryLimit')));
  return [...causes, ...nonNegative(spec.failedJobsHistoryLimit, SPEC.child('failedJobsHistoryLimit'))];
}
