// SPDX-License-Identifier: Apache-2.0
// Validation of Nodes: taints, the Pod networks they have, what they say they hold. The status is checked wherever it is written.
// @source upstream pkg/apis/core/validation/validation.go ValidateNode, ValidateNodeUpdate
import {
  checkLabelValue,
  checkQualifiedName,
  type DeepReadonly,
  duplicateValue,
  type FieldCause,
  type FieldPath,
  field,
  forbiddenField,
  internalField,
  invalidValue,
  quote,
} from '../../machinery/mod.ts';
import type { Node, Taint } from '../generated/core/v1.ts';
import { annotatedNodeCauses } from './annotated-values.ts';
import { internalForm } from './difference.ts';
import { cidrProblems } from './ip.ts';
import { amountCauses } from './pod-resources.ts';
import { enumCauses, problems, sortedEntries } from './rules.ts';

const SPEC = field('spec');
const TAINTS = field('metadata', 'taints');
const EFFECTS = ['NoSchedule', 'PreferNoSchedule', 'NoExecute'];

function taintCauses(taints: readonly DeepReadonly<Taint>[] | undefined, path = TAINTS): FieldCause[] {
  const seen = new Set<string>();
  return (taints ?? []).flatMap((taint, index) => {
    const at = path.index(index);
    const wrong = checkLabelValue(taint.value ?? '');
    const key = `${taint.key}:${taint.effect}`;
    const causes = [
      ...problems(checkQualifiedName(taint.key), at.child('key'), taint.key),
      ...(wrong.length > 0 ? [invalidValue(at.child('value'), taint.value, wrong.join(';'))] : []),
      ...enumCauses(taint.effect, EFFECTS, at.child('effect'), true),
      ...(seen.has(key) ? [repeatedTaint(taint, at)] : []),
    ];
    seen.add(key);
    return causes;
  });
}

function repeatedTaint(taint: DeepReadonly<Taint>, at: FieldPath): FieldCause {
  const cause = duplicateValue(at, internalForm(taint));
  return { ...cause, message: `${cause.message}: taints must be unique by key and effect pair` };
}

function resourceCauses({ status }: DeepReadonly<Node>): FieldCause[] {
  return (['capacity', 'allocatable'] as const).flatMap((part) =>
    sortedEntries(status?.[part]).flatMap(([name, value]) => amountCauses(name, value, field('status', part, name))),
  );
}

const FEATURE = /^[A-Z][a-zA-Z0-9]*(\/[a-zA-Z][a-zA-Z0-9]*)*$/;
const FEATURE_RULE =
  "must start with an UpperCamelCase segment, with subsequent segments separated by '/' (e.g., MyFeature or MyFeature/mySubFeature), and contain only alphanumeric characters and slashes";
const LONGEST_FEATURE = 253;

/** Names of features, in their order, each once. */
function featureCauses({ status }: DeepReadonly<Node>): FieldCause[] {
  const path = field('status', 'declaredFeatures');
  const names = status?.declaredFeatures ?? [];
  return names.flatMap((name, index) => {
    const causes: FieldCause[] = [];
    const rule = name.length > LONGEST_FEATURE ? `must be no more than ${LONGEST_FEATURE} characters` : FEATURE_RULE;
    if (rule !== FEATURE_RULE || !FEATURE.test(name))
      causes.push(invalidValue(path.index(index), name, `invalid feature name ${quote(name)}: ${rule}`));
    const next = names[index + 1];
    if (next === name) causes.push(duplicateValue(path.index(index + 1), next));
    else if (next !== undefined && next < name)
      causes.push(invalidValue(path.index(index + 1), next, 'list must be sorted alphabetically'));
    return causes;
  });
}

