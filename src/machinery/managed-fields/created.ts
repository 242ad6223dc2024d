// SPDX-License-Identifier: Apache-2.0
// What the creator of an object owns, as `fieldsV1` writes it. The same as comparing the object with an empty one, but in one walk
// that makes nothing else: creates are the most frequent writes, and sets of paths cost more than all else about them.
import { deepEqual } from '../deep-equal.ts';
import type { Schema } from '../schema.ts';
import { compareElements, type FieldSet } from './field-set.ts';
import { elementSchema, hasNothing, isRecord, itemsByElement, type Json, own, Several, shapeOf } from './shape.ts';

/** Of all members without others below them. */
const LEAF: Json = Object.freeze({});

/** Paths that nobody comes to own. */
interface Unowned {
  /** With all below them. */
  readonly whole: FieldSet | undefined;
  /** By themselves. */
  readonly exact: FieldSet | undefined;
}

/**
 * The fields of `after` that are not in `before`, or differ; undefined where there are none.
 *
 * @param before The object without any fields: what its type holds by value is there.
 * @param whole Left out with all that is below.
 * @param exact Left out by itself.
 */
export function createdFields(before: unknown, after: unknown, schema: Schema, whole: FieldSet, exact: FieldSet): Json | undefined {
  return fieldsOf(before, after, schema, { whole, exact });
}

function fieldsOf(before: unknown, after: unknown, schema: Schema | undefined, unowned: Unowned): Json | undefined {
  if (after === undefined || unowned.whole?.member === true) return undefined;
  const isNew = before === undefined;
  const mayOwn = unowned.exact?.member !== true;
  const shape = shapeOf(schema, after);
  if (shape === 'leaf' || (hasNothing(before) && hasNothing(after)))
    return mayOwn && (isNew || !deepEqual(before, after)) ? LEAF : undefined;
  const members = shape === 'record' ? recordFields(before, after, schema, unowned) : listFields(before, after, schema, unowned);
  if (!isNew || !mayOwn) return members;
  return members === undefined ? LEAF : { '.': LEAF, ...members };
}

function recordFields(before: unknown, after: unknown, schema: Schema | undefined, unowned: Unowned): Json | undefined {
  if (!isRecord(after)) return undefined;
  const left = isRecord(before) ? before : undefined;
  let fields: Json | undefined;
  const declared = schema?.kind === 'struct' ? schema.byName : undefined;
  const inner = schema?.kind === 'map' ? schema.value : undefined;
  for (const name of sorted(Object.keys(after))) {
    const field = declared?.get(name);
    const element = field?.element ?? `f:${name}`;
    const was = left === undefined ? undefined : own(left, name);
    const member = fieldsOf(was, after[name], field === undefined ? inner : field.schema, below(unowned, element));
    if (member === undefined) continue;
    fields ??= {};
    fields[element] = member;
  }
  return fields;
}

/** In place, by insertion: there are few, and `sort` makes copies. */
function sorted(names: string[]): readonly string[] {
  if (names.length > FEW) return names.sort();
  for (let index = 1; index < names.length; index++) {
    const name = names[index] ?? '';
    let at = index;
    for (; at > 0 && (names[at - 1] ?? '') > name; at--) names[at] = names[at - 1] ?? '';
    names[at] = name;
  }
  return names;
}

const FEW = 16;

function listFields(before: unknown, after: unknown, schema: Schema | undefined, unowned: Unowned): Json | undefined {
  const left = itemsByElement(schema, before);
  const right = itemsByElement(schema, after);
  let fields: Json | undefined;
  for (const element of [...right.keys()].sort(compareElements)) {
    const item = right.get(element);
    const inside = below(unowned, element);
    const member = item instanceof Several ? severalFields(inside) : fieldsOf(left.get(element), item, elementSchema(schema), inside);
    if (member === undefined) continue;
    fields ??= {};
    fields[element] = member;
  }
  return fields;
}

function severalFields({ whole, exact }: Unowned): Json | undefined {
  return whole?.member === true || exact?.member === true ? undefined : LEAF;
}

const NOTHING_UNOWNED: Unowned = { whole: undefined, exact: undefined };

function below({ whole, exact }: Unowned, element: string): Unowned {
  const next = whole?.children.get(element);
  const nextExact = exact?.children.get(element);
  return next === undefined && nextExact === undefined ? NOTHING_UNOWNED : { whole: next, exact: nextExact };
}
