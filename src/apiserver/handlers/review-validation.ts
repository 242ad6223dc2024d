// SPDX-License-Identifier: Apache-2.0
// What a review has to look like: reviews have no metadata, ask exactly one question, and name somebody.
// @source upstream pkg/apis/authorization/validation, pkg/apis/authentication/validation

import type { SubjectAccessReview } from '#api/authorization/v1';
import { checkLabelValue, checkQualifiedName, type FieldCause, invalid, type ObjectMeta } from '#machinery';

export type AccessReviewKind = 'SubjectAccessReview' | 'SelfSubjectAccessReview' | 'LocalSubjectAccessReview';

/** @throws {ApiError} 422 */
export function checkAccessReview(review: SubjectAccessReview, kind: AccessReviewKind, namespace: string): void {
  const causes = [
    ...specCauses(review.spec, kind === 'SelfSubjectAccessReview'),
    ...metadataCauses(review.metadata, kind === 'LocalSubjectAccessReview'),
  ];
  if (kind === 'LocalSubjectAccessReview') causes.push(...localCauses(review.spec, namespace));
  if (causes.length > 0) throw invalid({ group: 'authorization.k8s.io', kind: '' }, '', causes);
}

/** @throws {ApiError} 422 */
export function checkEmptyMetadata(metadata: ObjectMeta, group: string): void {
  const causes = metadataCauses(metadata, false);
  if (causes.length > 0) throw invalid({ group, kind: '' }, '', causes);
}

function wrong(field: string, value: unknown, why: string): FieldCause {
  return { reason: 'FieldValueInvalid', field, message: `Invalid value: ${JSON.stringify(value ?? null)}: ${why}` };
}

function specCauses(spec: SubjectAccessReview['spec'], isSelf: boolean): FieldCause[] {
  const { resourceAttributes: resource, nonResourceAttributes: path } = spec;
  const causes: FieldCause[] = [];
  if (resource !== undefined && path !== undefined) {
    const shown = { Path: path.path ?? '', Verb: path.verb ?? '' };
    causes.push(wrong('spec.nonResourceAttributes', shown, 'cannot be specified in combination with resourceAttributes'));
  }
  if (resource === undefined && path === undefined) {
    causes.push(wrong('spec.resourceAttributes', null, 'exactly one of nonResourceAttributes or resourceAttributes must be specified'));
  }
  if (!isSelf && !spec.user && (spec.groups?.length ?? 0) === 0)
    causes.push(wrong('spec.user', spec.user ?? '', 'at least one of user or group must be specified'));
  return [
    ...causes,
    ...selectorCauses(resource?.fieldSelector, 'spec.resourceAttributes.fieldSelector', fieldKeyCauses),
    ...selectorCauses(resource?.labelSelector, 'spec.resourceAttributes.labelSelector', labelCauses),
  ];
}

interface Requirement {
  readonly key?: string;
  readonly operator?: string;
  readonly values?: readonly string[];
}

interface SelectorAttributes {
  readonly rawSelector?: string;
  readonly requirements?: readonly Requirement[];
}

type KeyCauses = (requirement: Requirement, field: string) => FieldCause[];

/** Operators that are not known are another, newer client's matter. */
function requirementCauses({ operator, values = [] }: Requirement, field: string): FieldCause[] {
  const at = `${field}.values`;
  if ((operator === 'In' || operator === 'NotIn') && values.length === 0)
    return [missing(at, "must be specified when `operator` is 'In' or 'NotIn'")];
  if ((operator === 'Exists' || operator === 'DoesNotExist') && values.length > 0) {
    const message = "Forbidden: may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
    return [{ reason: 'FieldValueForbidden', field: at, message }];
  }
  return [];
}

const missing = (field: string, why: string): FieldCause => ({ reason: 'FieldValueRequired', field, message: `Required value: ${why}` });

const fieldKeyCauses: KeyCauses = (requirement, field) => [
  ...(requirement.key ? [] : [missing(`${field}.key`, 'must be specified')]),
  ...requirementCauses(requirement, field),
];

const labelCauses: KeyCauses = (requirement, field) => [
  ...requirementCauses(requirement, field),
  ...checkQualifiedName(requirement.key ?? '').map((why) => wrong(`${field}.key`, requirement.key ?? '', why)),
  ...(requirement.values ?? []).flatMap((value, index) =>
    checkLabelValue(value).map((why) => wrong(`${field}.values[${index}]`, value, why)),
  ),
];

function selectorCauses(selector: SelectorAttributes | undefined, field: string, causesOf: KeyCauses): FieldCause[] {
  if (selector === undefined) return [];
  const { rawSelector = '', requirements = [] } = selector;
  const all = () => requirements.flatMap((requirement, index) => causesOf(requirement, `${field}.requirements[${index}]`));
  if (rawSelector !== '' && requirements.length > 0)
    return [wrong(`${field}.rawSelector`, rawSelector, 'may not specified at the same time as requirements'), ...all()];
  if (rawSelector !== '' || requirements.length > 0) return all();
  return [missing(`${field}.requirements`, `when ${field} is specified, requirements or rawSelector is required`)];
}

function metadataCauses(metadata: ObjectMeta, mayHaveNamespace: boolean): FieldCause[] {
  const { managedFields: _managed, namespace, ...rest } = metadata as Partial<ObjectMeta>;
  const others = Object.entries(rest).filter(
    ([name, value]) => value !== undefined && value !== null && value !== '' && name !== 'creationTimestamp',
  );
  if (others.length === 0 && (mayHaveNamespace || !namespace)) return [];
  const why = mayHaveNamespace ? 'must be empty except for namespace' : 'must be empty';
  return [wrong('metadata', metadata, why)];
}

function localCauses({ resourceAttributes, nonResourceAttributes }: SubjectAccessReview['spec'], namespace: string): FieldCause[] {
  const causes: FieldCause[] = [];
  if (resourceAttributes !== undefined && resourceAttributes.namespace !== namespace) {
    causes.push(wrong('spec.resourceAttributes.namespace', resourceAttributes.namespace ?? '', 'must match metadata.namespace'));
  }
  if (nonResourceAttributes !== undefined)
    causes.push(wrong('spec.nonResourceAttributes', nonResourceAttributes, 'disallowed on this kind of request'));
  return causes;
}
