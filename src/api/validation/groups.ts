// SPDX-License-Identifier: Apache-2.0
// Validation of RBAC, policy, scheduling, coordination, node and registration kinds.
import {
  checkDns1035Label,
  checkDns1123Label,
  checkDns1123Subdomain,
  checkPathSegmentName,
  checkQualifiedName,
  type DeepReadonly,
  duplicateValue,
  type FieldCause,
  type FieldPath,
  field,
  forbiddenField,
  invalidValue,
  notSupported,
  required,
  semanticEqual,
} from '../../machinery/mod.ts';
import type { APIService } from '../generated/apiregistration/v1.ts';
import type { Lease } from '../generated/coordination/v1.ts';
import type { RuntimeClass } from '../generated/node/v1.ts';
import type { PodDisruptionBudget } from '../generated/policy/v1.ts';
import type { ClusterRole, PolicyRule, Role, RoleBinding } from '../generated/rbac/v1.ts';
import type { PriorityClass } from '../generated/scheduling/v1.ts';
import { conditionListCauses } from './conditions.ts';
import { internalForm } from './difference.ts';
import { immutableCauses, labelCauses } from './object-meta.ts';
import { tolerationCauses } from './pod-affinity.ts';
import { overheadCauses } from './pod-resources.ts';
import {
  choiceCauses,
  countOrPercentCauses,
  isSelectable,
  isSet,
  nonNegative,
  notOver100Percent,
  problems,
  selectorCauses,
} from './rules.ts';

const SPEC = field('spec');
function ruleCauses(rule: DeepReadonly<PolicyRule>, namespaced: boolean, path: FieldPath): FieldCause[] {
  const causes: FieldCause[] = [];
  if ((rule.verbs ?? []).length === 0) causes.push(required(path.child('verbs'), 'verbs must contain at least one value'));
  const urls = rule.nonResourceURLs ?? [];
  if (urls.length > 0) {
    const at = path.child('nonResourceURLs');
    if (namespaced) causes.push(invalidValue(at, urls, 'namespaced rules cannot apply to non-resource URLs'));
    if ((rule.apiGroups ?? []).length + (rule.resources ?? []).length + (rule.resourceNames ?? []).length > 0) {
      causes.push(invalidValue(at, urls, 'rules cannot apply to both regular resources and non-resource URLs'));
    }
    return causes;
  }
  if ((rule.apiGroups ?? []).length === 0)
    causes.push(required(path.child('apiGroups'), 'resource rules must supply at least one api group'));
  if ((rule.resources ?? []).length === 0)
    causes.push(required(path.child('resources'), 'resource rules must supply at least one resource'));
  return causes;
}

export function roleCauses({ rules }: DeepReadonly<Role>): FieldCause[] {
  return (rules ?? []).flatMap((rule, index) => ruleCauses(rule, true, field('rules').index(index)));
}

export function clusterRoleCauses({ rules, aggregationRule }: DeepReadonly<ClusterRole>): FieldCause[] {
  const causes = (rules ?? []).flatMap((rule, index) => ruleCauses(rule, false, field('rules').index(index)));
  if (!aggregationRule) return causes;
  const path = field('aggregationRule', 'clusterRoleSelectors');
  const selectors = aggregationRule.clusterRoleSelectors ?? [];
  if (selectors.length === 0) return [...causes, required(path, 'at least one clusterRoleSelector required if aggregationRule is non-nil')];
  for (const [index, selector] of selectors.entries()) {
    const wrong = selectorCauses(selector, path.index(index));
    causes.push(...wrong);
    if (wrong.length > 0 || !isSelectable(selector)) causes.push(invalidValue(path.index(index), null, 'invalid label selector.'));
  }
  return causes;
}

const RBAC = 'rbac.authorization.k8s.io';

function bindingCauses(binding: DeepReadonly<RoleBinding>, kinds: readonly string[], namespaced: boolean): FieldCause[] {
  const causes: FieldCause[] = [];
  const ref = binding.roleRef;
  if (ref.apiGroup !== RBAC) causes.push(notSupported('roleRef.apiGroup', ref.apiGroup ?? '', [RBAC]));
  if (!kinds.includes(ref.kind)) causes.push(notSupported('roleRef.kind', ref.kind ?? '', kinds));
  if (!ref.name) causes.push(required('roleRef.name'));
  else causes.push(...problems(checkPathSegmentName(ref.name), field('roleRef', 'name'), ref.name));
  for (const [index, subject] of (binding.subjects ?? []).entries()) {
    const at = field('subjects').index(index);
    if (!subject.name) causes.push(required(at.child('name')));
    switch (subject.kind) {
      case 'ServiceAccount':
        if (subject.name) causes.push(...problems(checkDns1123Subdomain(subject.name), at.child('name'), subject.name));
        if (subject.apiGroup) causes.push(notSupported(at.child('apiGroup'), subject.apiGroup, ['']));
        if (!namespaced && !subject.namespace) causes.push(required(at.child('namespace')));
        break;
      case 'User':
      case 'Group':
        if (subject.apiGroup !== RBAC) causes.push(notSupported(at.child('apiGroup'), subject.apiGroup ?? '', [RBAC]));
        break;
      default:
        causes.push(notSupported(at.child('kind'), subject.kind, ['ServiceAccount', 'User', 'Group']));
    }
  }
  return causes;
}

