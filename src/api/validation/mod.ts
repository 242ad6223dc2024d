// SPDX-License-Identifier: Apache-2.0
// Validation of every built-in kind, by group and kind of the storage version: `validateObject` on create,
// `validateObjectUpdate` for PUT and PATCH of the object or of one of its subresources. Answers are causes in upstream's order.
import type { DeepReadonly, FieldCause, KubeObject } from '../../machinery/mod.ts';
import { VALIDATORS } from './kinds.ts';
import { lateMetaCauses, metaUpdateCauses, newMetaCauses } from './meta-update.ts';
import { ratcheted } from './ratchets.ts';
import type { ExpressionCheck } from './resource.ts';

export type ValidatedKind = { readonly group: string; readonly version: string; readonly kind: string };
type AnyObject = DeepReadonly<KubeObject>;

export { internalForm } from './difference.ts';
export { nameRuleOf } from './names.ts';
export { commonMetaUpdateCauses, validateObjectMeta, validateObjectMetaUpdate } from './object-meta.ts';
export { objectWarnings } from './object-warnings.ts';
export { qosClassOf } from './pod-qos.ts';
export { podResizeCauses } from './pod-resize.ts';
export { podStatusCauses } from './pod-status-update.ts';
export { ephemeralContainersCauses, podUpdateCauses } from './pod-update.ts';
export { podWarnings } from './pod-warnings.ts';
export { matchConstraintsCauses, paramKindCauses } from './policies.ts';
export { clusterIpCauses } from './services.ts';
export { podStatusWarnings, statusWarnings } from './status-warnings.ts';
export { warningsOf } from './warnings.ts';
export { sameMatchConditions } from './webhooks.ts';

/** Everything wrong with a new object. @param checkExpression Of kinds that choose devices by expressions, by who can compile them. */
export function validateObject(of: ValidatedKind, object: AnyObject, checkExpression?: ExpressionCheck): FieldCause[] {
  const causes = newMetaCauses(of, object);
  const own = VALIDATORS[`${of.group}/${of.kind}`]?.create?.(object as never, checkExpression);
  if (own !== undefined) causes.push(...own);
  return causes.length > 0 ? causes : lateMetaCauses(of, object);
}

/** Everything wrong with a change. `subresource` is '' for the object itself. */
export function validateObjectUpdate(
  of: ValidatedKind,
  next: AnyObject,
  previous: AnyObject,
  subresource: string,
  checkExpression?: ExpressionCheck,
): FieldCause[] {
  const key = `${of.group}/${of.kind}`;
  const validator = VALIDATORS[key];
  const causes = metaUpdateCauses(of, next, previous, subresource);
  if (subresource !== '') {
    const check = validator?.subresources?.[subresource];
    if (check === undefined) return causes;
    const own = check(next as never, previous as never);
    return [...causes, ...ratcheted(`${key}/${subresource}`, own, () => check(previous as never, previous as never))];
  }
  const own = validator?.update?.(next as never, previous as never, checkExpression) ?? validator?.create?.(next as never) ?? [];
  return [...causes, ...ratcheted(key, own, () => validator?.create?.(previous as never) ?? [])];
}
export { webhookServiceCauses, webhookUrlCauses } from './webhooks.ts';
