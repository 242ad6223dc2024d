// SPDX-License-Identifier: Apache-2.0
// Validation of every built-in kind, by group and kind of the storage version: `validateObject` on create,
// `validateObjectUpdate` for PUT and PATCH of the object or of one of its subresources. Answers are causes in upstream's order.
import type { DeepReadonly, FieldCause, KubeObject } from '../../machinery/mod.ts';
import { findResourceOfKind } from '../scheme.ts';
import { VALIDATORS } from './kinds.ts';
import { hasFreeFinalizers, isMetaLate, metaUpdateCauses, timesOfUpdate } from './meta-update.ts';
import { nameRuleOf } from './names.ts';
import { validateObjectMeta } from './object-meta.ts';

export type ValidatedKind = { readonly group: string; readonly version: string; readonly kind: string };
type AnyObject = DeepReadonly<KubeObject>;

export { internalForm } from './difference.ts';
export { nameRuleOf } from './names.ts';
export { validateObjectMeta, validateObjectMetaUpdate } from './object-meta.ts';
export { objectWarnings } from './object-warnings.ts';
export { qosClassOf } from './pod-qos.ts';
export { podResizeCauses } from './pod-resize.ts';
export { podStatusCauses } from './pod-status-update.ts';
export { ephemeralContainersCauses, podUpdateCauses } from './pod-update.ts';
export { podWarnings } from './pod-warnings.ts';
export { matchConstraintsCauses, paramKindCauses } from './policies.ts';
export { clusterIpCauses } from './services.ts';
export { warningsOf } from './warnings.ts';
export { sameMatchConditions } from './webhooks.ts';

/** Everything wrong with a new object. */
export function validateObject(of: ValidatedKind, object: AnyObject): FieldCause[] {
  const namespaced = findResourceOfKind(of)?.namespaced ?? false;
  const own = VALIDATORS[`${of.group}/${of.kind}`]?.create;
  const isLate = isMetaLate(of);
  const early = isLate ? (own?.(object as never) ?? []) : [];
  if (early.length > 0) return early;
  const causes = validateObjectMeta(object.metadata, { namespaced, nameRule: nameRuleOf(of), standardFinalizers: !hasFreeFinalizers(of) });
  return isLate || own === undefined ? causes : [...causes, ...own(object as never)];
}

/** Everything wrong with a change. `subresource` is '' for the object itself. */
export function validateObjectUpdate(of: ValidatedKind, next: AnyObject, previous: AnyObject, subresource: string): FieldCause[] {
  const validator = VALIDATORS[`${of.group}/${of.kind}`];
  const causes = metaUpdateCauses(of, next, previous, timesOfUpdate(of, subresource));
  if (subresource !== '') return [...causes, ...(validator?.subresources?.[subresource]?.(next as never, previous as never) ?? [])];
  const own = validator?.update?.(next as never, previous as never);
  return [...causes, ...(own ?? validator?.create?.(next as never) ?? [])];
}
export { webhookServiceCauses, webhookUrlCauses } from './webhooks.ts';
