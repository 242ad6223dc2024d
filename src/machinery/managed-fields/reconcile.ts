// SPDX-License-Identifier: Apache-2.0
// Brings sets that were written under an older schema in line with the one of now: what has become atomic is owned as a whole by
// whoever owned something in it. The other way nothing is done, as upstream does nothing.
// @source structured-merge-diff typed/reconcile_schema.go
import type { Schema } from '../schema.ts';
import { type FieldSet, LEAF } from './field-set.ts';
import { schemaBelow } from './shape.ts';

/** The set itself where nothing has changed. */
export function reconcileSet(set: FieldSet, schema: Schema | undefined): FieldSet {
  if (set.children.size === 0) return set;
  if (isAtomic(schema)) return LEAF;
  if (schema?.kind !== 'struct' && schema?.kind !== 'map' && schema?.kind !== 'list') return set;
  let children: Map<string, FieldSet> | undefined;
  for (const [element, child] of set.children) {
    const next = reconcileSet(child, schemaBelow(schema, element));
    if (next === child) continue;
    children ??= new Map(set.children);
    children.set(element, next);
  }
  return children === undefined ? set : { member: set.member, children };
}

function isAtomic(schema: Schema | undefined): boolean {
  if (schema?.kind === 'list') return schema.listType === 'atomic';
  return (schema?.kind === 'struct' || schema?.kind === 'map') && schema.mapType === 'atomic';
}
