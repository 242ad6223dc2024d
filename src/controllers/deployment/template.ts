// SPDX-License-Identifier: Apache-2.0
// Which ReplicaSet belongs to a Pod template: by equality without the hash label; the hash only makes names.
import { createHash } from 'node:crypto';
import type { PodTemplateSpec } from '#api/core/v1';
import { type DeepReadonly, safeEncode, semanticEqual } from '#machinery';
import { byCreation, type ReadDeployment, type ReadSet } from './counts.ts';

export const HASH_LABEL = 'pod-template-hash';

/** A stable short hash of a template, different for every count of collisions. */
export function templateHash(template: DeepReadonly<PodTemplateSpec>, collisions: number | undefined): string {
  const digest = createHash('sha256')
    .update(canonical(template))
    .update(collisions === undefined ? '' : String(collisions))
    .digest();
  return safeEncode(String(digest.readUInt32BE(0)));
}

/** JSON with sorted keys and without what is absent, so that the order of fields does not matter. */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const entries = Object.entries(value).filter(([, item]) => item !== undefined && item !== null);
  const sorted = entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, item]) => `${JSON.stringify(key)}:${canonical(item)}`);
  return `{${sorted.join(',')}}`;
}

export function sameTemplate(a: DeepReadonly<PodTemplateSpec>, b: DeepReadonly<PodTemplateSpec>): boolean {
  return semanticEqual(withoutHash(a), withoutHash(b));
}

function withoutHash(template: DeepReadonly<PodTemplateSpec>): unknown {
  const { [HASH_LABEL]: _, ...labels } = template.metadata?.labels ?? {};
  return { ...template, metadata: { ...template.metadata, labels, creationTimestamp: undefined } };
}

/** The set of the present template; the oldest, should there be several. */
export function findNewSet({ spec }: ReadDeployment, sets: readonly ReadSet[]): ReadSet | undefined {
  return [...sets].sort(byCreation).find((set) => sameTemplate(set.spec.template, spec.template));
}
