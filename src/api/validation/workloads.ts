// SPDX-License-Identifier: Apache-2.0
// Validation of apps/v1, batch/v1 and ReplicationControllers: selectors against templates, strategies, what is immutable.
import {
  checkDns1123Label,
  type DeepReadonly,
  type FieldCause,
  type FieldPath,
  field,
  forbiddenField,
  invalidValue,
  type LabelSelector,
  notSupported,
  required,
  selectorOf,
  semanticEqual,
} from '../../machinery/mod.ts';
import type { ControllerRevision, DaemonSet, Deployment, ReplicaSet, StatefulSet } from '../generated/apps/v1.ts';
import type { CronJob, Job, JobSpec } from '../generated/batch/v1.ts';
import type { PodTemplate, PodTemplateSpec, ReplicationController } from '../generated/core/v1.ts';
import { scheduleProblem } from './cron-schedule.ts';
import { internalForm } from './difference.ts';
import { immutableCauses } from './object-meta.ts';
import { podTemplateCauses } from './pod-spec.ts';
import { claimSpecCauses } from './pod-volumes.ts';
import {
  amountOf,
  countOrPercentCauses,
  enumCauses,
  isEmptySelector,
  isSelectable,
  nonNegative,
  notOver100Percent,
  problems,
  selectorCauses,
} from './rules.ts';

const SPEC = field('spec');
const MISMATCH = '`selector` does not match template `labels`';
type Template = DeepReadonly<PodTemplateSpec> | undefined;

function matches(selector: DeepReadonly<LabelSelector> | undefined, template: Template): boolean {
  if (!selector || isEmptySelector(selector) || !isSelectable(selector)) return false;
  return selectorOf(selector as LabelSelector).matches(template?.metadata?.labels);
}

