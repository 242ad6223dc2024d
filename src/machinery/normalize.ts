// SPDX-License-Identifier: Apache-2.0
// Brings a parsed value into the form in which upstream would print it after decoding it into the Go type: unknown fields gone,
// fields in declaration order, map keys sorted, zero values left out or filled in as the type's tags say, quantities and times
// canonical. The result is new; values of wrong type are refused in the words of Go's decoder.

import { base64Problem, canonicalBase64 } from './base64.ts';
import { setOwn } from './deep-copy.ts';
import { integerOf, numberOf, textOfNumber } from './exact-numbers.ts';
import { describeJson } from './json-text.ts';
import { findCanonical, QUANTITY_RULE, quantityProblem } from './quantity.ts';
import type { Field, ScalarSchema, Schema, StructSchema } from './schema.ts';
import { canonicalMicroTime, canonicalTime, TimeParseError } from './time.ts';

/** Thrown when a value does not fit its type; the message is what upstream's decoder says. */
export class DecodeError extends Error {
  override readonly name = 'DecodeError';
}

export interface NormalizeOptions {
  /** Collects `unknown field "..."`, as a document with sorted keys would have them: YAML and patched documents become such first. */
  readonly strictErrors?: string[] | undefined;
}

/** Deeper values are refused, as Go's decoder does (at 10,000): what walks objects recurses, and must not run out of stack. */
const MAX_DEPTH = 1000;
const MAX_STRUCT_DEPTH = 400;

/** An object in printed form. @throws {DecodeError} */
export function normalize(value: unknown, schema: StructSchema, { strictErrors }: NormalizeOptions = {}): Record<string, unknown> {
  if (schema.coerce !== undefined) return schema.coerce(value ?? {}, strictErrors);
  const unknown: string[] | undefined = strictErrors === undefined ? undefined : [];
  const result = normalizeNoting(value, schema, unknown);
  for (const path of unknown ?? []) strictErrors?.push(`unknown field ${JSON.stringify(path)}`);
  return result;
}

/** As `normalize`, of a type that does not coerce itself. @param unknown Takes the paths of unknown fields, in order. @throws {DecodeError} */
export function normalizeNoting(value: unknown, schema: StructSchema, unknown: string[] | undefined): Record<string, unknown> {
  const paths: string[][] | undefined = unknown === undefined ? undefined : [];
  const walk: Walk = { fields: [], path: [], struct: '', depth: 0, unknown: paths };
  const result = normalizeStruct(walk, value ?? {}, schema);
  for (const path of paths?.sort(comparePaths) ?? []) unknown?.push(path.join('').slice(1));
  return result;
}

function comparePaths(left: readonly string[], right: readonly string[]): number {
  const at = left.findIndex((segment, index) => segment !== right[index]);
  const [a = '', b = ''] = [left[at], right[at]];
  if (a.startsWith('[') && b.startsWith('[')) return Number.parseInt(a.slice(1), 10) - Number.parseInt(b.slice(1), 10);
  return a < b ? -1 : 1;
}

/** An object that says that it has no owners has them taken away: empty is not absent. Only its own metadata is meant. */
const MANAGED_FIELDS = 'managedFields';
const META_DEPTH = 2;

interface Walk {
  /** Names of the struct fields on the way. */
  readonly fields: string[];
  /** The way with indexes and keys; kept only where errors are collected. */
  readonly path: string[];
  struct: string;
  depth: number;
  /** Paths of fields that there are none of, where they are asked for. */
  readonly unknown: string[][] | undefined;
}

function normalizeStruct(walk: Walk, value: unknown, schema: StructSchema): Record<string, unknown> {
  if (!isObject(value)) throw mismatch(walk, value, goTypeOf(schema));
  if (walk.unknown !== undefined) reportUnknown(walk, value, schema, walk.unknown);
  const outer = walk.struct;
  walk.depth += 1;
  if (walk.depth > MAX_STRUCT_DEPTH) throw new DecodeError('exceeded max depth');
  walk.struct = schema.name.slice(schema.name.lastIndexOf('.') + 1);
  const result: Record<string, unknown> = {};
  for (const field of schema.fields) {
    const own = Object.hasOwn(value, field.name) ? value[field.name] : undefined;
    const kept = own === undefined || own === null ? absent(walk, field) : present(walk, own, field);
    if (kept !== undefined) result[field.name] = kept;
  }
  if (schema.preserveUnknown === true) keepUnknown(value, schema, result);
  walk.struct = outer;
  walk.depth -= 1;
  return result;
}

function reportUnknown(walk: Walk, value: Record<string, unknown>, schema: StructSchema, unknown: string[][]): void {
  if (schema.preserveUnknown === true) return;
  for (const key of Object.keys(value)) {
    if (!schema.byName.has(key) && value[key] !== undefined) unknown.push([...walk.path, `.${key}`]);
  }
}

