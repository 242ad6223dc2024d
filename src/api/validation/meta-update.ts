// SPDX-License-Identifier: Apache-2.0
// How often changed `metadata` is looked at: by the generic store for all kinds, by most kinds again, and a third time by those that
// check changed objects as they check new ones. The list of causes shows it, the message does not.
import { type DeepReadonly, type FieldCause, field, type ObjectMeta } from '../../machinery/mod.ts';
import { standardFinalizerCauses, validateObjectMeta, validateObjectMetaUpdate } from './object-meta.ts';

type AnyObject = { readonly metadata: DeepReadonly<ObjectMeta> };
type OfKind = { readonly group: string; readonly kind: string };

/** Groups that take any qualified name as a finalizer. */
const FREE_FINALIZERS = new Set(['coordination.k8s.io', 'apiextensions.k8s.io', 'apiregistration.k8s.io', 'admissionregistration.k8s.io']);
/** Kinds that say nothing of `metadata` themselves: it is looked at when all else is right, and finalizers are free. */
const LATE = new Set(['/Event', 'policy/PodDisruptionBudget']);
/** Kinds whose changed objects are checked as new ones are. */
const THRICE = new Set(['/ConfigMap', '/Secret', '/ServiceAccount', '/PersistentVolumeClaim', '/Service', '/Endpoints', '/Node']);
const FINALIZERS = field('metadata', 'finalizers');
const ANY_NAME = { nameRule: () => [], standardFinalizers: true } as const;

export const isMetaLate = ({ group, kind }: OfKind): boolean => LATE.has(`${group}/${kind}`);
export const hasFreeFinalizers = (of: OfKind): boolean => FREE_FINALIZERS.has(of.group) || isMetaLate(of);

export function timesOfUpdate(of: OfKind, subresource: string): 1 | 2 | 3 {
  if (isMetaLate(of)) return 1;
  return subresource === '' && THRICE.has(`${of.group}/${of.kind}`) ? 3 : 2;
}

export function metaUpdateCauses(of: OfKind, next: AnyObject, previous: AnyObject, times: 1 | 2 | 3): FieldCause[] {
  const found = validateObjectMetaUpdate(next.metadata, previous.metadata);
  if (times === 1) return found;
  const { finalizers, namespace } = next.metadata;
  const odd = finalizers === undefined || hasFreeFinalizers(of) ? [] : standardFinalizerCauses(finalizers, FINALIZERS);
  if (found.length + odd.length === 0) return found;
  // The third look is the one at new objects, which knows nothing of the former one.
  const again = times === 3 ? validateObjectMeta(next.metadata, { ...ANY_NAME, namespaced: namespace !== undefined }) : [];
  return [...found, ...found, ...odd, ...again];
}
