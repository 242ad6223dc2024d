// SPDX-License-Identifier: Apache-2.0
// What a review has to look like: reviews have no metadata, ask exactly one question, and name somebody.
// @source upstream pkg/apis/authorization/validation, pkg/apis/authentication/validation

import type { SubjectAccessReview } from '#api/authorization/v1';
import { type FieldCause, invalid, type ObjectMeta } from '#machinery';

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
    ...selectorCauses(resource?.fieldSelector, 'spec.resourceAttributes.fieldSelector'),
    ...selectorCauses(resource?.labelSelector, 'spec.resourceAttributes.labelSelector'),
  ];
}

interface SelectorAttributes {
  readonly rawSelector?: string;
  readonly requirements?: readonly { readonly key: string; readonly operator: string; readonly values?: readonly string[] }[];
}

function selectorCauses(selector: SelectorAttributes | undefined, field: string): FieldCause[] {
  if (selector === undefined) return [];
  const { rawSelector = '', requirements = [] } = selector;
  if (rawSelector !== '' && requirements.length > 0)
    return [wrong(`${field}.rawSelector`, rawSelector, 'may not specified at the same time as requirements')];
  if (rawSelector !== '' || requirements.length > 0) return [];
  const message = `Required value: when ${field} is specified, requirements or rawSelector is required`;
  return [{ reason: 'FieldValueRequired', field: `${field}.requirements`, message }];
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