function keepUnknown(value: Record<string, unknown>, schema: StructSchema, result: Record<string, unknown>): void {
  for (const key of Object.keys(value))
    if (!schema.byName.has(key) && value[key] !== undefined) setOwn(result, key, copyAny(value[key], 0));
}

function present(walk: Walk, value: unknown, field: Field): unknown {
  const strict = walk.unknown !== undefined;
  walk.fields.push(field.name);
  if (strict) walk.path.push(`.${field.name}`);
  const kept = normalizeValue(walk, value, field.schema);
  walk.fields.pop();
  if (strict) walk.path.pop();
  return isLeftOut(kept, field) && !(walk.depth === META_DEPTH && field.name === MANAGED_FIELDS) ? undefined : kept;
}

/** What stands for a field that is not there. */
function absent(walk: Walk, field: Field): unknown {
  const { schema, pointer, omit } = field;
  if (pointer) return omit === 'never' ? null : undefined;
  if (schema.kind === 'struct') {
    const filled = normalizeStruct({ ...walk, unknown: undefined }, {}, schema);
    return omit === 'zero' && isZero(filled) ? undefined : filled;
  }
  if (omit === 'zero') return undefined;
  return omit === 'never' ? zeroOf(schema) : zeroOfStructScalar(schema);
}

/** Types that are structs in Go are printed even where they are to be left out when empty. */
function zeroOfStructScalar(schema: Schema): unknown {
  switch (schema.kind) {
    case 'time':
    case 'microTime':
    case 'rawExtension':
      return null;
    case 'quantity':
      return '0';
    case 'intOrString':
      return 0;
    case 'duration':
      return '0s';
    default:
      return undefined;
  }
}

function zeroOf(schema: Schema): unknown {
  switch (schema.kind) {
    case 'string':
      return '';
    case 'boolean':
      return false;
    case 'int32':
    case 'int64':
    case 'float64':
      return 0;
    case 'list':
    case 'map':
    case 'bytes':
    case 'any':
    case 'fieldsV1':
      return null;
    default:
      return zeroOfStructScalar(schema);
  }
}

function isLeftOut(value: unknown, { schema, pointer, omit }: Field): boolean {
  if (omit === 'never') return false;
  if (schema.kind === 'list' || schema.kind === 'map') return !pointer && Object.keys(value as object).length === 0;
  if (pointer) return false;
  switch (schema.kind) {
    case 'string':
    case 'bytes':
      return value === '';
    case 'boolean':
      return value === false;
    case 'int32':
    case 'int64':
    case 'float64':
      return value === 0;
    case 'struct':
      return omit === 'zero' && isZero(value);
    default:
      return omit === 'zero' && (value === null || value === '0' || value === 0);
  }
}

/** Whether nothing but zero values is in a struct. */
function isZero(value: unknown): boolean {
  if (value === null || value === '' || value === 0 || value === false) return true;
  return isObject(value) && Object.values(value).every(isZero);
}

function normalizeValue(walk: Walk, value: unknown, schema: Schema): unknown {
  switch (schema.kind) {
    case 'struct':
      return normalizeStruct(walk, value, schema);
    case 'list':
      return normalizeList(walk, value, schema.element, schema);
    case 'map':
      return normalizeMap(walk, value, schema.value, schema);
    default:
      return normalizeScalar(walk, value, schema);
  }
}

function normalizeList(walk: Walk, value: unknown, element: Schema, schema: Schema): unknown[] {
  if (!Array.isArray(value)) throw mismatch(walk, value, goTypeOf(schema));
  const strict = walk.unknown !== undefined;
  return value.map((item, index) => {
    if (strict) walk.path.push(`[${index}]`);
    const kept = item === null ? zeroElement(walk, element) : normalizeValue(walk, item, element);
    if (strict) walk.path.pop();
    return kept;
  });
}

function normalizeMap(walk: Walk, value: unknown, element: Schema, schema: Schema): Record<string, unknown> {
  if (!isObject(value)) throw mismatch(walk, value, goTypeOf(schema));
  const strict = walk.unknown !== undefined;
  const result: Record<string, unknown> = {};
  for (const key of Object.keys(value).sort()) {
    const item = value[key];
    if (item === undefined) continue;
    if (strict) walk.path.push(`.${key}`);
    setOwn(result, key, item === null ? zeroElement(walk, element) : normalizeValue(walk, item, element));
    if (strict) walk.path.pop();
  }
  return result;
}

/** What null stands for within a list or map. Bytes come back from the store as none, not as null. */
function zeroElement(walk: Walk, element: Schema): unknown {
  if (element.kind === 'bytes') return '';
  return element.kind === 'struct' ? normalizeStruct({ ...walk, unknown: undefined }, {}, element) : zeroOf(element);
}