export const roleBindingCauses = (binding: DeepReadonly<RoleBinding>) => bindingCauses(binding, ['Role', 'ClusterRole'], true);
export const clusterRoleBindingCauses = (binding: DeepReadonly<RoleBinding>) => bindingCauses(binding, ['ClusterRole'], false);

export function bindingUpdateCauses(next: DeepReadonly<RoleBinding>, previous: DeepReadonly<RoleBinding>): FieldCause[] {
  const causes = next.kind === 'RoleBinding' ? roleBindingCauses(next) : clusterRoleBindingCauses(next);
  const changed = semanticEqual(next.roleRef, previous.roleRef)
    ? []
    : [invalidValue(field('roleRef'), internalForm(next.roleRef), 'cannot change roleRef')];
  return [...causes, ...changed];
}

export function budgetCauses({ spec }: DeepReadonly<PodDisruptionBudget>): FieldCause[] {
  const causes: FieldCause[] = [];
  if (isSet(spec.minAvailable) && isSet(spec.maxUnavailable)) {
    causes.push(invalidValue(SPEC, internalForm(spec), 'minAvailable and maxUnavailable cannot be both set'));
  }
  for (const name of ['minAvailable', 'maxUnavailable'] as const) {
    causes.push(...countOrPercentCauses(spec[name], SPEC.child(name)), ...notOver100Percent(spec[name], SPEC.child(name)));
  }
  causes.push(...selectorCauses(spec.selector, SPEC.child('selector')));
  return [
    ...causes,
    ...choiceCauses(spec.unhealthyPodEvictionPolicy, ['AlwaysAllow', 'IfHealthyBudget'], SPEC.child('unhealthyPodEvictionPolicy')),
  ];
}

export function budgetStatusCauses({ status }: DeepReadonly<PodDisruptionBudget>): FieldCause[] {
  const at = field('status');
  return [
    ...conditionListCauses(status?.conditions, at.child('conditions')),
    ...(['disruptionsAllowed', 'currentHealthy', 'desiredHealthy', 'expectedPods'] as const).flatMap((name) =>
      nonNegative(status?.[name], at.child(name)),
    ),
  ];
}

const HIGHEST_USER_PRIORITY = 1_000_000_000;
const SYSTEM_PRIORITIES: Readonly<Record<string, number>> = {
  'system-node-critical': 2_000_001_000,
  'system-cluster-critical': 2_000_000_000,
};

function systemPriorityProblem(name: string, value: number, isDefault: boolean): string | undefined {
  const known = SYSTEM_PRIORITIES[name];
  if (known === undefined) return `${name} is not a known system priority class`;
  if (known !== value) return `value of ${name} PriorityClass must be ${known}`;
  return isDefault ? `globalDefault of ${name} PriorityClass must be false` : undefined;
}

export function priorityClassCauses({ metadata, value = 0, preemptionPolicy, globalDefault }: DeepReadonly<PriorityClass>): FieldCause[] {
  const name = metadata.name ?? '';
  const causes: FieldCause[] = [];
  if (name.startsWith('system-')) {
    const why = systemPriorityProblem(name, value, globalDefault === true);
    if (why !== undefined)
      causes.push(
        forbiddenField('metadata.name', `priority class names with 'system-' prefix are reserved for system use only. error: ${why}`),
      );
  } else if (value > HIGHEST_USER_PRIORITY) {
    causes.push(forbiddenField('value', `maximum allowed value of a user defined priority is ${HIGHEST_USER_PRIORITY}`));
  }
  if (preemptionPolicy && preemptionPolicy !== 'Never' && preemptionPolicy !== 'PreemptLowerPriority') {
    causes.push(notSupported('preemptionPolicy', preemptionPolicy, ['PreemptLowerPriority', 'Never']));
  }
  return causes;
}

export function priorityClassUpdateCauses(next: DeepReadonly<PriorityClass>, previous: DeepReadonly<PriorityClass>): FieldCause[] {
  return [
    ...((next.value ?? 0) === (previous.value ?? 0) ? [] : [forbiddenField('value', 'may not be changed in an update.')]),
    ...immutableCauses(next.preemptionPolicy, previous.preemptionPolicy, field('preemptionPolicy')),
  ];
}

