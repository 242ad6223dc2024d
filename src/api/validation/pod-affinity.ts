// SPDX-License-Identifier: Apache-2.0
// Validation of where a Pod may run: node and Pod affinity, topology spread, tolerations.
import {
  checkDns1123Label,
  checkDns1123Subdomain,
  checkLabelValue,
  checkQualifiedName,
  type DeepReadonly,
  duplicateValue,
  type FieldCause,
  type FieldPath,
  forbiddenField,
  invalidValue,
  notSupported,
  required,
} from '../../machinery/mod.ts';
import type {
  Affinity,
  NodeSelector,
  NodeSelectorRequirement,
  NodeSelectorTerm,
  PodAffinity,
  PodAffinityTerm,
  PodSpec,
  Toleration,
  TopologySpreadConstraint,
} from '../generated/core/v1.ts';
import { choiceCauses, enumCauses, problems, selectorCauses } from './rules.ts';

/** @param hasLabels Whether values have to be those of labels: of preferences, they never had to. */
function requirementCauses(requirement: DeepReadonly<NodeSelectorRequirement>, path: FieldPath, hasLabels: boolean): FieldCause[] {
  const causes: FieldCause[] = [];
  const values = requirement.values ?? [];
  switch (requirement.operator) {
    case 'In':
    case 'NotIn':
      if (values.length === 0) causes.push(required(path.child('values'), `must be specified when \`operator\` is 'In' or 'NotIn'`));
      break;
    case 'Exists':
    case 'DoesNotExist':
      if (values.length > 0)
        causes.push(forbiddenField(path.child('values'), `may not be specified when \`operator\` is 'Exists' or 'DoesNotExist'`));
      break;
    case 'Gt':
    case 'Lt':
      if (values.length !== 1)
        causes.push(required(path.child('values'), `must be specified single value when \`operator\` is 'Lt' or 'Gt'`));
      break;
    default:
      causes.push(invalidValue(path.child('operator'), requirement.operator, 'not a valid selector operator'));
  }
  causes.push(...problems(checkQualifiedName(requirement.key), path.child('key'), requirement.key));
  if (!hasLabels) return causes;
  for (const [index, value] of values.entries()) causes.push(...problems(checkLabelValue(value), path.child('values').index(index), value));
  return causes;
}

function fieldRequirementCauses(requirement: DeepReadonly<NodeSelectorRequirement>, path: FieldPath): FieldCause[] {
  const causes: FieldCause[] = [];
  const values = requirement.values ?? [];
  if (requirement.operator === 'In' || requirement.operator === 'NotIn') {
    if (values.length !== 1)
      causes.push(required(path.child('values'), `must be only one value when \`operator\` is 'In' or 'NotIn' for node field selector`));
  } else {
    causes.push(invalidValue(path.child('operator'), requirement.operator, 'not a valid selector operator'));
  }
  if (requirement.key !== 'metadata.name')
    return [...causes, invalidValue(path.child('key'), requirement.key, 'not a valid field selector key')];
  for (const [index, value] of values.entries())
    causes.push(...problems(checkDns1123Subdomain(value), path.child('values').index(index), value));
  return causes;
}

function termCauses(term: DeepReadonly<NodeSelectorTerm>, path: FieldPath, hasLabels: boolean): FieldCause[] {
  return [
    ...(term.matchExpressions ?? []).flatMap((it, index) => requirementCauses(it, path.child('matchExpressions').index(index), hasLabels)),
    ...(term.matchFields ?? []).flatMap((it, index) => fieldRequirementCauses(it, path.child('matchFields').index(index))),
  ];
}

export function nodeSelectorCauses(selector: DeepReadonly<NodeSelector> | undefined, path: FieldPath): FieldCause[] {
  if (!selector) return [];
  const at = path.child('nodeSelectorTerms');
  if ((selector.nodeSelectorTerms ?? []).length === 0) return [required(at, 'must have at least one node selector term')];
  return selector.nodeSelectorTerms.flatMap((term, index) => termCauses(term, at.index(index), true));
}

const weightCauses = (weight: number | undefined, path: FieldPath) =>
  (weight ?? 0) < 1 || (weight ?? 0) > 100 ? [invalidValue(path.child('weight'), weight ?? 0, 'must be in the range 1-100')] : [];

