// SPDX-License-Identifier: Apache-2.0
// Validation of every built-in kind, by group and kind of the storage version: `validateObject` on create,
// `validateObjectUpdate` for PUT and PATCH of the object or of one of its subresources. Answers are causes in upstream's order.
import type { DeepReadonly, FieldCause, KubeObject } from '../../machinery/mod.ts';
import { findResourceOfKind } from '../scheme.ts';
import { VALIDATORS } from './kinds.ts';
import { nameRuleOf } from './names.ts';
import { validateObjectMeta, validateObjectMetaUpdate } from './object-meta.ts';

export type ValidatedKind = { readonly group: string; readonly version: string; readonly kind: string };
type AnyObject = DeepReadonly<KubeObject>;

export { internalForm } from './difference.ts';
export { nameRuleOf } from './names.ts';
export { validateObjectMeta, validateObjectMetaUpdate } from './object-meta.ts';
export { qosClassOf } from './pod-qos.ts';
export { ephemeralContainersCauses, podResizeCauses, podStatusCauses, podUpdateCauses } from './pod-update.ts';
export { podWarnings } from './pod-warnings.ts';
export { matchConstraintsCauses, paramKindCauses } from './policies.ts';
export { serviceFamilyCauses } from './service-families.ts';
export { warningsOf } from './warnings.ts';
export { sameMatchConditions } from './webhooks.ts';

/** Groups that take any qualified name as a finalizer. */
const FREE_FINALIZERS = new Set(['coordination.k8s.io', 'apiextensions.k8s.io', 'apiregistration.k8s.io']);

/** Everything wrong with a new object. */
export function validateObject(of: ValidatedKind, object: AnyObject): FieldCause[] {
  const namespaced = findResourceOfKind(of)?.namespaced ?? false;
  const validator = VALIDATORS[`${of.group}/${of.kind}`];
  const causes = validateObjectMeta(object.metadata, {
    namespaced,
    nameRule: nameRuleOf(of),
    standardFinalizers: !FREE_FINALIZERS.has(of.group),
  });
  return [...causes, ...(validator?.create?.(object as never) ?? [])];
}

/** Everything wrong with a change. `subresource` is '' for the object itself. */
export function validateObjectUpdate(of: ValidatedKind, next: AnyObject, previous: AnyObject, subresource: string): FieldCause[] {
  const validator = VALIDATORS[`${of.group}/${of.kind}`];
  const found = validateObjectMetaUpdate(next.metadata, previous.metadata);
  // Upstream checks metadata twice: for all kinds, and again for each kind. The causes list shows it, the message does not.
  const causes = [...found, ...found];
  if (subresource !== '') return [...causes, ...(validator?.subresources?.[subresource]?.(next as never, previous as never) ?? [])];
  const own = validator?.update?.(next as never, previous as never);
  return [...causes, ...(own ?? validator?.create?.(next as never) ?? [])];
}
