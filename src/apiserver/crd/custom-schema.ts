// SPDX-License-Identifier: Apache-2.0
// The schema of a custom resource in the form that the machinery walks (field ownership, server-side apply, decoding): made once per
// version. Its `coerce` is how bodies become objects: unknown fields pruned, metadata typed, everything else as it was sent.
// @source upstream apiextensions-apiserver pkg/apiserver/customresource_handler.go schemaCoercingDecoder
import type { Field, Schema, StructSchema } from '#machinery';
import type { MutableObject } from '../registry/strategy.ts';
import { dropForbiddenNulls, fillDefaults } from './defaulting.ts';
import { coerceEmbedded, coerceMeta, type MetaOptions, OBJECT_META } from './object-meta.ts';
import { prune } from './pruning.ts';
import {
  isEmbedded,
  isIntOrString,
  isRecord,
  itemSchema,
  type Json,
  META_FIELDS,
  preservesUnknown,
  type SchemaProps,
  valueSchema,
} from './schema-props.ts';

const ANY: Schema = { kind: 'any', name: '' };
const KEEP_ALL: SchemaProps = { 'x-kubernetes-preserve-unknown-fields': true };
const STRING: Schema = { kind: 'string', name: 'string' };
/** What has a format is any scalar to server-side apply. @source upstream kube-openapi pkg/schemaconv convertPrimitive */
const FORMATTED: Schema = { kind: 'string', name: 'string', appliesScalars: true };

export interface CustomKind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}

/** The root schema of one version. */
export function customSchema(of: CustomKind, props: SchemaProps): StructSchema {
  const struct = structOf(props, `${of.group}.${of.version}.${of.kind}`, true, preservesUnknown(props));
  return {
    ...struct,
    coerce: (value, unknown) =>
      coerce(value, of, props, { dropMalformed: false, unknown: unknown === undefined ? undefined : [] }, unknown),
  };
}

/** An object as it is to be kept, of a parsed value. Objects of another kind are left for validation. @throws {DecodeError} */
function coerce(value: unknown, of: CustomKind, props: SchemaProps, options: MetaOptions, report: string[] | undefined): Json {
  const object = coerceObject(value, of, props, options);
  for (const path of options.unknown ?? []) report?.push(`unknown field ${JSON.stringify(path)}`);
  return object;
}

/** As `coerce`, for what is stored: it is read whatever it holds. */
export function coerceStored(value: unknown, of: CustomKind, props: SchemaProps): Json {
  return coerceObject(value, of, props, { dropMalformed: true });
}

/** As `coerceStored`, for what a conversion made: nulls that this version forbids are gone, those that a default stands for stay. */
export function coerceConverted(value: unknown, of: CustomKind, props: SchemaProps): Json {
  const object = coerceStored(value, of, props);
  dropForbiddenNulls(object, props, true);
  return object;
}

function coerceObject(value: unknown, { group, kind }: CustomKind, props: SchemaProps, options: MetaOptions): Json {
  const source = isRecord(value) ? value : {};
  const found = source['metadata'];
  const metadata = coerceMeta(found === null || found === undefined ? {} : found, 'metadata', options);
  const own = isOwn(source, group, kind);
  const object = prune(source, own ? props : KEEP_ALL, true, own ? options.unknown : undefined) as Json;
  if (own) coerceEmbedded(object, props, '', options);
  object['metadata'] = metadata;
  return object;
}

/** Fills in what is not there, in place. What defaults say of the metadata of embedded objects is brought into form like what is sent. */
export function fillAll(object: MutableObject, props: SchemaProps): void {
  if (fillDefaults(object, props)) coerceEmbedded(object, props, '', { dropMalformed: true });
  dropForbiddenNulls(object, props);
}

function isOwn(source: Json, group: string, kind: string): boolean {
  const { apiVersion, kind: found } = source;
  if (found !== undefined && found !== '' && found !== kind) return false;
  return typeof apiVersion !== 'string' || apiVersion === '' || apiVersion.startsWith(`${group}/`);
}

/** @param isOpen Something around it keeps unknown fields: then whatever is in it may be applied, whether it is kept or not. */
function schemaOf(props: SchemaProps, isOpen: boolean): Schema {
  if (isIntOrString(props)) return { kind: 'intOrString', name: 'IntOrString' };
  switch (props.type) {
    case 'object':
      return objectSchema(props, isOpen || preservesUnknown(props));
    case 'array':
      return listSchema(props, isOpen || preservesUnknown(props));
    case 'string':
      return props.format && props.format !== 'byte' ? FORMATTED : STRING;
    case 'boolean':
      return { kind: 'boolean', name: 'bool' };
    case 'integer':
      return { kind: 'int64', name: 'int64' };
    case 'number':
      return { kind: 'float64', name: 'float64' };
    default:
      return ANY;
  }
}

function objectSchema(props: SchemaProps, isOpen: boolean): Schema {
  const mapType = props['x-kubernetes-map-type'] === 'atomic' ? 'atomic' : 'granular';
  const values = valueSchema(props);
  if (values !== undefined || props.additionalProperties === true) {
    return { kind: 'map', value: values === undefined ? ANY : schemaOf(values, isOpen), mapType };
  }
  return structOf(props, '', isEmbedded(props), isOpen);
}

function listSchema(props: SchemaProps, isOpen: boolean): Schema {
  const items = itemSchema(props);
  const type = props['x-kubernetes-list-type'];
  return {
    kind: 'list',
    element: items === undefined ? ANY : schemaOf(items, isOpen),
    listType: type === 'set' || type === 'map' ? type : 'atomic',
    keys: props['x-kubernetes-list-map-keys'] ?? [],
  };
}

function structOf(props: SchemaProps, name: string, isResource: boolean, isOpen: boolean): StructSchema {
  const required = new Set(props.required ?? []);
  const properties = Object.entries(props.properties ?? {}).filter(([key]) => !isResource || !META_FIELDS.has(key));
  const fields = properties.map(([key, inner]) => fieldOf(key, schemaOf(inner, isOpen), required.has(key), inner.default));
  if (isResource) {
    const meta: readonly (readonly [string, Schema])[] = [
      ['apiVersion', STRING],
      ['kind', STRING],
      ['metadata', OBJECT_META],
    ];
    fields.unshift(...meta.map(([key, schema]) => fieldOf(key, schema, false, undefined)));
  }
  return {
    kind: 'struct',
    name,
    fields,
    byName: new Map(fields.map((field) => [field.name, field])),
    protoFields: [],
    mapType: props['x-kubernetes-map-type'] === 'atomic' ? 'atomic' : 'granular',
    ...(preservesUnknown(props) ? { preserveUnknown: true } : {}),
    ...(isOpen || (properties.length === 0 && !isResource) ? { appliesUnknown: true } : {}),
  };
}

function fieldOf(name: string, schema: Schema, required: boolean, value: unknown): Field {
  return {
    name,
    element: `f:${name}`,
    schema,
    pointer: true,
    omit: 'empty',
    required,
    patchStrategy: [],
    patchMergeKey: undefined,
    default: value,
  };
}
