// SPDX-License-Identifier: Apache-2.0
// Fills the defaults of a structural schema into an object, in place, and takes out nulls that stand where they may not, so that a
// default can take their place. @source upstream apiextensions-apiserver pkg/apiserver/schema/defaulting
import { deepCopy, setOwn } from '#machinery';
import { isRecord, itemSchema, type Json, memberSchema, propertySchema, type SchemaProps, valueSchema } from './schema-props.ts';

/** Whether anything is to be done: most schemas have no defaults. Known per schema, since every write and read would ask. */
const plans = new WeakMap<SchemaProps, boolean>();

function hasDefaults(schema: SchemaProps): boolean {
  let known = plans.get(schema);
  if (known === undefined) {
    const inner = [...Object.values(schema.properties ?? {}), itemSchema(schema), valueSchema(schema)];
    known = schema.default !== undefined || inner.some((one) => one !== undefined && hasDefaults(one));
    plans.set(schema, known);
  }
  return known;
}

const isForbiddenNull = (value: unknown, schema: SchemaProps) => value === null && schema.nullable !== true;

/** Fills in what is not there, and what is null where it may not be. @returns Whether the schema has defaults at all. */
export function fillDefaults(value: unknown, schema: SchemaProps): boolean {
  if (!hasDefaults(schema)) return false;
  if (Array.isArray(value)) fillItems(value, schema);
  else if (isRecord(value)) fillMembers(value, schema);
  return true;
}

function fillItems(list: unknown[], schema: SchemaProps): void {
  const items = itemSchema(schema);
  if (items === undefined) return;
  for (const [index, item] of list.entries()) {
    if (items.default !== undefined && isForbiddenNull(item, items)) list[index] = deepCopy(items.default);
    fillDefaults(list[index], items);
  }
}

function fillMembers(record: Json, schema: SchemaProps): void {
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    if (property.default === undefined) continue;
    const isThere = Object.hasOwn(record, name) && record[name] !== undefined;
    if (!isThere || isForbiddenNull(record[name], property)) setOwn(record, name, deepCopy(property.default));
  }
  const values = valueSchema(schema);
  for (const name of Object.keys(record)) {
    const property = propertySchema(schema, name);
    if (property !== undefined) fillDefaults(record[name], property);
    else if (values !== undefined) {
      if (values.default !== undefined && isForbiddenNull(record[name], values)) setOwn(record, name, deepCopy(values.default));
      fillDefaults(record[name], values);
    }
  }
}

/**
 * Takes out the nulls that stand where none may be: as if they had not been sent. List items stay.
 *
 * @param keepsDefaulted Leaves those that a default may take the place of.
 */
export function dropForbiddenNulls(value: unknown, schema: SchemaProps, keepsDefaulted = false): void {
  if (Array.isArray(value)) {
    const items = itemSchema(schema);
    if (items !== undefined) for (const item of value) dropForbiddenNulls(item, items, keepsDefaulted);
    return;
  }
  if (!isRecord(value)) return;
  for (const name of Object.keys(value)) {
    const inner = memberSchema(schema, name);
    if (inner === undefined) continue;
    if (!isForbiddenNull(value[name], inner)) dropForbiddenNulls(value[name], inner, keepsDefaulted);
    else if (!keepsDefaulted || inner.default === undefined) delete value[name];
  }
}
