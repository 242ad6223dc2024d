// SPDX-License-Identifier: Apache-2.0
// What a write changed, as sets of paths, and which paths an applied configuration names (structured-merge-diff's typed values).
// Absent and null differ: a struct held by value is always there, so that its own path is never added.
import { deepEqual } from '../deep-equal.ts';
import type { Schema } from '../schema.ts';
import { EMPTY_SET, type FieldSet, isEmptySet, LEAF, union } from './field-set.ts';
import { elementSchema, hasNothing, isOpen, isRecord, itemsByElement, memberSchema, own, Several, shapeOf } from './shape.ts';

export interface Comparison {
  readonly added: FieldSet;
  readonly modified: FieldSet;
  readonly removed: FieldSet;
}

type Change = keyof Comparison;
type Insert = (change: Change, path: readonly string[]) => void;

interface MutableSet {
  member: boolean;
  readonly children: Map<string, MutableSet>;
}

/** Compares two objects of a schema. */
export function compareObjects(before: unknown, after: unknown, schema: Schema): Comparison {
  const sets: Record<Change, MutableSet> = {
    added: { member: false, children: new Map() },
    modified: { member: false, children: new Map() },
    removed: { member: false, children: new Map() },
  };
  const insert: Insert = (change, path) => {
    let at = sets[change];
    for (const key of path) {
      let next = at.children.get(key);
      if (next === undefined) {
        next = { member: false, children: new Map() };
        at.children.set(key, next);
      }
      at = next;
    }
    at.member = true;
  };
  compareValues(before, after, schema, [], insert);
  return sets;
}

function compareValues(before: unknown, after: unknown, schema: Schema | undefined, path: string[], insert: Insert): void {
  if (before === undefined && after === undefined) return;
  if (isOpen(schema) && before !== undefined && after !== undefined && isRecord(before) !== isRecord(after)) {
    compareForms(before, after, path, insert);
    return;
  }
  const shape = shapeOf(schema, after ?? before);
  if (shape === 'leaf' || (hasNothing(before) && hasNothing(after))) {
    if (before === undefined) insert('added', path);
    else if (after === undefined) insert('removed', path);
    else if (!deepEqual(before, after)) insert('modified', path);
    return;
  }
  if (shape === 'record') compareRecords(before, after, schema, path, insert);
  else compareLists(before, after, schema, path, insert);
  if (before === undefined) insert('added', path);
  else if (after === undefined) insert('removed', path);
}

/** One of them is a record, the other is none: what is in the record comes or goes, and the value as a whole is another. Null is no form. */
function compareForms(before: unknown, after: unknown, path: string[], insert: Insert): void {
  compareRecords(before, after, undefined, path, insert);
  const isNull = before === null || after === null;
  if (!isNull || (hasNothing(before) && hasNothing(after))) insert('modified', path);
}

function compareRecords(before: unknown, after: unknown, schema: Schema | undefined, path: string[], insert: Insert): void {
  const left = isRecord(before) ? before : undefined;
  const right = isRecord(after) ? after : undefined;
  for (const name of new Set([...Object.keys(left ?? {}), ...Object.keys(right ?? {})])) {
    const inner = memberSchema(schema, name).schema;
    path.push(`f:${name}`);
    compareValues(own(left, name), own(right, name), inner, path, insert);
    path.pop();
  }
}

function compareLists(before: unknown, after: unknown, schema: Schema | undefined, path: string[], insert: Insert): void {
  const left = itemsByElement(schema, before);
  const right = itemsByElement(schema, after);
  for (const element of new Set([...left.keys(), ...right.keys()])) {
    path.push(element);
    compareItems(left.get(element), right.get(element), elementSchema(schema), path, insert);
    path.pop();
  }
}

/** What is in an item counts only while there is one of it. */
function compareItems(before: unknown, after: unknown, schema: Schema | undefined, path: string[], insert: Insert): void {
  if (before instanceof Several && after instanceof Several) {
    if (!deepEqual(before.items, after.items)) insert('modified', path);
  } else if (before instanceof Several) {
    compareValues(undefined, after, schema, path, insert);
    insert('removed', path);
  } else if (after instanceof Several) {
    compareValues(before, undefined, schema, path, insert);
    insert('added', path);
  } else compareValues(before, after, schema, path, insert);
}

/** The paths that an object names: what applying it makes its manager own. */
export function fieldSetOf(value: unknown, schema: Schema | undefined): FieldSet {
  const shape = shapeOf(schema, value);
  if (shape === 'leaf') return LEAF;
  if (shape === 'list') return listSet(value, schema);
  return isRecord(value) ? recordSet(value, schema) : EMPTY_SET;
}

function recordSet(record: Record<string, unknown>, schema: Schema | undefined): FieldSet {
  const children = new Map<string, FieldSet>();
  for (const [name, value] of Object.entries(record)) {
    if (value === undefined) continue;
    const { schema: inner, named } = memberSchema(schema, name);
    let set = fieldSetOf(value, inner);
    const empty = value === null || (isRecord(value) && Object.keys(value).length === 0);
    if (empty || !named) set = union(set, LEAF);
    if (!isEmptySet(set)) children.set(`f:${name}`, set);
  }
  return { member: false, children };
}

function listSet(value: unknown, schema: Schema | undefined): FieldSet {
  const children = new Map<string, FieldSet>();
  for (const [element, item] of itemsByElement(schema, value))
    children.set(element, item instanceof Several ? LEAF : union(fieldSetOf(item, elementSchema(schema)), LEAF));
  return { member: false, children };
}
