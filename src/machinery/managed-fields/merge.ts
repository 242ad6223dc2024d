// SPDX-License-Identifier: Apache-2.0
// Puts an applied configuration into an object, and takes out what its manager no longer names (structured-merge-diff's merge and
// prune). Items that both sides have stand in the configuration's order, the object's own between them where they stood.
import { deepCopy, setOwn } from '../deep-copy.ts';
import type { Schema } from '../schema.ts';
import type { FieldSet } from './field-set.ts';
import { elementSchema, isRecord, itemElement, itemsByElement, type Json, memberSchema, Several, shapeOf } from './shape.ts';

/** The object with the configuration on top; shares nothing with the configuration. */
export function mergeConfiguration(live: unknown, config: unknown, schema: Schema | undefined): unknown {
  const shape = shapeOf(schema, config);
  if (config === undefined) return live;
  if (shape === 'record' && isRecord(config) && isRecord(live)) return mergeRecords(live, config, schema);
  if (shape === 'list' && Array.isArray(config) && Array.isArray(live)) return mergeLists(live, config, schema);
  return deepCopy(config);
}

function mergeRecords(live: Json, config: Json, schema: Schema | undefined): Json {
  const result: Json = { ...live };
  for (const [name, value] of Object.entries(config)) {
    const own = Object.hasOwn(live, name) ? live[name] : undefined;
    setOwn(result, name, mergeConfiguration(own, value, memberSchema(schema, name).schema));
  }
  return result;
}

function mergeLists(live: readonly unknown[], config: readonly unknown[], schema: Schema | undefined): unknown[] {
  const left = live.map((item) => ({ item, element: itemElement(schema, item) }));
  const right = config.map((item) => ({ item, element: itemElement(schema, item) }));
  const known = itemsByElement(schema, live);
  const wanted = new Set(right.map(({ element }) => element));
  const shared = right.map(({ element }) => element).filter((element) => known.has(element));
  const result: unknown[] = [];
  let next = 0;
  for (const { item, element } of right) {
    for (; next < left.length; next++) {
      const candidate = left[next];
      if (candidate === undefined) break;
      if (!wanted.has(candidate.element)) result.push(candidate.item);
      else if (candidate.element === element) {
        next += 1;
        break;
      } else if (candidate.element === shared[0]) break; // It waits for its turn on the other side.
    }
    const own = known.get(element);
    result.push(mergeConfiguration(own instanceof Several ? undefined : own, item, elementSchema(schema)));
    if (shared[0] === element) shared.shift();
  }
  for (const { item, element } of left.slice(next)) if (!wanted.has(element)) result.push(item);
  return result;
}

/**
 * Takes out what was in a manager's last configuration and nobody names now.
 *
 * @param last What the manager owned before this apply.
 * @param owned What all managers own after it.
 */
export function pruneUnowned(value: unknown, schema: Schema | undefined, last: FieldSet, owned: FieldSet | undefined): unknown {
  if (isRecord(value)) return pruneRecord(value, schema, last, owned);
  return Array.isArray(value) ? pruneList(value, schema, last, owned) : value;
}

function pruneRecord(record: Json, schema: Schema | undefined, last: FieldSet, owned: FieldSet | undefined): Json {
  const result: Json = {};
  for (const [name, value] of Object.entries(record)) {
    const { schema: inner, named } = memberSchema(schema, name);
    const kept = pruneMember(value, inner, last.children.get(`f:${name}`), owned?.children.get(`f:${name}`), named);
    if (kept !== undefined) setOwn(result, name, kept);
  }
  return result;
}

function pruneList(list: readonly unknown[], schema: Schema | undefined, last: FieldSet, owned: FieldSet | undefined): unknown[] {
  if (shapeOf(schema, list) !== 'list') return [...list];
  return list.flatMap((item) => {
    const element = itemElement(schema, item);
    const kept = pruneMember(item, elementSchema(schema), last.children.get(element), owned?.children.get(element), false);
    return kept === undefined ? [] : [kept];
  });
}

/** Declared fields count as named by a configuration that names something in them; keys and items only if they are members. */
function pruneMember(
  value: unknown,
  schema: Schema | undefined,
  last: FieldSet | undefined,
  owned: FieldSet | undefined,
  named: boolean,
): unknown {
  if (last === undefined) return value;
  if (owned === undefined && (last.member || named)) return undefined;
  const kept = pruneUnowned(value, schema, last, owned);
  const emptied = typeof kept === 'object' && kept !== null && Object.keys(kept).length === 0 && Object.keys(value as object).length > 0;
  // Null, not absent: the field's own path is not gone, only what was in it. The typed form leaves it out.
  return emptied && owned?.member !== true ? null : kept;
}