function normalizeScalar(walk: Walk, value: unknown, schema: ScalarSchema): unknown {
  switch (schema.kind) {
    case 'string':
      if (typeof value === 'string') return value;
      throw mismatch(walk, value, schema.name);
    case 'boolean':
      if (typeof value === 'boolean') return value;
      throw mismatch(walk, value, 'bool');
    case 'int32':
      return integer(walk, value, 'int32');
    case 'int64':
      return integer(walk, value, 'int64');
    case 'float64':
      return float(walk, value);
    case 'bytes':
      return base64(walk, value);
    case 'quantity':
      return quantity(value);
    case 'time':
    case 'microTime':
      return time(walk, value, schema.kind);
    case 'duration':
      if (typeof value === 'string') return value;
      throw mismatch(walk, value, 'string');
    case 'intOrString':
      return typeof value === 'string' ? value : integer(walk, value, 'int32');
    case 'fieldsV1':
    case 'rawExtension':
    case 'any':
      return copyAny(value, 0);
  }
}

const LIMITS = { int32: 2 ** 31, int64: 2 ** 63 } as const;

function integer(walk: Walk, value: unknown, type: 'int32' | 'int64'): number {
  if (typeof value === 'symbol') {
    const exact = integerOf(value, type);
    if (exact === undefined) throw mismatch(walk, value, type, describeJson(value));
    return exact;
  }
  if (typeof value !== 'number') throw mismatch(walk, value, type);
  const limit = LIMITS[type];
  if (!Number.isInteger(value) || value < -limit || value >= limit) throw mismatch(walk, value, type, describeJson(value));
  return value === 0 ? 0 : value;
}

function float(walk: Walk, value: unknown): number {
  if (typeof value === 'number') return value;
  const exact = typeof value === 'symbol' ? numberOf(value) : Number.NaN;
  if (!Number.isFinite(exact)) throw mismatch(walk, value, 'float64', describeJson(value));
  return exact;
}

function base64(walk: Walk, value: unknown): string {
  if (typeof value !== 'string') throw mismatch(walk, value, '[]uint8');
  const bad = base64Problem(value);
  if (bad !== undefined) throw new DecodeError(`illegal base64 data at input byte ${bad}`);
  return canonicalBase64(value);
}

function quantity(value: unknown): string {
  if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'symbol') throw new DecodeError(QUANTITY_RULE);
  const text = typeof value === 'symbol' ? textOfNumber(value) : String(value).trim();
  const canonical = findCanonical(text);
  if (canonical === undefined) throw new DecodeError(quantityProblem(text));
  return canonical;
}

function time(walk: Walk, value: unknown, kind: 'time' | 'microTime'): string {
  if (typeof value !== 'string') throw mismatch(walk, value, 'string');
  try {
    return kind === 'time' ? canonicalTime(value) : canonicalMicroTime(value);
  } catch (error) {
    if (error instanceof TimeParseError) throw new DecodeError(error.message, { cause: error });
    throw error;
  }
}

function copyAny(value: unknown, depth: number): unknown {
  if (typeof value !== 'object' || value === null) return typeof value === 'symbol' ? numberOf(value) : value;
  if (depth > MAX_DEPTH) throw new DecodeError('exceeded max depth');
  if (Array.isArray(value)) return value.map((item) => copyAny(item, depth + 1));
  const result: Record<string, unknown> = {};
  for (const key of Object.keys(value)) setOwn(result, key, copyAny((value as Record<string, unknown>)[key], depth + 1));
  return result;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function mismatch(walk: Walk, value: unknown, goType: string, what = describeJson(value).replace(/^number .*/, 'number')): DecodeError {
  const where = walk.fields.length === 0 ? 'value' : `struct field ${walk.struct}.${walk.fields.join('.')}`;
  return new DecodeError(`json: cannot unmarshal ${what} into Go ${where} of type ${goType}`);
}

/** How Go prints a type: `[]v1.Container`, `map[string]string`. */
export function goTypeOf(schema: Schema): string {
  switch (schema.kind) {
    case 'struct':
      return schema.name.split('.').slice(-2).join('.');
    case 'list':
      return schema.name ?? `[]${goTypeOf(schema.element)}`;
    case 'map':
      return schema.name ?? `map[${schema.keyName ?? 'string'}]${goTypeOf(schema.value)}`;
    case 'boolean':
      return 'bool';
    case 'bytes':
      return '[]uint8';
    case 'any':
      return schema.name.includes('.') ? schema.name : 'interface {}';
    case 'int32':
    case 'int64':
    case 'float64':
      return schema.name.includes('.') ? schema.name : schema.kind;
    case 'string':
      return schema.name;
    default:
      return SPECIAL[schema.kind];
  }
}

const SPECIAL = {
  quantity: 'resource.Quantity',
  time: 'v1.Time',
  microTime: 'v1.MicroTime',
  duration: 'v1.Duration',
  intOrString: 'intstr.IntOrString',
  rawExtension: 'runtime.RawExtension',
  fieldsV1: 'v1.FieldsV1',
} as const;
