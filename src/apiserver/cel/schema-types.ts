// SPDX-License-Identifier: Apache-2.0
// Types of expressions for data: of structural OpenAPI schemas (CustomResources), with the sizes that cost estimates go by
// (apiserver pkg/cel/common/schemas.go), and of the built-in kinds. What a schema does not describe cannot be named.

import type { JSONSchemaProps } from '#api/apiextensions/v1';
import type { StructSchema } from '#machinery';
import { escapeName } from './property-names.ts';
import { BOOL, BYTES, type CelType, DOUBLE, DURATION, DYN, INT, listOf, mapOf, type ObjectType, STRING, TIMESTAMP } from './types.ts';

/** The largest request body, which bounds what is not bounded by the schema. */
const REQUEST_SIZE = 3 * 1024 * 1024;
const SIZES = { duration: 32, date: 12, 'date-time': 32 } as const;
const LEAST = { duration: 3, date: 12, 'date-time': 21 } as const;

type Schema = Readonly<Partial<JSONSchemaProps>>;

interface Sized {
  readonly type: CelType;
  /** Bytes that the smallest value takes in JSON. */
  readonly least: number;
}

/**
 * The type of data under a structural schema, dyn where the schema says nothing that expressions could use.
 *
 * @param isResourceRoot Adds `apiVersion`, `kind`, `metadata.name` and `metadata.generateName`, as roots have them.
 */
export function typeOfSchema(schema: JSONSchemaProps, options: { readonly isResourceRoot?: boolean } = {}): CelType {
  return sizedType(schema, options.isResourceRoot ?? false, 'selfType')?.type ?? DYN;
}

/** Whether expressions can use data under the schema at all. */
export function isExposed(schema: JSONSchemaProps): boolean {
  return sizedType(schema, false, 'selfType') !== undefined;
}

/** @param name What objects are called: types of the same shape at different places are different types. */
function sizedType(given: Schema, isRoot: boolean, name: string): Sized | undefined {
  if (given['x-kubernetes-int-or-string'] === true) {
    const maxLength = given.maxLength === undefined ? REQUEST_SIZE - 2 : Math.max(0, given.maxLength) * 4;
    return { type: { kind: 'intOrString', maxLength }, least: 1 };
  }
  const schema = isRoot || given['x-kubernetes-embedded-resource'] === true ? withObjectMeta(given) : given;
  switch (schema.type) {
    case 'array':
      return listType(schema, name);
    case 'object':
      return schema.additionalProperties !== undefined && typeof schema.additionalProperties === 'object'
        ? mapType(schema, schema.additionalProperties, name)
        : objectType(schema, name);
    case 'string':
      return stringType(schema);
    case 'boolean':
      return { type: BOOL, least: 4 };
    case 'number':
      return { type: DOUBLE, least: 1 };
    case 'integer':
      return { type: INT, least: 1 };
    default:
      return undefined;
  }
}

/** The one schema of a list's elements, or of a map's values. */
function only(schema: unknown): Schema | undefined {
  return typeof schema === 'object' && schema !== null && !Array.isArray(schema) ? (schema as Schema) : undefined;
}

function listType(schema: Schema, name: string): Sized | undefined {
  const items = only(schema.items);
  const element = items === undefined ? undefined : sizedType(items, false, `${name}.@idx`);
  if (element === undefined) return undefined;
  const maxItems = schema.maxItems === undefined ? Math.floor((REQUEST_SIZE - 2) / (element.least + 1)) : Math.max(0, schema.maxItems);
  const listType = schema['x-kubernetes-list-type'];
  const special = listType === 'set' || listType === 'map' ? { listType, mapKeys: schema['x-kubernetes-list-map-keys'] ?? [] } : {};
  return { type: { kind: 'list', element: element.type, maxItems, ...(special as object) }, least: 2 };
}

function mapType(schema: Schema, additional: unknown, name: string): Sized | undefined {
  const values = only(additional);
  const value = values === undefined ? undefined : sizedType(values, false, `${name}.@elem`);
  if (value === undefined) return undefined;
  const most = Math.floor((REQUEST_SIZE - 2) / (value.least + 6));
  const maxItems = schema.maxProperties === undefined ? most : Math.max(0, schema.maxProperties);
  return { type: { kind: 'map', key: STRING, value: value.type, maxItems }, least: 2 };
}

