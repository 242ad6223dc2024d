// SPDX-License-Identifier: Apache-2.0
// Objects that `kubectl apply` keeps on the client's side carry their last configuration as an annotation. When kubectl goes over to
// server-side apply, what still is as that configuration has it is kubectl's own, whoever the entries say: no conflict.
// @source apimachinery managedfields/internal/{lastapplied,lastappliedmanager,lastappliedupdater}.go
import type { Schema } from '../schema.ts';
import { compareObjects, fieldSetOf } from './compare.ts';
import { difference, type FieldSet } from './field-set.ts';
import type { Versioned } from './remove.ts';
import { isRecord, type Json } from './shape.ts';
import { findTypeProblem } from './typed.ts';

export const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';
/** The one manager whose annotation counts. */
export const LAST_APPLIER = 'kubectl';

/** The fields of the annotation that are in the object with the same values; undefined where there is no such annotation. */
export function unchangedSinceLastApplied({ object, apiVersion, schema }: Versioned): FieldSet | undefined {
  const config = lastApplied(object, apiVersion, schema);
  if (config === undefined) return undefined;
  const { added, modified, removed } = compareObjects(config, object, schema);
  return [modified, added, removed].reduce(difference, fieldSetOf(config, schema));
}

function lastApplied(object: Readonly<Json>, apiVersion: string, schema: Schema): Json | undefined {
  const { annotations } = (object['metadata'] ?? {}) as { annotations?: Readonly<Record<string, string>> };
  const config = parsed(annotations?.[LAST_APPLIED]);
  if (config === undefined || config['apiVersion'] !== apiVersion || !config['kind']) return undefined;
  return findTypeProblem(config, schema, '') === undefined ? config : undefined;
}

function parsed(text: string | undefined): Json | undefined {
  if (!text) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
