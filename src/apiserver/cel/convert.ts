// SPDX-License-Identifier: Apache-2.0
// JSON to values by declared type, and values back to JSON. Objects and lists are wrapped, not walked: only what an expression
// reads is converted. Texts of unfit data are upstream's (apiserver pkg/cel/common/values.go).
import { parseDuration, parseTimestamp, printDuration, printTimestamp } from './time.ts';
import type { CelType, ListType } from './types.ts';
import {
  Duration,
  Failure,
  failure,
  isMap,
  isOpaque,
  isValue,
  JsonMap,
  type Key,
  ListValue,
  ObjectValue,
  OptionalValue,
  Timestamp,
  TypeValue,
  Uint,
  type Value,
} from './values.ts';

function isRecord(raw: unknown): raw is Readonly<Record<string, unknown>> {
  return typeof raw === 'object' && raw !== null && !Array.isArray(raw);
}

/** JSON of which nothing is declared. */
export function fromJson(raw: unknown): Value {
  switch (typeof raw) {
    case 'string':
    case 'boolean':
    case 'bigint':
      return raw;
    case 'number':
      return Number.isSafeInteger(raw) ? BigInt(raw) : raw;
    case 'object':
      if (raw === null) return null;
      if (Array.isArray(raw)) return new ListValue(raw, fromJson);
      return isValue(raw) ? raw : new JsonMap(raw as Record<string, unknown>, fromJson);
    default:
      return null;
  }
}

function goType(raw: unknown): string {
  if (typeof raw === 'string') return 'string';
  if (typeof raw === 'boolean') return 'bool';
  if (typeof raw === 'number') return Number.isInteger(raw) ? 'int64' : 'float64';
  return Array.isArray(raw) ? '[]interface {}' : 'map[string]interface {}';
}

function listFrom(raw: unknown, type: ListType): Value {
  if (!Array.isArray(raw)) return failure('invalid data, expected an array for the provided schema with type=array');
  const special = type.listType === 'set' || type.listType === 'map';
  return new ListValue(raw, (item) => convert(item, type.element), special ? type : undefined);
}

/** JSON as a value of its declared type. A value stays what it is. */
export function convert(raw: unknown, type: CelType): Value {
  if (raw === null || raw === undefined) return null;
  if (typeof raw === 'object' && !Array.isArray(raw) && isValue(raw)) return raw;
  switch (type.kind) {
    case 'object':
      if (isRecord(raw)) return new ObjectValue(raw, type, convert);
      return failure('invalid data, expected a map for the provided schema with type=object');
    case 'map':
      if (isRecord(raw)) return new JsonMap(raw, (value) => convert(value, type.value));
      return failure('invalid data, expected a map for the provided schema with type=object');
    case 'list':
      return listFrom(raw, type);
    case 'string':
      return typeof raw === 'string' ? raw : failure(`invalid data, expected string, got ${goType(raw)}`);
    case 'bool':
      return typeof raw === 'boolean' ? raw : failure(`invalid data, expected bool, got ${goType(raw)}`);
    case 'int':
      if (typeof raw === 'bigint') return raw;
      return typeof raw === 'number' && Number.isInteger(raw) ? BigInt(raw) : failure(`invalid data, expected int, got ${goType(raw)}`);
    case 'uint':
      return typeof raw === 'number' && Number.isInteger(raw) ? new Uint(BigInt(raw)) : fromJson(raw);
    case 'double':
      if (typeof raw === 'bigint') return Number(raw);
      return typeof raw === 'number' ? raw : failure(`invalid data, expected float, got ${goType(raw)}`);
    case 'timestamp':
    case 'duration':
    case 'bytes':
      return typeof raw === 'string' ? fromText(raw, type.kind) : failure(`invalid data, expected string, got ${goType(raw)}`);
    case 'intOrString':
      if (typeof raw === 'string' || typeof raw === 'number') return fromJson(raw);
      return failure('invalid data, expected XIntOrString value to be either a string or integer');
    case 'optional':
      return new OptionalValue(convert(raw, type.value));
    default:
      return fromJson(raw);
  }
}

function fromText(text: string, kind: 'timestamp' | 'duration' | 'bytes'): Value {
  if (kind === 'bytes') return new Uint8Array(Buffer.from(text, 'base64'));
  if (kind === 'duration') return parseDuration(text) ?? failure(`Invalid duration ${text}: unable to parse ${text} as duration`);
  const time = parseTimestamp(text.length === 10 ? `${text}T00:00:00Z` : text);
  return time ?? failure(`Invalid date-time formatted string ${text}: unable to parse "${text}" as date-time`);
}

function keyText(key: Key): string {
  return key instanceof Uint ? String(key.value) : String(key);
}

/** @throws {TypeError} If a value has no JSON: a type, an address. */
export function toJson(value: Value): unknown {
  if (typeof value === 'bigint') return Number(value);
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Uint) return Number(value.value);
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  if (value instanceof Timestamp) return printTimestamp(value);
  if (value instanceof Duration) return printDuration(value);
  if (value instanceof ListValue) return value.values().map(toJson);
  if (value instanceof OptionalValue) return value.value === undefined ? null : toJson(value.value);
  if (value instanceof Failure || value instanceof TypeValue || isOpaque(value)) throw new TypeError(`convert to JSON: unsupported value`);
  if (!isMap(value)) return null;
  if (value instanceof JsonMap || value instanceof ObjectValue) return value.raw;
  const entries = value.keys().map((key) => [keyText(key), toJson(value.find(key instanceof Uint ? key.value : key) ?? null)] as const);
  return Object.fromEntries(entries);
}