/** Maps are printed in the order of their keys. */
function sortedLabels(template: Template): Readonly<Record<string, string>> | undefined {
  const labels = template?.metadata?.labels;
  return labels === undefined ? undefined : Object.fromEntries(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function mismatchCauses(selector: DeepReadonly<LabelSelector> | undefined, template: Template, path = SPEC): FieldCause[] {
  return matches(selector, template) ? [] : [invalidValue(path.child('template', 'metadata', 'labels'), sortedLabels(template), MISMATCH)];
}

function alwaysCauses(template: Template, path = SPEC): FieldCause[] {
  const at = path.child('template', 'spec');
  const policy = template?.spec?.restartPolicy;
  const causes = policy !== 'Always' ? [notSupported(at.child('restartPolicy'), policy ?? '', ['Always'])] : [];
  const deadline = template?.spec?.activeDeadlineSeconds;
  if (deadline !== undefined && deadline !== null) {
    causes.push(forbiddenField(at.child('activeDeadlineSeconds'), 'activeDeadlineSeconds in ReplicaSet is not Supported'));
  }
  return causes;
}

/** Selector, template and what every replicating workload asks of them. */
function replicatedTemplate(selector: DeepReadonly<LabelSelector> | undefined, template: Template): FieldCause[] {
  if (!template) return [required(SPEC.child('template'))];
  return [
    ...(isEmptySelector(selector) ? [] : mismatchCauses(selector, template)),
    ...podTemplateCauses(template, SPEC.child('template')),
    ...alwaysCauses(template),
  ];
}

function selectorFieldCauses(selector: DeepReadonly<LabelSelector> | undefined, kind: string): FieldCause[] {
  const path = SPEC.child('selector');
  if (!selector) return [required(path)];
  const causes = selectorCauses(selector, path);
  if (isEmptySelector(selector)) causes.push(invalidValue(path, selector, `empty selector is invalid for ${kind}`));
  return causes;
}

export function deploymentCauses({ spec }: DeepReadonly<Deployment>): FieldCause[] {
  const causes = [...nonNegative(spec.replicas, SPEC.child('replicas')), ...selectorFieldCauses(spec.selector, 'deployment')];
  if (spec.selector && !isSelectable(spec.selector))
    causes.push(invalidValue(SPEC.child('selector'), spec.selector, 'invalid label selector'));
  else causes.push(...templateOfDeployment(spec));
  causes.push(...deploymentStrategyCauses(spec.strategy), ...nonNegative(spec.minReadySeconds, SPEC.child('minReadySeconds')));
  causes.push(...nonNegative(spec.revisionHistoryLimit, SPEC.child('revisionHistoryLimit')));
  const [deadline, ready] = [spec.progressDeadlineSeconds, spec.minReadySeconds ?? 0];
  if (deadline !== undefined && deadline !== null) {
    const path = SPEC.child('progressDeadlineSeconds');
    causes.push(...nonNegative(deadline, path));
    if (deadline <= ready) causes.push(invalidValue(path, deadline, 'must be greater than minReadySeconds'));
  }
  return causes;
}

function templateOfDeployment({ selector, template }: DeepReadonly<Deployment>['spec']): FieldCause[] {
  if (selector && isEmptySelector(selector)) return [...podTemplateCauses(template, SPEC.child('template')), ...alwaysCauses(template)];
  return [...mismatchCauses(selector, template), ...podTemplateCauses(template, SPEC.child('template')), ...alwaysCauses(template)];
}

function deploymentStrategyCauses(strategy: DeepReadonly<Deployment>['spec']['strategy']): FieldCause[] {
  const path = SPEC.child('strategy');
  const rolling = strategy?.rollingUpdate;
  const at = path.child('rollingUpdate');
  switch (strategy?.type) {
    case 'Recreate':
      return rolling ? [forbiddenField(at, `may not be specified when strategy \`type\` is 'Recreate'`)] : [];
    case 'RollingUpdate': {
      if (!rolling) return [required(at, 'this should be defaulted and never be nil')];
      const causes = [
        ...countOrPercentCauses(rolling.maxUnavailable, at.child('maxUnavailable')),
        ...countOrPercentCauses(rolling.maxSurge, at.child('maxSurge')),
      ];
      if (amountOf(rolling.maxUnavailable) === 0 && amountOf(rolling.maxSurge) === 0) {
        causes.push(invalidValue(at.child('maxUnavailable'), rolling.maxUnavailable, 'may not be 0 when `maxSurge` is 0'));
      }
      const order = (cause: FieldCause) => (cause.field.endsWith('maxSurge') ? 0 : 1);
      const over = notOver100Percent(rolling.maxUnavailable, at.child('maxUnavailable'));
      return [...causes.sort((a, b) => order(a) - order(b)), ...over];
    }
    default: {
      const shown = { Type: strategy?.type ?? '', RollingUpdate: rolling ?? null };
      return [notSupported(path, shown, ['Recreate', 'RollingUpdate'])];
    }
  }
}

export function deploymentUpdateCauses(next: DeepReadonly<Deployment>, previous: DeepReadonly<Deployment>): FieldCause[] {
  const causes = deploymentCauses(next);
  if (semanticEqual(next.spec.selector, previous.spec.selector)) return causes;
  return [...causes, ...immutableCauses(next.spec.selector, previous.spec.selector, SPEC.child('selector'))];
}

export function replicaSetCauses({ spec }: DeepReadonly<ReplicaSet>): FieldCause[] {
  const causes = [
    ...nonNegative(spec.replicas, SPEC.child('replicas')),
    ...nonNegative(spec.minReadySeconds, SPEC.child('minReadySeconds')),
    ...selectorFieldCauses(spec.selector, 'deployment'),
  ];
  const template = spec.template;
  if (!template) return [...causes, required(SPEC.child('template'))];
  if (!spec.selector || !isEmptySelector(spec.selector)) causes.push(...mismatchCauses(spec.selector, template));
  return [...causes, ...podTemplateCauses(template, SPEC.child('template')), ...alwaysCauses(template)];
}

export function replicaSetUpdateCauses(next: DeepReadonly<ReplicaSet>, previous: DeepReadonly<ReplicaSet>): FieldCause[] {
  return [...replicaSetCauses(next), ...immutableCauses(next.spec.selector, previous.spec.selector, SPEC.child('selector'))];
}

export function replicationControllerCauses({ spec }: DeepReadonly<ReplicationController>): FieldCause[] {
  const causes = nonNegative(spec.minReadySeconds, SPEC.child('minReadySeconds'));
  const selector = spec.selector ?? {};
  const isEmpty = Object.keys(selector).length === 0;
  if (isEmpty) causes.push(required(SPEC.child('selector')));
  causes.push(...nonNegative(spec.replicas, SPEC.child('replicas')));
  const { template } = spec;
  if (!template) return [...causes, required(SPEC.child('template'))];
  if (!isEmpty && Object.entries(selector).some(([key, value]) => template.metadata?.labels?.[key] !== value)) {
    causes.push(invalidValue(SPEC.child('template', 'metadata', 'labels'), template.metadata?.labels, MISMATCH));
  }
  return [...causes, ...podTemplateCauses(template, SPEC.child('template')), ...alwaysCauses(template)];
}

export function daemonSetCauses({ spec }: DeepReadonly<DaemonSet>): FieldCause[] {
  const causes = selectorCauses(spec.selector, SPEC.child('selector'));
  if (spec.selector && isEmptySelector(spec.selector)) {
    causes.push(invalidValue(SPEC.child('selector'), spec.selector, 'empty selector is invalid for daemonset'));
  } else {
    causes.push(...mismatchCauses(spec.selector, spec.template));
  }
  causes.push(...podTemplateCauses(spec.template, SPEC.child('template')));
  const policy = spec.template?.spec?.restartPolicy;
  if (policy !== 'Always') causes.push(notSupported(SPEC.child('template', 'spec', 'restartPolicy'), policy ?? '', ['Always']));
  const deadline = spec.template?.spec?.activeDeadlineSeconds;
  if (deadline !== undefined && deadline !== null) {
    causes.push(
      forbiddenField(SPEC.child('template', 'spec', 'activeDeadlineSeconds'), 'activeDeadlineSeconds in DaemonSet is not Supported'),
    );
  }
  causes.push(...nonNegative(spec.minReadySeconds, SPEC.child('minReadySeconds')), ...daemonStrategyCauses(spec.updateStrategy));
  return [...causes, ...nonNegative(spec.revisionHistoryLimit, SPEC.child('revisionHistoryLimit'))];
}

function daemonStrategyCauses(strategy: DeepReadonly<DaemonSet>['spec']['updateStrategy']): FieldCause[] {
  const path = SPEC.child('updateStrategy');
  if (strategy?.type === 'OnDelete') return [];
  if (strategy?.type !== 'RollingUpdate') {
    return [
      notSupported(path, { Type: strategy?.type ?? '', RollingUpdate: strategy?.rollingUpdate ?? null }, ['RollingUpdate', 'OnDelete']),
    ];
  }
  const rolling = strategy.rollingUpdate;
  const at = path.child('rollingUpdate');
  if (!rolling) return [required(at)];
  const causes = [
    ...countOrPercentCauses(rolling.maxUnavailable, at.child('maxUnavailable')),
    ...notOver100Percent(rolling.maxUnavailable, at.child('maxUnavailable')),
    ...countOrPercentCauses(rolling.maxSurge, at.child('maxSurge')),
    ...notOver100Percent(rolling.maxSurge, at.child('maxSurge')),
  ];
  const [unavailable, surge] = [amountOf(rolling.maxUnavailable), amountOf(rolling.maxSurge)];
  if (unavailable !== 0 && surge !== 0)
    causes.push(invalidValue(at.child('maxSurge'), rolling.maxSurge, 'may not be set when maxUnavailable is non-zero'));
  if (unavailable === 0 && surge === 0) causes.push(required(at.child('maxUnavailable'), 'cannot be 0 when maxSurge is 0'));
  return causes;
}

export function daemonSetUpdateCauses(next: DeepReadonly<DaemonSet>, previous: DeepReadonly<DaemonSet>): FieldCause[] {
  return [...immutableCauses(next.spec.selector, previous.spec.selector, SPEC.child('selector')), ...daemonSetCauses(next)];
}

export function statefulSetCauses({ spec }: DeepReadonly<StatefulSet>): FieldCause[] {
  const causes = enumCauses(spec.podManagementPolicy, ['OrderedReady', 'Parallel'], SPEC.child('podManagementPolicy'), true);
  const strategy = SPEC.child('updateStrategy');
  const { type, rollingUpdate } = spec.updateStrategy ?? {};
  if (!type) causes.push(required(strategy));
  else if (type === 'OnDelete' && rollingUpdate) {
    causes.push(invalidValue(strategy.child('rollingUpdate'), rollingUpdate, "only allowed for updateStrategy 'RollingUpdate'"));
  } else if (type === 'RollingUpdate' && rollingUpdate) {
    causes.push(...nonNegative(rollingUpdate.partition, strategy.child('rollingUpdate', 'partition')));
    causes.push(...countOrPercentCauses(rollingUpdate.maxUnavailable, strategy.child('rollingUpdate', 'maxUnavailable')));
  } else if (type !== 'OnDelete' && type !== 'RollingUpdate') {
    causes.push(invalidValue(strategy, spec.updateStrategy, "must be 'RollingUpdate' or 'OnDelete'"));
  }
  const retention = SPEC.child('persistentVolumeClaimRetentionPolicy');
  for (const name of ['whenDeleted', 'whenScaled'] as const) {
    causes.push(...enumCauses(spec.persistentVolumeClaimRetentionPolicy?.[name], ['Delete', 'Retain'], retention.child(name)));
  }
  causes.push(...nonNegative(spec.replicas, SPEC.child('replicas')), ...nonNegative(spec.minReadySeconds, SPEC.child('minReadySeconds')));
  causes.push(...nonNegative(spec.ordinals?.start, SPEC.child('ordinals.start')));
  if (!spec.selector) causes.push(required(SPEC.child('selector')));
  else {
    causes.push(...selectorCauses(spec.selector, SPEC.child('selector')));
    if (isEmptySelector(spec.selector))
      causes.push(invalidValue(SPEC.child('selector'), spec.selector, 'empty selector is invalid for statefulset'));
  }
  for (const [index, claim] of (spec.volumeClaimTemplates ?? []).entries()) {
    const at = SPEC.child('volumeClaimTemplates').index(index);
    causes.push(...problems(checkDns1123Label(claim.metadata?.name ?? ''), at.child('metadata', 'name'), claim.metadata?.name ?? ''));
    causes.push(...claimSpecCauses(claim.spec, at.child('spec')));
  }
  causes.push(...replicatedTemplate(spec.selector, spec.template).filter(({ field: at }) => !at.endsWith('activeDeadlineSeconds')));
  return causes;
}

const STATEFUL_MUTABLE = [
  'replicas',
  'ordinals',
  'template',
  'updateStrategy',
  'revisionHistoryLimit',
  'persistentVolumeClaimRetentionPolicy',
  'minReadySeconds',
] as const;

export function statefulSetUpdateCauses(next: DeepReadonly<StatefulSet>, previous: DeepReadonly<StatefulSet>): FieldCause[] {
  const masked: Record<string, unknown> = { ...next.spec };
  for (const name of STATEFUL_MUTABLE) masked[name] = previous.spec[name];
  const causes = statefulSetCauses(next);
  if (!semanticEqual(masked, previous.spec)) {
    const names = STATEFUL_MUTABLE.map((name) => `'${name}'`);
    const list = `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
    causes.push(forbiddenField(SPEC, `updates to statefulset spec for fields other than ${list} are forbidden`));
  }
  return causes;
}

export function controllerRevisionCauses(revision: DeepReadonly<ControllerRevision>): FieldCause[] {
  const causes = nonNegative(revision.revision, field('revision'));
  if (revision.data === undefined || revision.data === null) causes.push(required(field('data'), 'data is mandatory'));
  return causes;
}

export function controllerRevisionUpdateCauses(
  next: DeepReadonly<ControllerRevision>,
  previous: DeepReadonly<ControllerRevision>,
): FieldCause[] {
  return [...immutableCauses(next.data, previous.data, field('data')), ...controllerRevisionCauses(next)];
}

export function podTemplateObjectCauses({ template }: DeepReadonly<PodTemplate>): FieldCause[] {
  return podTemplateCauses(template, field('template'));
}

const RESTARTS = ['OnFailure', 'Never'];
const MAX_INDEXED = 100_000;

function jobSpecCauses(spec: DeepReadonly<JobSpec>, path: FieldPath): FieldCause[] {
  const causes: FieldCause[] = [];
  for (const name of [
    'parallelism',
    'completions',
    'activeDeadlineSeconds',
    'backoffLimit',
    'ttlSecondsAfterFinished',
    'backoffLimitPerIndex',
    'maxFailedIndexes',
  ] as const) {
    causes.push(...nonNegative(spec[name], path.child(name)));
  }
  const isIndexed = spec.completionMode === 'Indexed';
  if (spec.backoffLimitPerIndex !== undefined && !isIndexed) {
    causes.push(invalidValue(path.child('backoffLimitPerIndex'), spec.backoffLimitPerIndex, 'requires indexed completion mode'));
  }
  if (spec.managedBy !== undefined && !spec.managedBy.includes('/')) {
    causes.push(invalidValue(path.child('managedBy'), spec.managedBy, 'must be a domain-prefixed path (such as "acme.io/foo")'));
  }
  if (spec.completionMode !== undefined) {
    causes.push(...enumCauses(spec.completionMode, ['NonIndexed', 'Indexed'], path.child('completionMode')));
    if (isIndexed) {
      if (spec.completions === undefined) causes.push(required(path.child('completions'), 'when completion mode is Indexed'));
      if ((spec.parallelism ?? 0) > MAX_INDEXED) {
        causes.push(
          invalidValue(
            path.child('parallelism'),
            spec.parallelism,
            `must be less than or equal to ${MAX_INDEXED} when completion mode is Indexed`,
          ),
        );
      }
    }
  }
  causes.push(...failurePolicyCauses(spec, path.child('podFailurePolicy')));
  if (spec.successPolicy && !isIndexed)
    causes.push(invalidValue(path.child('successPolicy'), internalForm(spec.successPolicy), 'requires indexed completion mode'));
  causes.push(...replacementCauses(spec, path.child('podReplacementPolicy')));
  return [
    ...causes,
    ...podTemplateCauses(spec.template, path.child('template')),
    ...jobRestartCauses(spec, path.child('template', 'spec', 'restartPolicy')),
  ];
}

function replacementCauses(spec: DeepReadonly<JobSpec>, path: FieldPath): FieldCause[] {
  const allowed = spec.podFailurePolicy ? ['Failed'] : ['Failed', 'TerminatingOrFailed'];
  return enumCauses(spec.podReplacementPolicy, allowed, path);
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

function failurePolicyCauses({ podFailurePolicy }: DeepReadonly<JobSpec>, path: FieldPath): FieldCause[] {
  return (podFailurePolicy?.rules ?? []).flatMap((rule, index) => {
    const at = path.child('rules').index(index);
    const causes = enumCauses(rule.action, ACTIONS, at.child('action'), true);
    const hasConditions = (rule.onPodConditions ?? []).length > 0;
    if (rule.onExitCodes) {
      const codes = at.child('onExitCodes');
      const values = rule.onExitCodes.values ?? [];
      causes.push(...enumCauses(rule.onExitCodes.operator, ['In', 'NotIn'], codes.child('operator'), true));
      if (values.length === 0) causes.push(invalidValue(codes.child('values'), values, 'at least one value is required'));
      for (const [position, value] of values.entries()) {
        if (rule.onExitCodes.operator === 'In' && value === 0)
          causes.push(invalidValue(codes.child('values').index(position), value, 'must not be 0 for the In operator'));
        if (values.indexOf(value) !== position)
          causes.push({
            ...invalidValue(codes.child('values').index(position), value, ''),
            reason: 'FieldValueDuplicate',
            message: `Duplicate value: ${value}`,
          });
      }
      if (values.some((value, position) => position > 0 && value < (values[position - 1] ?? 0)))
        causes.push(invalidValue(codes.child('values'), values, 'must be ordered'));
    }
    if (rule.onExitCodes && hasConditions)
      causes.push(invalidPlain(at, 'specifying both OnExitCodes and OnPodConditions is not supported'));
    if (!rule.onExitCodes && !hasConditions) causes.push(invalidPlain(at, 'specifying one of OnExitCodes and OnPodConditions is required'));
    return causes;
  });
}

/** A rule that upstream prints without its value. */
function invalidPlain(path: FieldPath, detail: string): FieldCause {
  return { reason: 'FieldValueInvalid', field: String(path), message: `Invalid value: ${detail}` };
}

const CONTROLLER_UID = 'batch.kubernetes.io/controller-uid';

/** The selector that the server made, or by hand one that fits. */
function jobSelectorCauses({ metadata, spec }: DeepReadonly<Job>): FieldCause[] {
  const path = SPEC.child('selector');
  if (spec.manualSelector === true) return [];
  if (!spec.selector) return []; // Said to be required already.
  const labels = spec.template?.metadata?.labels ?? {};
  const at = SPEC.child('template', 'metadata', 'labels');
  const wrong = (
    [
      [CONTROLLER_UID, metadata.uid],
      ['controller-uid', metadata.uid],
      ['batch.kubernetes.io/job-name', metadata.name],
      ['job-name', metadata.name],
    ] as const
  )
    .filter(([key, value]) => labels[key] !== value)
    .map(
      ([key, value]) =>
        invalidValue(at, labels, `must be '${value}'`) && {
          reason: 'FieldValueInvalid',
          field: `${at}[${key}]`,
          message: `Invalid value: "${labels[key] ?? ''}": must be '${value}'`,
        },
    );
  const matchLabels = spec.selector?.matchLabels ?? {};
  const isOwn =
    matchLabels[CONTROLLER_UID] === metadata.uid &&
    Object.keys(matchLabels).every((key) => key === CONTROLLER_UID || key === 'controller-uid');
  const odd = !isOwn || (spec.selector?.matchExpressions ?? []).length > 0;
  return [...wrong, ...(odd ? [invalidValue(path, spec.selector, '`selector` not auto-generated')] : [])];
}

export function jobCauses(job: DeepReadonly<Job>): FieldCause[] {
  return [...jobSelectorCauses(job), ...jobWholeSpecCauses(job)];
}

/** The spec of a Job, as against that of a Job template, which has no selector yet. */
function jobWholeSpecCauses({ spec }: DeepReadonly<Job>): FieldCause[] {
  const selector = spec.selector ? selectorCauses(spec.selector, SPEC.child('selector')) : [required(SPEC.child('selector'))];
  const own = jobSpecCauses(spec, SPEC);
  const template = own.findIndex(({ field: at }) => at.startsWith('spec.template'));
  own.splice(template < 0 ? own.length : template, 0, ...mismatchCauses(spec.selector, spec.template));
  return [...selector, ...own];
}

export function jobUpdateCauses(next: DeepReadonly<Job>, previous: DeepReadonly<Job>): FieldCause[] {
  // Upstream looks at the spec twice; the message leaves out what it has said.
  const causes = [...jobCauses(next), ...jobWholeSpecCauses(next)];
  const isElastic = next.spec.completionMode === 'Indexed' && next.spec.completions === next.spec.parallelism;
  if (!isElastic) causes.push(...immutableCauses(next.spec.completions, previous.spec.completions, SPEC.child('completions')));
  causes.push(...immutableCauses(next.spec.selector, previous.spec.selector, SPEC.child('selector')));
  if (!isTemplateKept(next, previous)) {
    // Of a Job that may still be placed elsewhere, upstream compares the Pods' specs alone.
    const [path, shown] = mayBePlaced(previous)
      ? [SPEC.child('template', 'spec'), next.spec.template.spec]
      : [SPEC.child('template'), next.spec.template];
    causes.push(invalidValue(path, internalForm(shown), 'field is immutable'));
  }
  for (const name of ['completionMode', 'podFailurePolicy', 'backoffLimitPerIndex', 'managedBy', 'successPolicy'] as const) {
    causes.push(...immutableCauses(next.spec[name], previous.spec[name], SPEC.child(name)));
  }
  return causes;
}

/** A Job that was suspended and has not started. */
const mayBePlaced = ({ spec, status }: DeepReadonly<Job>) => spec.suspend === true && !status?.startTime;

function isTemplateKept(next: DeepReadonly<Job>, previous: DeepReadonly<Job>): boolean {
  if (semanticEqual(next.spec.template, previous.spec.template)) return true;
  if (!mayBePlaced(previous)) return false;
  const strip = ({ metadata, spec }: DeepReadonly<PodTemplateSpec>) => {
    const { nodeSelector: _selector, affinity: _affinity, tolerations: _tolerations, schedulingGates: _gates, ...rest } = spec;
    const containers = (rest.containers ?? []).map(({ resources: _resources, ...own }) => own);
    return { finalizers: metadata?.finalizers, spec: { ...rest, containers } };
  };
  return semanticEqual(strip(next.spec.template), strip(previous.spec.template));
}

const LONGEST_CRON_JOB = 52;

export function cronJobCauses({ metadata, spec }: DeepReadonly<CronJob>): FieldCause[] {
  const causes: FieldCause[] = [];
  const path = SPEC.child('schedule');
  if (!spec.schedule) causes.push(required(path));
  else {
    const problem = scheduleProblem(spec.schedule);
    if (problem !== undefined) causes.push(invalidValue(path, spec.schedule, problem));
  }
  causes.push(...timeZoneCauses(spec.timeZone));
  causes.push(...nonNegative(spec.startingDeadlineSeconds, SPEC.child('startingDeadlineSeconds')));
  causes.push(...enumCauses(spec.concurrencyPolicy, ['Allow', 'Forbid', 'Replace'], SPEC.child('concurrencyPolicy'), true));
  const job = SPEC.child('jobTemplate', 'spec');
  if (spec.jobTemplate?.spec?.manualSelector === true) {
    causes.push(notSupported(job.child('manualSelector'), true, ['nil', 'false']));
  } else if (spec.jobTemplate?.spec?.selector) {
    causes.push(invalidValue(job.child('selector'), spec.jobTemplate.spec.selector, '`selector` will be auto-generated'));
  }
  causes.push(...jobSpecCauses(spec.jobTemplate?.spec ?? ({} as JobSpec), job));
  causes.push(...nonNegative(spec.successfulJobsHistoryLimit, SPEC.child('successfulJobsHistoryLimit')));
  causes.push(...nonNegative(spec.failedJobsHistoryLimit, SPEC.child('failedJobsHistoryLimit')));
  if ((metadata.name ?? '').length > LONGEST_CRON_JOB) {
    causes.push(invalidValue('metadata.name', metadata.name, 'must be no more than 52 characters'));
  }
  return causes;
}

function timeZoneCauses(timeZone: string | undefined): FieldCause[] {
  if (timeZone === undefined || timeZone === null) return [];
  const path = SPEC.child('timeZone');
  if (timeZone === '') return [invalidValue(path, '', 'timeZone must be nil or non-empty string')];
  if (timeZone.toLowerCase() === 'local') {
    return [invalidValue(path, timeZone, 'timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones')];
  }
  try {
    new Intl.DateTimeFormat('en', { timeZone });
    return [];
  } catch {
    return [invalidValue(path, timeZone, `unknown time zone ${timeZone}`)];
  }
}

const STATUS = field('status');

/** Counts of a Deployment's status against each other. */
export function deploymentStatusCauses({ status = {} }: DeepReadonly<Deployment>): FieldCause[] {
  const { replicas = 0, updatedReplicas = 0, readyReplicas = 0, availableReplicas = 0 } = status;
  const causes: FieldCause[] = [];
  for (const name of [
    'observedGeneration',
    'replicas',
    'updatedReplicas',
    'readyReplicas',
    'availableReplicas',
    'unavailableReplicas',
  ] as const) {
    causes.push(...nonNegative(status[name], STATUS.child(name)));
  }
  if (status.collisionCount !== undefined && status.collisionCount !== null)
    causes.push(...nonNegative(status.collisionCount, STATUS.child('collisionCount')));
  const over = 'cannot be greater than status.replicas';
  if (updatedReplicas > replicas) causes.push(invalidValue(STATUS.child('updatedReplicas'), updatedReplicas, over));
  if (readyReplicas > replicas) causes.push(invalidValue(STATUS.child('readyReplicas'), readyReplicas, over));
  if (availableReplicas > replicas) causes.push(invalidValue(STATUS.child('availableReplicas'), availableReplicas, over));
  if (availableReplicas > readyReplicas)
    causes.push(invalidValue(STATUS.child('availableReplicas'), availableReplicas, 'cannot be greater than readyReplicas'));
  return causes;
}