function podTermCauses(term: DeepReadonly<PodAffinityTerm>, path: FieldPath): FieldCause[] {
  const causes = [
    ...selectorCauses(term.labelSelector, path.child('labelSelector')),
    ...selectorCauses(term.namespaceSelector, path.child('namespaceSelector')),
  ];
  for (const name of term.namespaces ?? []) causes.push(...problems(checkDns1123Label(name), path.child('namespace'), name));
  causes.push(...keyListCauses(term, path));
  if (!term.topologyKey) causes.push(required(path.child('topologyKey'), 'can not be empty'));
  return [...causes, ...problems(checkQualifiedName(term.topologyKey ?? ''), path.child('topologyKey'), term.topologyKey ?? '')];
}

function keyListCauses(term: DeepReadonly<PodAffinityTerm>, path: FieldPath): FieldCause[] {
  const causes: FieldCause[] = [];
  const lists = [
    ['matchLabelKeys', term.matchLabelKeys ?? []],
    ['mismatchLabelKeys', term.mismatchLabelKeys ?? []],
  ] as const;
  for (const [name, keys] of lists) {
    if (keys.length > 0 && !term.labelSelector)
      causes.push(forbiddenField(path.child(name), 'must not be specified when labelSelector is not set'));
    else for (const [index, key] of keys.entries()) causes.push(...problems(checkQualifiedName(key), path.child(name).index(index), key));
  }
  if (term.matchLabelKeys?.length && term.labelSelector) causes.push(...namedTwiceCauses(term, path));
  for (const [index, key] of (term.matchLabelKeys ?? []).entries()) {
    if (term.mismatchLabelKeys?.includes(key)) {
      causes.push(invalidValue(path.child('matchLabelKeys').index(index), key, 'exists in both matchLabelKeys and mismatchLabelKeys'));
    }
  }
  return causes;
}

/** By now the selector has an expression for each of the keys: another one for the same key is the user's. */
function namedTwiceCauses({ matchLabelKeys, labelSelector }: DeepReadonly<PodAffinityTerm>, path: FieldPath): FieldCause[] {
  const seen = new Set(Object.keys(labelSelector?.matchLabels ?? {}));
  return (labelSelector?.matchExpressions ?? []).flatMap(({ key }) => {
    const index = seen.has(key) ? (matchLabelKeys?.lastIndexOf(key) ?? -1) : -1;
    seen.add(key);
    return index < 0 ? [] : [invalidValue(path.index(index), key, 'exists in both matchLabelKeys and labelSelector')];
  });
}

function podAffinityCauses(affinity: DeepReadonly<PodAffinity> | undefined, path: FieldPath): FieldCause[] {
  if (!affinity) return [];
  const [hard, soft] = ['requiredDuringSchedulingIgnoredDuringExecution', 'preferredDuringSchedulingIgnoredDuringExecution'] as const;
  return [
    ...(affinity[hard] ?? []).flatMap((term, index) => podTermCauses(term, path.child(hard).index(index))),
    ...(affinity[soft] ?? []).flatMap(({ weight, podAffinityTerm }, index) => {
      const at = path.child(soft).index(index);
      return [...weightCauses(weight, at), ...podTermCauses(podAffinityTerm, at.child('podAffinityTerm'))];
    }),
  ];
}

export function affinityCauses(affinity: DeepReadonly<Affinity> | undefined, path: FieldPath): FieldCause[] {
  if (!affinity) return [];
  const node = path.child('nodeAffinity');
  return [
    ...nodeSelectorCauses(
      affinity.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution,
      node.child('requiredDuringSchedulingIgnoredDuringExecution'),
    ),
    ...(affinity.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []).flatMap(({ weight, preference }, index) => {
      const at = node.child('preferredDuringSchedulingIgnoredDuringExecution').index(index);
      return [...weightCauses(weight, at), ...termCauses(preference, at.child('preference'), false)];
    }),
    ...podAffinityCauses(affinity.podAffinity, path.child('podAffinity')),
    ...podAffinityCauses(affinity.podAntiAffinity, path.child('podAntiAffinity')),
  ];
}