export function leaseCauses({ spec }: DeepReadonly<Lease>): FieldCause[] {
  const seconds = spec?.leaseDurationSeconds;
  const causes: FieldCause[] = [];
  if (isSet(seconds) && seconds <= 0) causes.push(invalidValue(SPEC.child('leaseDurationSeconds'), seconds, 'must be greater than 0'));
  causes.push(...nonNegative(spec?.leaseTransitions, SPEC.child('leaseTransitions')));
  const { strategy, preferredHolder } = spec ?? {};
  if (isSet(strategy)) causes.push(...strategyCauses(strategy, SPEC.child('strategy')));
  if (preferredHolder && !strategy)
    causes.push(forbiddenField(SPEC.child('preferredHolder'), 'may only be specified if `strategy` is defined'));
  return causes;
}

const STRATEGIES = ['OldestEmulationVersion'];

/** A strategy of coordinated leader election: the known one, or one with a domain. */
function strategyCauses(strategy: string, path: FieldPath): FieldCause[] {
  if (STRATEGIES.includes(strategy)) return [];
  if (!strategy.includes('/')) return [notSupported(path, strategy, STRATEGIES)];
  return problems(checkQualifiedName(strategy), path, strategy);
}

export function runtimeClassCauses({ handler, overhead, scheduling }: DeepReadonly<RuntimeClass>): FieldCause[] {
  const causes = handler ? problems(checkDns1123Label(handler), field('handler'), handler) : [required('handler')];
  causes.push(...overheadCauses(overhead?.podFixed, field('overhead')));
  if (!scheduling) return causes;
  causes.push(...labelCauses(scheduling.nodeSelector, field('scheduling', 'nodeSelector')));
  return [...causes, ...tolerationListCauses(scheduling.tolerations, field('scheduling', 'tolerations'))];
}

/** Tolerations as Pods have them, none of them twice. */
function tolerationListCauses(
  tolerations: NonNullable<DeepReadonly<RuntimeClass>['scheduling']>['tolerations'],
  path: FieldPath,
): FieldCause[] {
  const list = tolerations ?? [];
  return list.flatMap((toleration, index) => {
    const causes = tolerationCauses(list.slice(0, index + 1), path).filter(({ field: at }) => at.startsWith(`${path.index(index)}`));
    const isRepeated = list.some((it, other) => other < index && semanticEqual(it, toleration));
    return isRepeated ? [...causes, duplicateValue(path.index(index), internalForm(toleration))] : causes;
  });
}

export function runtimeClassUpdateCauses(next: DeepReadonly<RuntimeClass>, previous: DeepReadonly<RuntimeClass>): FieldCause[] {
  return immutableCauses(next.handler, previous.handler, field('handler'));
}

export function apiServiceCauses({ metadata, spec }: DeepReadonly<APIService>): FieldCause[] {
  const causes: FieldCause[] = [];
  const name = `${spec.version ?? ''}.${spec.group ?? ''}`;
  if (metadata.name !== name)
    causes.push(invalidValue('metadata.name', metadata.name, `must be \`spec.version+"."+spec.group\`: ${JSON.stringify(name)}`));
  if (!spec.group && spec.version !== 'v1')
    causes.push(required(SPEC.child('group'), 'only v1 may have an empty group and it better be legacy kube'));
  if (spec.group) causes.push(...problems(checkDns1123Subdomain(spec.group), SPEC.child('group'), spec.group));
  causes.push(...problems(checkDns1035Label(spec.version ?? ''), SPEC.child('version'), spec.version ?? ''));
  const [group, version] = [spec.groupPriorityMinimum ?? 0, spec.versionPriority ?? 0];
  if (group <= 0 || group > 20_000)
    causes.push(invalidValue(SPEC.child('groupPriorityMinimum'), group, 'must be positive and less than 20000'));
  if (version <= 0 || version > 1000)
    causes.push(invalidValue(SPEC.child('versionPriority'), version, 'must be positive and less than 1000'));
  if (!spec.service) {
    if (spec.caBundle)
      causes.push(
        invalidValue(
          SPEC.child('caBundle'),
          `${Buffer.byteLength(spec.caBundle, 'base64')} bytes`,
          'local APIServices may not have a caBundle',
        ),
      );
    if (spec.insecureSkipTLSVerify)
      causes.push(invalidValue(SPEC.child('insecureSkipTLSVerify'), true, 'local APIServices may not have insecureSkipTLSVerify'));
    return causes;
  }
  for (const key of ['namespace', 'name'] as const) if (!spec.service[key]) causes.push(required(SPEC.child('service', key)));
  const port = spec.service.port ?? 443;
  if (port < 1 || port > 65_535)
    causes.push(invalidValue(SPEC.child('service', 'port'), port, 'port is not valid: must be between 1 and 65535, inclusive'));
  if (spec.insecureSkipTLSVerify && spec.caBundle)
    causes.push(invalidValue(SPEC.child('insecureSkipTLSVerify'), true, 'may not be true if caBundle is present'));
  return causes;
}
