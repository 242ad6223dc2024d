// SPDX-License-Identifier: Apache-2.0
// Fields, indexes and membership: what is in lists, maps and optional values, and what it costs to look.
import { charge, type Frame } from './code.ts';
import { isEqual } from './equality.ts';
import { Failure, failure, isMap, keyOf, ListValue, NO_OVERLOAD, OptionalValue, typeOfValue, Uint, type Value } from './values.ts';

function show(key: Value): string {
  return key instanceof Uint ? String(key.value) : String(key);
}

/** @returns undefined where it is absent. */
function lookup(container: Value, key: Value): Value | undefined {
  if (container instanceof ListValue) {
    const index = keyOf(key);
    if (typeof index !== 'bigint') return failure(`unsupported index type '${typeOfValue(key)}' in list`);
    return index >= 0n && index < BigInt(container.size) ? container.at(Number(index)) : undefined;
  }
  if (!isMap(container)) return undefined;
  const wanted = keyOf(key);
  return wanted === undefined ? undefined : container.find(wanted);
}

function missing(container: Value, key: Value): Failure {
  return failure(container instanceof ListValue ? `index out of bounds: ${show(key)}` : `no such key: ${show(key)}`);
}

/** Follows one field or index. Behind an optional value all that follows is optional. */
export function follow(frame: Frame, container: Value, key: Value, optional: boolean): Value {
  if (container instanceof Failure) return container;
  if (key instanceof Failure) return key;
  if (!optional && !(container instanceof OptionalValue)) {
    charge(frame, 1);
    const value = lookup(container, key);
    return value === undefined ? missing(container, key) : value;
  }
  const inner = container instanceof OptionalValue ? container.value : container;
  if (inner === undefined) return OptionalValue.NONE;
  const found = lookup(inner, key);
  if (found === undefined) return OptionalValue.NONE;
  charge(frame, 1);
  return found instanceof Failure ? found : new OptionalValue(found);
}

/** An optional element: what is in it, undefined for nothing. */
export function unwrapped(value: Value): Value | undefined {
  if (value instanceof Failure) return value;
  return value instanceof OptionalValue
    ? value.value
    : failure(`cannot initialize optional list element from non-optional value ${show(value)}`);
}

/** `has()`: the chain before the field costs as usual, the field itself nothing. */
export function isPresent(container: Value, field: string, frame: Frame, base: 0 | 1): Value {
  charge(frame, base);
  if (container instanceof Failure) return container;
  const inner = container instanceof OptionalValue ? container.value : container;
  if (inner === undefined || !isMap(inner)) return false;
  const found = inner.find(field);
  return found !== undefined;
}

export function isIn(element: Value, container: Value): Value {
  if (container instanceof ListValue) {
    for (let index = 0; index < container.size; index += 1) if (isEqual(container.at(index), element)) return true;
    return false;
  }
  if (!isMap(container)) return NO_OVERLOAD;
  const key = keyOf(element);
  return key !== undefined && container.find(key) !== undefined;
}

/** For constant lists of plain values: what a lookup finds them by. */
export function membersOf(list: ListValue): ReadonlySet<unknown> | undefined {
  const keys = list.values().map((value) => keyOf(value) ?? (typeof value === 'number' || value === null ? value : undefined));
  return keys.includes(undefined) ? undefined : new Set(keys);
}
