// SPDX-License-Identifier: Apache-2.0
// The `scale` subresource of the fake API: a view on `spec.replicas` and `status.replicas`.
import { type LabelSelector, selectorOf, selectorOfMap } from '#machinery';
import type { LooseObject } from './rules.ts';

export function scaleOf(object: LooseObject): LooseObject {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata;
  const selector = selectorText(object.spec?.['selector']);
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: { name, ...(namespace === undefined ? {} : { namespace }), uid, resourceVersion, creationTimestamp },
    spec: { replicas: object.spec?.['replicas'] ?? 0 },
    status: { replicas: object.status?.['replicas'] ?? 0, ...(selector === '' ? {} : { selector }) },
  };
}

function selectorText(selector: unknown): string {
  if (typeof selector !== 'object' || selector === null) return '';
  if ('matchLabels' in selector || 'matchExpressions' in selector) return selectorOf(selector as LabelSelector).toString();
  return selectorOfMap(selector as Record<string, string>).toString();
}

/** The object with the replicas that a written Scale asks for. */
export function scaled(object: LooseObject, scale: LooseObject): LooseObject {
  return { ...object, spec: { ...object.spec, replicas: scale.spec?.['replicas'] ?? 0 } };
}
