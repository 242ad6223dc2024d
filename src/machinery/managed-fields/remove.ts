// SPDX-License-Identifier: Apache-2.0
// Takes out of an object what a manager had in its last configuration and nobody names now (structured-merge-diff's prune), in the
// version that the last configuration was of. What is not taken out by itself stays, null where everything in it is gone.
// @source structured-merge-diff merge/update.go prune, typed/remove.go, fieldpath/set.go EnsureNamedFieldsAreMembers
import { setOwn } from '../deep-copy.ts';
import type { Schema, StructSchema } from '../schema.ts';
import { fieldSetOf } from './compare.ts';
import { difference, EMPTY_SET, type FieldSet, intersection, isEmptySet, union } from './field-set.ts';
import { elementSchema, hasNothing, isRecord, itemElement, type Json, memberSchema, schemaBelow, shapeOf } from './shape.ts';

/** An object in one version of its kind. */
export interface Versioned {
  readonly object: Readonly<Json>;
  readonly apiVersion: string;
  readonly schema: StructSchema;
}

/** An object in another version; undefined where there is none such. */
export type ToVersion = (of: Versioned, apiVersion: string) => Versioned | undefined;

export interface PruneParts {
  /** What the manager owned before this apply, and in which version. */
  readonly last: { readonly set: FieldSet; readonly apiVersion: string };
  /** What managers own after it, by version. */
  readonly owned: ReadonlyMap<string, FieldSet>;
  readonly toVersion: ToVersion;
}

/** The object without what only `last` names. */
export function prune(merged: Versioned, parts: PruneParts): Versioned {
  const { last, toVersion } = parts;
  if (isEmptySet(last.set)) return merged;
  const before = toVersion(merged, last.apiVersion);
  if (before === undefined) return merged;
  const { schema } = before;
  const named = withNamedFields(last.set, schema);
  const bare = without(before, named);
  const owned = addBackOwned(before, bare, parts);
  const back = toVersion(owned, last.apiVersion);
  if (back === undefined) return merged;
  const gone = difference(namedSetOf(before), namedSetOf(back));
  return toVersion(without(before, intersection(gone, named)), merged.apiVersion) ?? merged;
}

/** Puts back what anybody owns, version by version: that of the last configuration first. */
function addBackOwned(before: Versioned, bare: Versioned, { last, owned, toVersion }: PruneParts): Versioned {
  const versions = [...owned.keys()].sort((a, b) => Number(b === last.apiVersion) - Number(a === last.apiVersion));
  let [merged, pruned] = [before, bare];
  for (const apiVersion of versions) {
    const [mergedIn, prunedIn] = [toVersion(merged, apiVersion), toVersion(pruned, apiVersion)];
    if (mergedIn === undefined || prunedIn === undefined) continue;
    const kept = union(namedSetOf(prunedIn), withNamedFields(owned.get(apiVersion) ?? EMPTY_SET, mergedIn.schema));
    [merged, pruned] = [mergedIn, without(mergedIn, difference(namedSetOf(mergedIn), kept))];
  }
  return pruned;
}

function namedSetOf({ object, schema }: Versioned): FieldSet {
  return withNamedFields(fieldSetOf(object, schema), schema);
}

function without(of: Versioned, set: FieldSet): Versioned {
  return { ...of, object: (removeItems(of.object, set, of.schema) ?? {}) as Json };
}

/** The set with every declared field on the way to a member as a member, too. */
function withNamedFields(set: FieldSet, schema: Schema | undefined): FieldSet {
  const children = new Map<string, FieldSet>();
  for (const [element, child] of set.children) {
    const inner = withNamedFields(child, schemaBelow(schema, element));
    const isNamed = child.children.size > 0 && element.startsWith('f:') && memberSchema(schema, element.slice(2)).named;
    children.set(element, isNamed && !inner.member ? { ...inner, member: true } : inner);
  }
  return { member: set.member, children };
}

/** The value without the members of a set; null where nothing is left of it. */
function removeItems(value: unknown, set: FieldSet, schema: Schema | undefined): unknown {
  if (isRecord(value)) return removeMembers(value, set, schema);
  if (Array.isArray(value)) return removeFromList(value, set, schema);
  return value;
}

function removeMembers(record: Json, set: FieldSet, schema: Schema | undefined): unknown {
  if (shapeOf(schema, record) === 'leaf') return null;
  const result: Json = {};
  for (const [name, value] of Object.entries(record)) {
    const below = set.children.get(`f:${name}`);
    if (below?.member === true) continue;
    const isTouched = below !== undefined && below.children.size > 0;
    setOwn(result, name, isTouched ? removeItems(value, below, memberSchema(schema, name).schema) : value);
  }
  return hasNothing(result) ? null : result;
}

function removeFromList(list: readonly unknown[], set: FieldSet, schema: Schema | undefined): unknown {
  if (shapeOf(schema, list) !== 'list') return null;
  const result = list.flatMap((item) => {
    const below = set.children.get(itemElement(schema, item));
    if (below?.member === true) return [];
    return [below !== undefined && below.children.size > 0 ? removeItems(item, below, elementSchema(schema)) : item];
  });
  return result.length === 0 ? null : result;
}