export function tolerationCauses(tolerations: readonly DeepReadonly<Toleration>[] | undefined, path: FieldPath): FieldCause[] {
  const causes: FieldCause[] = [];
  for (const [index, toleration] of (tolerations ?? []).entries()) {
    const at = path.index(index);
    if (toleration.key) causes.push(...problems(checkQualifiedName(toleration.key), at.child('key'), toleration.key));
    if (!toleration.key && toleration.operator !== 'Exists') {
      causes.push(
        invalidValue(
          at.child('operator'),
          toleration.operator ?? '',
          'operator must be Exists when `key` is empty, which means "match all values and all keys"',
        ),
      );
    }
    if (toleration.tolerationSeconds !== undefined && toleration.tolerationSeconds !== null && toleration.effect !== 'NoExecute') {
      causes.push(invalidValue(at.child('effect'), toleration.effect ?? '', "effect must be 'NoExecute' when `tolerationSeconds` is set"));
    }
    switch (toleration.operator ?? '') {
      case 'Equal':
      case '':
        if (checkLabelValue(toleration.value ?? '').length > 0)
          causes.push(invalidValue(at.child('operator'), toleration.value, checkLabelValue(toleration.value ?? '').join(';')));
        break;
      case 'Exists':
        if (toleration.value)
          causes.push(invalidValue(at.child('operator'), toleration.value, "value must be empty when `operator` is 'Exists'"));
        break;
      default:
        causes.push(notSupported(at.child('operator'), toleration.operator, ['Equal', 'Exists']));
    }
    if (toleration.effect)
      causes.push(...enumCauses(toleration.effect, ['NoSchedule', 'PreferNoSchedule', 'NoExecute'], at.child('effect')));
  }
  return causes;
}

export function spreadCauses({ topologySpreadConstraints }: DeepReadonly<PodSpec>, path: FieldPath): FieldCause[] {
  const causes: FieldCause[] = [];
  const all = topologySpreadConstraints ?? [];
  for (const [index, constraint] of all.entries()) {
    const at = path.index(index);
    if ((constraint.maxSkew ?? 0) <= 0)
      causes.push(invalidValue(at.child('maxSkew'), constraint.maxSkew ?? 0, 'must be greater than zero'));
    if (!constraint.topologyKey) causes.push(required(at.child('topologyKey'), 'can not be empty'));
    const action = constraint.whenUnsatisfiable ?? '';
    if (action !== 'DoNotSchedule' && action !== 'ScheduleAnyway') {
      causes.push(notSupported(at.child('whenUnsatisfiable'), action, ['DoNotSchedule', 'ScheduleAnyway']));
    }
    const isRepeated = all.some(
      (it, other) => other > index && it.topologyKey === constraint.topologyKey && (it.whenUnsatisfiable ?? '') === action,
    );
    if (isRepeated) causes.push(duplicateValue(at.child('{topologyKey, whenUnsatisfiable}'), `{${constraint.topologyKey}, ${action}}`));
    if (constraint.minDomains !== undefined && constraint.minDomains !== null) {
      if (constraint.minDomains <= 0) causes.push(invalidValue(at.child('minDomains'), constraint.minDomains, 'must be greater than zero'));
      if (action !== 'DoNotSchedule') {
        const why = `can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ${action}`;
        causes.push(invalidValue(at.child('minDomains'), constraint.minDomains, why));
      }
    }
    for (const name of ['nodeAffinityPolicy', 'nodeTaintsPolicy'] as const)
      causes.push(...choiceCauses(constraint[name], ['Honor', 'Ignore'], at.child(name)));
    causes.push(...spreadKeyCauses(constraint, at.child('matchLabelKeys')));
    causes.push(...selectorCauses(constraint.labelSelector, at.child('labelSelector')));
  }
  return causes;
}

/** Keys whose values come from the Pod's own labels: not those that the selector names itself. */
function spreadKeyCauses({ matchLabelKeys, labelSelector }: DeepReadonly<TopologySpreadConstraint>, path: FieldPath): FieldCause[] {
  if (!matchLabelKeys?.length) return [];
  const none = labelSelector ? [] : [forbiddenField(path, 'must not be specified when labelSelector is not set')];
  const named = (key: string) =>
    labelSelector?.matchLabels?.[key] !== undefined ||
    // The server itself adds `key In [value]`.
    labelSelector?.matchExpressions?.some((it) => it.key === key && !(it.operator === 'In' && it.values?.length === 1)) === true;
  const own = matchLabelKeys.flatMap((key, index) => {
    const causes = problems(checkQualifiedName(key), path.index(index), key);
    if (named(key)) causes.push(invalidValue(path.index(index), key, 'exists in both matchLabelKeys and labelSelector'));
    return causes;
  });
  return [...none, ...own];
}