function objectType(schema: Schema, typeName: string): Sized {
  const fields = new Map<string, CelType>();
  const properties = new Map<string, string>();
  const required = new Set(schema.required ?? []);
  let least = 2;
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    const field = sizedType(property, false, `${typeName}.${escapeName(name) ?? name}`);
    if (field === undefined) continue;
    const escaped = escapeName(name);
    if (escaped !== undefined) fields.set(escaped, field.type);
    if (escaped !== undefined && escaped !== name) properties.set(escaped, name);
    if (required.has(name) && property.default === undefined) least += name.length + field.least + 4;
  }
  return { type: { kind: 'object', name: typeName, fields, properties }, least };
}

function stringType(schema: Schema): Sized {
  const { format, maxLength } = schema;
  switch (format) {
    case 'byte':
      return { type: { kind: 'bytes', maxLength: maxLength === undefined ? REQUEST_SIZE - 2 : Math.max(0, maxLength) }, least: 2 };
    case 'duration':
      return { type: { ...DURATION, maxLength: SIZES[format] } as CelType, least: LEAST[format] };
    case 'date':
    case 'date-time':
      return { type: { ...TIMESTAMP, maxLength: SIZES[format] } as CelType, least: LEAST[format] };
  }
  return { type: { kind: 'string', maxLength: longestText(schema) }, least: 2 };
}

function longestText({ maxLength, enum: values }: Schema): number {
  if (maxLength !== undefined) return Math.max(0, maxLength) * 4;
  if (values === undefined || values.length === 0) return REQUEST_SIZE - 2;
  return Math.max(0, ...values.map((value) => (typeof value === 'string' ? Buffer.byteLength(value) : 0)));
}

const TEXT: Schema = { type: 'string' };

function isText(schema: Schema | undefined): boolean {
  return schema?.type === 'string';
}

function withObjectMeta(schema: Schema): Schema {
  const { kind, apiVersion, metadata } = schema.properties ?? {};
  const known = isText(metadata?.properties?.name) && isText(metadata?.properties?.generateName);
  if (isText(kind) && isText(apiVersion) && known) return schema;
  const meta = { type: 'object', properties: { name: TEXT, generateName: TEXT } };
  const properties = { ...schema.properties, kind: TEXT, apiVersion: TEXT, metadata: meta };
  return { ...schema, properties: properties as NonNullable<Schema['properties']> };
}

/** The type of a built-in kind, as upstream reads it from OpenAPI. Types that contain themselves do so here, too. */
export function typeOfStruct(schema: StructSchema): ObjectType {
  return structType(schema, new Map());
}

type AnySchema = StructSchema['fields'][number]['schema'];
type Known = Map<StructSchema, ObjectType>;

function structType(schema: StructSchema, known: Known): ObjectType {
  const made = known.get(schema);
  if (made !== undefined) return made;
  const fields = new Map<string, CelType>();
  const properties = new Map<string, string>();
  const type: ObjectType = { kind: 'object', name: schema.name, fields, properties };
  known.set(schema, type);
  for (const field of schema.fields) {
    const escaped = escapeName(field.name);
    const inner = escaped === undefined ? undefined : typeOfAny(field.schema, known);
    if (escaped === undefined || inner === undefined) continue;
    fields.set(escaped, inner);
    if (escaped !== field.name) properties.set(escaped, field.name);
  }
  return type;
}

/** Undefined where OpenAPI names no one type: quantities are text or numbers there, some values are anything. */
function typeOfAny(schema: AnySchema, known: Known): CelType | undefined {
  switch (schema.kind) {
    case 'struct':
      return structType(schema, known);
    case 'list': {
      const element = typeOfAny(schema.element, known);
      if (element === undefined || schema.listType === 'atomic') return element && listOf(element);
      return { kind: 'list', element, listType: schema.listType, mapKeys: schema.keys };
    }
    case 'map': {
      const value = typeOfAny(schema.value, known);
      return value && mapOf(STRING, value);
    }
    default:
      return SCALAR_TYPES[schema.kind];
  }
}

const NO_FIELDS: CelType = { kind: 'object', name: 'object', fields: new Map() };
const SCALAR_TYPES: Readonly<Record<string, CelType>> = {
  string: STRING,
  // Durations are text in the API.
  duration: STRING,
  boolean: BOOL,
  int32: INT,
  int64: INT,
  float64: DOUBLE,
  bytes: BYTES,
  time: TIMESTAMP,
  microTime: TIMESTAMP,
  intOrString: DYN,
  rawExtension: NO_FIELDS,
  fieldsV1: NO_FIELDS,
};