/** Upstream says `metadata` here, too. */
function swapCauses({ status }: DeepReadonly<Node>): FieldCause[] {
  const capacity = status?.nodeInfo?.swap?.capacity;
  if (capacity === undefined || capacity === null || capacity > 0) return [];
  return [invalidValue(field('metadata', 'nodeSwapStatus', 'capacity'), capacity, 'must be greater than zero')];
}

function networkCauses({ spec }: DeepReadonly<Node>): FieldCause[] {
  const cidrs = spec?.podCIDRs ?? [];
  const path = SPEC.child('podCIDRs');
  const causes = cidrs.flatMap((cidr, index) => problems(cidrProblems(cidr), path.index(index), cidr));
  if (cidrs.length < 2) return causes;
  const wrong = cidrs.findIndex((cidr) => cidrProblems(cidr).length > 0);
  if (wrong >= 0) {
    const why = `invalid CIDR[${wrong}]: <nil> (invalid CIDR address: ${cidrs[wrong]})`;
    causes.push(internalField(path, `invalid PodCIDRs. failed to check with dual stack with error:${why}`));
  }
  const families = new Set(cidrs.map((cidr) => cidr.includes(':')));
  if (wrong >= 0 || cidrs.length > 2 || families.size < 2)
    causes.push(invalidValue(path, cidrs, 'may specify no more than one CIDR for each IP family'));
  return causes;
}

const annotationCauses = ({ metadata }: DeepReadonly<Node>) =>
  annotatedNodeCauses(metadata.annotations, field('metadata', 'annotations'), taintCauses);

export function nodeCauses(node: DeepReadonly<Node>): FieldCause[] {
  return [
    ...annotationCauses(node),
    ...taintCauses(node.spec?.taints),
    ...resourceCauses(node),
    ...swapCauses(node),
    ...featureCauses(node),
    ...networkCauses(node),
  ];
}

/** Each address of a node once. */
function addressCauses({ status }: DeepReadonly<Node>): FieldCause[] {
  const seen = new Set<string>();
  return (status?.addresses ?? []).flatMap(({ type, address }, index) => {
    const key = `${type}/${address}`;
    const isRepeated = seen.has(key);
    seen.add(key);
    return isRepeated ? [duplicateValue(field('status', 'addresses').index(index), internalForm({ type, address }))] : [];
  });
}

/** What is given once stays: the networks of Pods, the name that the provider has for the node. */
function frozenCauses({ spec: now = {} }: DeepReadonly<Node>, { spec: old = {} }: DeepReadonly<Node>): FieldCause[] {
  const causes: FieldCause[] = [];
  const [cidrs, before] = [now.podCIDRs ?? [], old.podCIDRs ?? []];
  const changed =
    cidrs.length === before.length ? before.filter((cidr, index) => cidr !== cidrs[index]).length : Math.min(1, before.length);
  for (let count = 0; count < changed; count++)
    causes.push(forbiddenField(SPEC.child('podCIDRs'), 'node updates may not change podCIDR except from "" to valid'));
  if (old.providerID && now.providerID !== old.providerID)
    causes.push(forbiddenField(SPEC.child('providerID'), 'node updates may not change providerID except from "" to valid'));
  causes.push(...taintCauses(now.taints));
  if ((now.externalID ?? '') !== (old.externalID ?? '')) causes.push(forbiddenField(SPEC.child('externalID'), 'may not be updated'));
  return causes;
}

/** PUT and PATCH of `status`. */
export function nodeStatusCauses(next: DeepReadonly<Node>, previous: DeepReadonly<Node>): FieldCause[] {
  return [
    ...annotationCauses(next),
    ...resourceCauses(next),
    ...featureCauses(next),
    ...addressCauses(next),
    ...frozenCauses(next, previous),
  ];
}

/** PUT and PATCH of the node: as a new one, and as a changed one. */
export function nodeUpdateCauses(next: DeepReadonly<Node>, previous: DeepReadonly<Node>): FieldCause[] {
  return [...nodeCauses(next), ...nodeStatusCauses(next, previous)];
}
