// SPDX-License-Identifier: Apache-2.0
// namespaceSelector and objectSelector of webhooks and policies, against a request.
// @source upstream apiserver pkg/admission/plugin/webhook/predicates/{namespace,object}/matcher.go
import { namespaces } from '#api';
import { type ApiError, type DeepReadonly, notFound, type Selector } from '#machinery';
import type { MutableObject, ObjectReader } from '../registry/strategy.ts';
import type { AdmissionRequest } from './admission.ts';

/**
 * A Namespace that is written is judged by the labels it will have; what is not in a namespace matches.
 *
 * @param namespace Of the request, or the name of the Namespace it is about.
 * @returns An error where the namespace is not there; it counts only where the rules match too.
 */
export function namespaceMatches(
  selector: Selector,
  { operation, object, resource: { group, resource }, subresource }: AdmissionRequest,
  namespace: string,
  reader: ObjectReader,
): boolean | ApiError {
  if (selector.isEmpty) return true;
  const isNamespace = group === '' && resource === 'namespaces' && subresource === '';
  if (isNamespace && (operation === 'CREATE' || operation === 'UPDATE')) return selector.matches(object?.metadata.labels);
  if (namespace === '') return true;
  const found = reader.find(namespaces, { name: namespace });
  return found === undefined ? notFound(namespaces, namespace) : selector.matches(found.metadata.labels);
}

/** The object as it was or as it will be. */
export function objectMatches(selector: Selector, { object, oldObject }: AdmissionRequest): boolean {
  if (selector.isEmpty) return true;
  const has = (it: DeepReadonly<MutableObject> | undefined) => it?.metadata !== undefined && selector.matches(it.metadata.labels);
  return has(object) || has(oldObject);
}
