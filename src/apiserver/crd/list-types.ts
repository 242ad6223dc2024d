// SPDX-License-Identifier: Apache-2.0
// Lists of `x-kubernetes-list-type` set and map have no item twice. @source upstream apiextensions-apiserver pkg/apiserver/schema/listtype
import { deepEqual, duplicateValue, type FieldCause, FieldPath, invalidValue } from '#machinery';
import { inOrder } from './in-order.ts';
import { isRecord, itemSchema, type Json, memberSchema, propertySchema, type SchemaProps, valueSchema } from './schema-props.ts';

const keyed = new WeakMap<SchemaProps, boolean>();

/** Whether a schema has such lists at all. */
function hasKeyedLists(schema: SchemaProps): boolean {
  let known = keyed.get(schema);
  if (known === undefined) {
    const type = schema['x-kubernetes-list-type'];
    const inner = [...Object.values(schema.properties ?? {}), itemSchema(schema), valueSchema(schema)];
    known = type === 'set' || type === 'map' || inner.some((one) => one !== undefined && hasKeyedLists(one));
    keyed.set(schema, known);
  }
  return known;
}

/** A cause for each value that is there more than once. */
export function listTypeCauses(value: unknown, schema: SchemaProps, path: FieldPath = new FieldPath()): FieldCause[] {
  if (!hasKeyedLists(schema)) return [];
  if (Array.isArray(value)) return listCauses(value, schema, path);
  if (!isRecord(value)) return [];
  return Object.keys(value)
    .sort()
    .flatMap((name) => {
      const inner = memberSchema(schema, name);
      const at = propertySchema(schema, name) === undefined ? path.key(name) : path.child(name);
      return inner === undefined ? [] : listTypeCauses(value[name], inner, at);
    });
}

function listCauses(list: readonly unknown[], schema: SchemaProps, path: FieldPath): FieldCause[] {
  const items = itemSchema(schema);
  const type = schema['x-kubernetes-list-type'];
  const causes = type === 'set' ? repeated(list, path) : type === 'map' ? repeatedKeys(list, schema, path) : [];
  const inner = items === undefined ? [] : list.flatMap((item, index) => listTypeCauses(item, items, path.index(index)));
  return [...causes, ...inner];
}

function repeatedKeys(list: readonly unknown[], schema: SchemaProps, path: FieldPath): FieldCause[] {
  const odd = list.findIndex((item) => item !== null && !isRecord(item));
  if (odd >= 0) return [invalidValue(path.index(odd), inOrder(list[odd]), 'must be an object for an array of list-type map')];
  return repeated(
    list.map((item) => keysOf(item, schema)),
    path,
  );
}

/** A value that is there many times is reported where it is for the second time. */
function repeated(values: readonly unknown[], path: FieldPath): FieldCause[] {
  const seen = new Map<string, { readonly value: unknown; isReported: boolean }[]>();
  return values.flatMap((value, index) => {
    // Equal values have equal texts save for the order of keys: a bucket by length of text is exact and cheap.
    const bucket = `${typeof value}${typeof value === 'object' ? JSON.stringify(value).length : value}`;
    const known = seen.get(bucket) ?? [];
    const found = known.find((one) => deepEqual(one.value, value));
    if (found === undefined) {
      seen.set(bucket, [...known, { value, isReported: false }]);
      return [];
    }
    if (found.isReported) return [];
    found.isReported = true;
    return [duplicateValue(path.index(index), inOrder(value))];
  });
}

function keysOf(item: unknown, schema: SchemaProps): Json {
  const keys: Json = {};
  if (!isRecord(item)) return keys;
  for (const name of schema['x-kubernetes-list-map-keys'] ?? []) if (item[name] !== undefined) keys[name] = item[name];
  return keys;
}
