// SPDX-License-Identifier: Apache-2.0
// Pruning: a copy of an object without the fields that its structural schema does not specify. Values of wrong type stay as they
// are, for validation to refuse. @source upstream apiextensions-apiserver pkg/apiserver/schema/pruning
import { DecodeError, setOwn } from '#machinery';
import { isEmbedded, itemSchema, type Json, META_FIELDS, preservesUnknown, type SchemaProps, valueSchema } from './schema-props.ts';

/** Deeper values are cut off: what walks objects recurses, and must not run out of stack. */
const MAX_DEPTH = 1_000;

/**
 * A pruned copy. @throws {DecodeError} If it is nested too deeply.
 *
 * @param unknown Collects the paths of what was left out, in order: `spec.list[0].b`.
 */
export function prune(value: unknown, schema: SchemaProps, isRoot: boolean, unknown?: string[]): unknown {
  const walk: Walk = { unknown: unknown === undefined ? undefined : [], depth: 0 };
  const result = pruneValue(walk, value, schema, isRoot, '');
  if (unknown !== undefined) unknown.push(...(walk.unknown ?? []).sort());
  return result;
}

interface Walk {
  readonly unknown: string[] | undefined;
  depth: number;
}

function pruneValue(
  walk: Walk,
  value: unknown,
  schema: SchemaProps | undefined,
  isRoot: boolean,
  path: string,
  keep = schema !== undefined && preservesUnknown(schema),
): unknown {
  if (typeof value !== 'object' || value === null) return value;
  walk.depth += 1;
  if (walk.depth > MAX_DEPTH) throw new DecodeError('exceeded max depth');
  const result = Array.isArray(value)
    ? pruneList(walk, value, schema, keep, path)
    : pruneRecord(walk, value as Json, schema, { isRoot, keep }, path);
  walk.depth -= 1;
  return result;
}

/** The items of a list that keeps what is unknown keep it, too; members of objects do not. */
function pruneList(walk: Walk, list: readonly unknown[], schema: SchemaProps | undefined, keep: boolean, path: string): unknown[] {
  const items = schema === undefined ? undefined : itemSchema(schema);
  return list.map((item, index) => {
    const at = walk.unknown === undefined ? '' : `${path}[${index}]`;
    if (!keep) return pruneValue(walk, item, items, false, at);
    return items === undefined ? copyAll(walk, item) : pruneValue(walk, item, items, false, at, true);
  });
}

interface Kept {
  readonly isRoot: boolean;
  readonly keep: boolean;
}

function pruneRecord(walk: Walk, record: Json, schema: SchemaProps | undefined, { isRoot, keep }: Kept, path: string): Json {
  const result: Json = {};
  const isResource = schema !== undefined && (isRoot || isEmbedded(schema));
  for (const name of Object.keys(record)) {
    const value = record[name];
    if (value === undefined) continue;
    const at = walk.unknown === undefined ? '' : path === '' ? name : `${path}.${name}`;
    const declared = schema?.properties !== undefined && Object.hasOwn(schema.properties, name);
    if (isResource && META_FIELDS.has(name)) setOwn(result, name, copyAll(walk, value));
    else if (declared) setOwn(result, name, pruneValue(walk, value, schema.properties?.[name], false, at));
    // Without a schema for them, values lose all their members; whether members may be at all is for validation to say.
    else if (schema?.additionalProperties !== undefined) setOwn(result, name, pruneValue(walk, value, valueSchema(schema), false, at));
    else if (keep) setOwn(result, name, copyAll(walk, value));
    else walk.unknown?.push(at);
  }
  return result;
}

function copyAll(walk: Walk, value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  walk.depth += 1;
  if (walk.depth > MAX_DEPTH) throw new DecodeError('exceeded max depth');
  let result: unknown;
  if (Array.isArray(value)) result = value.map((item) => copyAll(walk, item));
  else {
    const copy: Json = {};
    for (const key of Object.keys(value)) setOwn(copy, key, copyAll(walk, (value as Json)[key]));
    result = copy;
  }
  walk.depth -= 1;
  return result;
}
