// SPDX-License-Identifier: Apache-2.0
// `==` and order of values. Numbers compare across their types, other types are never equal to each other; lists and maps
// compare by what is in them; set and map lists of CustomResources ignore order (apiserver pkg/cel/common/values.go).
import {
  Duration,
  type Failure,
  isMap,
  isOpaque,
  keyOf,
  ListValue,
  NO_OVERLOAD,
  ObjectValue,
  OptionalValue,
  Timestamp,
  TypeValue,
  Uint,
  type Value,
} from './values.ts';

type Number_ = bigint | number | Uint;

export function isNumber(value: Value): value is Number_ {
  return typeof value === 'bigint' || typeof value === 'number' || value instanceof Uint;
}

function plain(value: Number_): bigint | number {
  return value instanceof Uint ? value.value : value;
}

export function isEqual(a: Value, b: Value): boolean {
  if (a === b) return true;
  // biome-ignore lint/suspicious/noDoubleEquals: int and double compare by value.
  if (isNumber(a)) return isNumber(b) && plain(a) == plain(b);
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (a instanceof ListValue) return b instanceof ListValue && isEqualList(a, b);
  if (a instanceof Uint8Array) return b instanceof Uint8Array && Buffer.compare(a, b) === 0;
  if (a instanceof Timestamp) return b instanceof Timestamp && a.nanos === b.nanos;
  if (a instanceof Duration) return b instanceof Duration && a.nanos === b.nanos;
  if (a instanceof TypeValue) return b instanceof TypeValue && a.name === b.name;
  if (a instanceof OptionalValue) {
    if (!(b instanceof OptionalValue) || (a.value === undefined) !== (b.value === undefined)) return false;
    return a.value === undefined || b.value === undefined || isEqual(a.value, b.value);
  }
  if (isOpaque(a)) return a.equals(b);
  return isMap(a) && isMap(b as Value) && isEqualMap(a, b as Value);
}

function isEqualMap(a: Value, b: Value): boolean {
  if (!isMap(a) || !isMap(b)) return false;
  if (a instanceof ObjectValue && b instanceof ObjectValue && !hasSameRest(a, b)) return false;
  if (a.size !== b.size) return false;
  return a.keys().every((key) => {
    const lookup = keyOf(key) ?? '';
    const left = a.find(lookup);
    const right = b.find(lookup);
    return left !== undefined && right !== undefined && isEqual(left, right);
  });
}

/** What the type does not declare is compared as JSON. */
function hasSameRest(a: ObjectValue, b: ObjectValue): boolean {
  const declared = new Set([...a.type.fields.keys()].map((key) => a.type.properties?.get(key) ?? key));
  const names = new Set([...Object.keys(a.raw), ...Object.keys(b.raw)].filter((name) => !declared.has(name)));
  return [...names].every((name) => isSameJson(a.raw[name] ?? null, b.raw[name] ?? null));
}

function isSameJson(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  const left = Object.entries(a);
  return left.length === Object.keys(b).length && left.every(([key, value]) => isSameJson(value, (b as Record<string, unknown>)[key]));
}

function isEqualList(a: ListValue, b: ListValue): boolean {
  if (a.size !== b.size) return false;
  const type = a.type ?? b.type;
  const left = a.values();
  const right = b.values();
  if (type === undefined) return left.every((value, index) => isEqual(value, right[index] ?? null));
  if (type.listType === 'set') {
    const seen = new Set(left.map(identity));
    return right.every((value) => seen.has(identity(value)));
  }
  const byKey = new Map(left.map((value) => [entryKey(value, type.mapKeys ?? []), value]));
  return right.every((value) => {
    const other = byKey.get(entryKey(value, type.mapKeys ?? []));
    return other !== undefined && isEqual(other, value);
  });
}

/** Scalars by text: sets hold nothing else. */
function identity(value: Value): string {
  return value instanceof Timestamp || value instanceof Duration ? `t${value.nanos}` : `${typeof value}:${String(value)}`;
}

function entryKey(value: Value, keys: readonly string[]): string {
  if (value instanceof ObjectValue) return JSON.stringify(keys.map((key) => value.raw[key] ?? null));
  if (!isMap(value)) return '';
  return JSON.stringify(keys.map((key) => String(value.find(key) ?? null)));
}

/** `+`: lists of sets and maps of CustomResources merge, others append. */
export function concatenate(a: ListValue, b: ListValue): ListValue {
  const left = a.values();
  const right = b.values();
  if (a.type?.listType === 'set') {
    const seen = new Set(left.map(identity));
    return new ListValue([...left, ...right.filter((value) => !seen.has(identity(value)))], undefined, a.type);
  }
  if (a.type?.listType === 'map') {
    const keys = a.type.mapKeys ?? [];
    const merged = new Map(left.map((value) => [entryKey(value, keys), value]));
    for (const value of right) merged.set(entryKey(value, keys), value);
    return new ListValue([...merged.values()], undefined, a.type);
  }
  return new ListValue([...left, ...right]);
}

const SURROGATE = /[\ud800-\udfff]/;

/** By code point, which is the order of UTF-8. */
export function compareText(a: string, b: string): number {
  if (SURROGATE.test(a) || SURROGATE.test(b)) return Buffer.compare(Buffer.from(a), Buffer.from(b));
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Whether `<` and its like are defined for values of this type. */
export function isOrdered(value: Value): boolean {
  return isNumber(value) || ['string', 'boolean'].includes(typeof value) || isOrderedObject(value);
}

function isOrderedObject(value: Value): boolean {
  return value instanceof Timestamp || value instanceof Duration || value instanceof Uint8Array;
}

function order(a: bigint | number | boolean, b: bigint | number | boolean): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** @returns Below, at or above 0; NaN where neither is smaller; a failure where the two have no order. */
export function compare(a: Value, b: Value): number | Failure {
  if (isNumber(a) && isNumber(b)) {
    const left = plain(a);
    const right = plain(b);
    return Number.isNaN(left) || Number.isNaN(right) ? Number.NaN : order(left, right);
  }
  if (typeof a === 'string' && typeof b === 'string') return compareText(a, b);
  if (typeof a === 'boolean' && typeof b === 'boolean') return order(a, b);
  if (a instanceof Timestamp && b instanceof Timestamp) return order(a.nanos, b.nanos);
  if (a instanceof Duration && b instanceof Duration) return order(a.nanos, b.nanos);
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.compare(a, b);
  return NO_OVERLOAD;
}
