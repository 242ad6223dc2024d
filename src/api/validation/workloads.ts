// SPDX-License-Identifier: Apache-2.0
// Validation of apps/v1 and ReplicationControllers: selectors against templates, strategies, what is immutable.
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
import type { PodTemplate, PodTemplateSpec, ReplicationController } from '../generated/core/v1.ts';
import { claimSpecCauses } from './claims.ts';
import { immutableCauses } from './object-meta.ts';
import { podTemplateCauses } from './pod-spec.ts';
import {
  amountOf,
  countOrPercentCauses,
  enumCauses,
  isEmptySelector,
  isSelectable,
  isSet,
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

export function mismatchCauses(selector: DeepReadonly<LabelSelector> | undefined, template: Template, path = SPEC): FieldCause[] {
  return matches(selector, template) ? [] : [invalidValue(path.child('template', 'metadata', 'labels'), sortedLabels(template), MISMATCH)];
}

function alwaysCauses(template: Template, kind = 'ReplicaSet', path = SPEC): FieldCause[] {
  const at = path.child('template', 'spec');
  const policy = template?.spec?.restartPolicy;
  const causes = policy !== 'Always' ? [notSupported(at.child('restartPolicy'), policy ?? '', ['Always'])] : [];
  const deadline = template?.spec?.activeDeadlineSeconds;
  if (deadline !== undefined && deadline !== null) {
    causes.push(forbiddenField(at.child('activeDeadlineSeconds'), `activeDeadlineSeconds in ${kind} is not Supported`));
  }
  return causes;
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
  const { template, selector } = spec;
  if (selector && !isSelectable(selector)) return [...causes, invalidValue(SPEC.child('selector'), selector, 'invalid label selector')];
  if (!template) return [...causes, required(SPEC.child('template'))];
  if (!selector || !isEmptySelector(selector)) causes.push(...mismatchCauses(selector, template));
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
  return [...causes, ...podTemplateCauses(template, SPEC.child('template')), ...alwaysCauses(template, 'ReplicationController')];
}

/** Upstream looks at the new object as a whole and then once more as a change; the message leaves out what it has said. */
export function replicationControllerUpdateCauses(next: DeepReadonly<ReplicationController>): FieldCause[] {
  const causes = replicationControllerCauses(next);
  return [...causes, ...causes];
}

export function daemonSetCauses({ spec }: DeepReadonly<DaemonSet>): FieldCause[] {
  const causes = selectorCauses(spec.selector, SPEC.child('selector'));
  if (spec.selector && isEmptySelector(spec.selector)) {
    causes.push(invalidValue(SPEC.child('selector'), spec.selector, 'empty selector is invalid for daemonset'));
  } else if (!spec.selector || isSelectable(spec.selector)) {
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
    ...countOrPercentCauses(rolling.maxSurge, at.child('maxSurge')),
    ...notOver100Percent(rolling.maxUnavailable, at.child('maxUnavailable')),
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

type SetSpec = DeepReadonly<StatefulSet>['spec'];

export function statefulSetCauses({ spec }: DeepReadonly<StatefulSet>): FieldCause[] {
  const { serviceName: service } = spec;
  const named = service ? problems(checkDns1123Label(service), SPEC.child('serviceName'), service) : [];
  return setSpecCauses(spec, { named, claims: setClaimCauses(spec), template: setTemplateCauses(spec) });
}

/** Parts that an update leaves out where the object was wrong before. */
interface SetParts {
  readonly named: readonly FieldCause[];
  readonly claims: readonly FieldCause[];
  readonly template: readonly FieldCause[];
}

function setSpecCauses(spec: SetSpec, { named, claims, template }: SetParts): FieldCause[] {
  const policy: string = spec.podManagementPolicy ?? '';
  const causes: FieldCause[] = policy === '' ? [required(SPEC.child('podManagementPolicy'))] : [];
  if (policy !== '' && policy !== 'OrderedReady' && policy !== 'Parallel')
    causes.push(invalidValue(SPEC.child('podManagementPolicy'), policy, `must be 'OrderedReady' or 'Parallel'`));
  causes.push(...setStrategyCauses(spec.updateStrategy));
  const retention = SPEC.child('persistentVolumeClaimRetentionPolicy');
  for (const name of ['whenDeleted', 'whenScaled'] as const) {
    causes.push(...enumCauses(spec.persistentVolumeClaimRetentionPolicy?.[name], ['Retain', 'Delete'], retention.child(name)));
  }
  causes.push(...nonNegative(spec.replicas, SPEC.child('replicas')), ...nonNegative(spec.minReadySeconds, SPEC.child('minReadySeconds')));
  causes.push(...nonNegative(spec.ordinals?.start, SPEC.child('ordinals.start')), ...named);
  if (!spec.selector) causes.push(required(SPEC.child('selector')));
  else {
    causes.push(...selectorCauses(spec.selector, SPEC.child('selector')));
    if (isEmptySelector(spec.selector))
      causes.push(invalidValue(SPEC.child('selector'), spec.selector, 'empty selector is invalid for statefulset'));
  }
  causes.push(...claims);
  if (spec.selector && !isSelectable(spec.selector)) causes.push(invalidValue(SPEC.child('selector'), spec.selector, ''));
  else if (!spec.template) causes.push(required(SPEC.child('template')));
  else {
    if (!spec.selector || !isEmptySelector(spec.selector)) causes.push(...mismatchCauses(spec.selector, spec.template));
    causes.push(...template);
  }
  return [...causes, ...alwaysCauses(spec.template, 'StatefulSet')];
}

function setStrategyCauses(given: SetSpec['updateStrategy']): FieldCause[] {
  const path = SPEC.child('updateStrategy');
  const { type, rollingUpdate } = given ?? {};
  const rolling = path.child('rollingUpdate');
  const shown = rollingUpdate ? { Partition: rollingUpdate.partition ?? 0, MaxUnavailable: rollingUpdate.maxUnavailable ?? null } : null;
  if (!type) return [required(path)];
  if (type === 'OnDelete') return rollingUpdate ? [invalidValue(rolling, shown, "only allowed for updateStrategy 'RollingUpdate'")] : [];
  if (type !== 'RollingUpdate') return [invalidValue(path, { Type: type, RollingUpdate: shown }, "must be 'RollingUpdate' or 'OnDelete'")];
  return [
    ...nonNegative(rollingUpdate?.partition, rolling.child('partition')),
    ...setUnavailableCauses(rollingUpdate?.maxUnavailable, rolling.child('maxUnavailable')),
  ];
}

function setClaimCauses({ volumeClaimTemplates }: SetSpec): FieldCause[] {
  return (volumeClaimTemplates ?? []).flatMap(({ metadata, spec }, index) => {
    const at = SPEC.child('volumeClaimTemplates').index(index);
    const name = metadata?.name ?? '';
    return [...problems(checkDns1123Label(name), at.child('metadata', 'name'), name), ...claimSpecCauses(spec, at.child('spec'))];
  });
}

/** Containers may mount what the claims become: volumes of their names, before any that the template has. */
function setTemplateCauses({ template, volumeClaimTemplates }: SetSpec): FieldCause[] {
  if (!template) return [];
  const names = new Set((volumeClaimTemplates ?? []).map(({ metadata }) => metadata?.name ?? ''));
  if (names.size === 0 || !template.spec) return podTemplateCauses(template, SPEC.child('template'));
  const claimed = [...names].map((name) => ({ name, persistentVolumeClaim: { claimName: name } }));
  const volumes = [...(template.spec.volumes ?? []).filter(({ name }) => !names.has(name)), ...claimed];
  return podTemplateCauses({ ...template, spec: { ...template.spec, volumes } }, SPEC.child('template'));
}

/** How many Pods may be missing during an update: some, and not more than all. */
function setUnavailableCauses(value: number | string | undefined, path: FieldPath): FieldCause[] {
  if (!isSet(value)) return [];
  const causes = countOrPercentCauses(value, path);
  if (amountOf(value) === 0) causes.push(invalidValue(path, value, 'cannot be 0'));
  return [...causes, ...notOver100Percent(value, path)];
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
  // The name of the service is let be; so are templates that were wrong before.
  const unless = (check: (spec: SetSpec) => FieldCause[]) => {
    const found = check(next.spec);
    return found.length === 0 || check(previous.spec).length > 0 ? [] : found;
  };
  const causes = setSpecCauses(next.spec, { named: [], claims: unless(setClaimCauses), template: unless(setTemplateCauses) });
  if (!semanticEqual(masked, previous.spec)) {
    const names = STATEFUL_MUTABLE.map((name) => `'${name}'`);
    const list = `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
    causes.push(forbiddenField(SPEC, `updates to statefulset spec for fields other than ${list} are forbidden`));
  }
  return causes;
}

export function controllerRevisionCauses(revision: DeepReadonly<ControllerRevision>): FieldCause[] {
  const causes: FieldCause[] = isSet(revision.data) ? [] : [required(field('data'), 'data is mandatory')];
  return [...causes, ...nonNegative(revision.revision, field('revision'))];
}

export function controllerRevisionUpdateCauses(
  next: DeepReadonly<ControllerRevision>,
  previous: DeepReadonly<ControllerRevision>,
): FieldCause[] {
  return [...controllerRevisionCauses(next), ...immutableCauses(next.data, previous.data, field('data'))];
}

export function podTemplateObjectCauses({ template }: DeepReadonly<PodTemplate>): FieldCause[] {
  return podTemplateCauses(template, field('template'));
}

const STATUS = field('status');
type Counts<Name extends string> = { readonly [name in Name | 'collisionCount']?: number } | undefined;

function countCauses<Name extends string>(status: Counts<Name>, names: readonly Name[]): FieldCause[] {
  return names.flatMap((name) => nonNegative(status?.[name], STATUS.child(name)));
}

/** Counts that may not be more than that of all replicas. */
function overCauses<Name extends string>(status: Counts<Name>, names: readonly Name[], replicas: number): FieldCause[] {
  return names.flatMap((name) => {
    const value: number = status?.[name] ?? 0;
    return value > replicas ? [invalidValue(STATUS.child(name), value, 'cannot be greater than status.replicas')] : [];
  });
}

function collisionCauses(next: number | undefined, previous: number | undefined): FieldCause[] {
  const isLess = isSet(previous) && (!isSet(next) || next < previous);
  return isLess ? [invalidValue(STATUS.child('collisionCount'), next ?? 0, 'cannot be decremented')] : [];
}

const availableOver = (ready: number, available: number, than: string) =>
  available > ready ? [invalidValue(STATUS.child('availableReplicas'), available, `cannot be greater than ${than}`)] : [];

export function deploymentStatusCauses({ status }: DeepReadonly<Deployment>, previous?: DeepReadonly<Deployment>): FieldCause[] {
  const { replicas = 0, readyReplicas = 0, availableReplicas = 0 } = status ?? {};
  return [
    ...countCauses(status, [
      'observedGeneration',
      'replicas',
      'updatedReplicas',
      'readyReplicas',
      'availableReplicas',
      'unavailableReplicas',
      'terminatingReplicas',
      'collisionCount',
    ]),
    ...overCauses(status, ['updatedReplicas', 'readyReplicas', 'availableReplicas'], replicas),
    ...availableOver(readyReplicas, availableReplicas, 'readyReplicas'),
    ...collisionCauses(status?.collisionCount, previous?.status?.collisionCount),
  ];
}

/** Of ReplicaSets and ReplicationControllers, which count alike. */
export function replicaSetStatusCauses({ status }: DeepReadonly<ReplicaSet | ReplicationController>): FieldCause[] {
  const { replicas = 0, readyReplicas = 0, availableReplicas = 0 } = status ?? {};
  const names = ['fullyLabeledReplicas', 'readyReplicas', 'availableReplicas'] as const;
  return [
    ...countCauses(status as unknown as Counts<string>, ['replicas', ...names, 'observedGeneration', 'terminatingReplicas']),
    ...overCauses(status as unknown as Counts<string>, names, replicas),
    ...availableOver(readyReplicas, availableReplicas, 'readyReplicas'),
  ];
}

export function daemonSetStatusCauses({ status }: DeepReadonly<DaemonSet>, previous?: DeepReadonly<DaemonSet>): FieldCause[] {
  return [
    ...countCauses(status, [
      'currentNumberScheduled',
      'numberMisscheduled',
      'desiredNumberScheduled',
      'numberReady',
      'observedGeneration',
      'updatedNumberScheduled',
      'numberAvailable',
      'numberUnavailable',
      'collisionCount',
    ]),
    ...collisionCauses(status?.collisionCount, previous?.status?.collisionCount),
  ];
}

export function statefulSetStatusCauses({ status }: DeepReadonly<StatefulSet>, previous?: DeepReadonly<StatefulSet>): FieldCause[] {
  const { replicas = 0, readyReplicas = 0, availableReplicas = 0 } = status ?? {};
  const names = ['readyReplicas', 'currentReplicas', 'updatedReplicas', 'availableReplicas'] as const;
  return [
    ...countCauses(status, ['replicas', ...names, 'observedGeneration', 'collisionCount']),
    ...overCauses(status, names, replicas),
    ...availableOver(readyReplicas, availableReplicas, 'status.readyReplicas'),
    ...collisionCauses(status?.collisionCount, previous?.status?.collisionCount),
  ];
}
