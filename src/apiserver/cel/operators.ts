// SPDX-License-Identifier: Apache-2.0
// Arithmetic and order: 64-bit integers that fail on overflow, times and durations, text, bytes and lists. An operand of the
// wrong type fails as upstream does: with the signature where the left operand knows no such operation at all.
import { compare, concatenate, isOrdered } from './equality.ts';
import { durationInRange, timestampInRange } from './time.ts';
import { Duration, Failure, failure, ListValue, NO_OVERLOAD, Timestamp, typeOfValue, Uint, type Value } from './values.ts';

const INT_MIN = -(2n ** 63n);
const INT_MAX = 2n ** 63n - 1n;
const UINT_MAX = 2n ** 64n - 1n;
export const INT_OVERFLOW = new Failure('integer overflow');
export const UINT_OVERFLOW = new Failure('unsigned integer overflow');

export function toInt(value: bigint): Value {
  return value < INT_MIN || value > INT_MAX ? INT_OVERFLOW : value;
}
export function toUint(value: bigint): Value {
  return value < 0n || value > UINT_MAX ? UINT_OVERFLOW : new Uint(value);
}

export function noOverload(name: string, args: readonly Value[]): Failure {
  return failure(`no such overload: ${name}(${args.map(typeOfValue).join(', ')})`);
}

/** A list under construction by a macro: `+` appends to it in place. */
export class ListBuilder {
  readonly items: Value[] = [];
}

function add(a: Value, b: Value): Value | undefined {
  if (typeof a === 'bigint') return typeof b === 'bigint' ? toInt(a + b) : NO_OVERLOAD;
  if (typeof a === 'string') return typeof b === 'string' ? a + b : NO_OVERLOAD;
  if (typeof a === 'number') return typeof b === 'number' ? a + b : NO_OVERLOAD;
  if (a instanceof ListValue) return b instanceof ListValue ? concatenate(a, b) : NO_OVERLOAD;
  if (a instanceof Uint) return b instanceof Uint ? toUint(a.value + b.value) : NO_OVERLOAD;
  if (a instanceof Uint8Array) return b instanceof Uint8Array ? new Uint8Array([...a, ...b]) : NO_OVERLOAD;
  if (a instanceof Duration) {
    if (b instanceof Duration) return durationInRange(a.nanos + b.nanos);
    return b instanceof Timestamp ? timestampInRange(b.nanos + a.nanos, b.offset) : NO_OVERLOAD;
  }
  if (a instanceof Timestamp) return b instanceof Duration ? timestampInRange(a.nanos + b.nanos, a.offset) : NO_OVERLOAD;
  return undefined;
}

function subtract(a: Value, b: Value): Value | undefined {
  if (typeof a === 'bigint') return typeof b === 'bigint' ? toInt(a - b) : NO_OVERLOAD;
  if (typeof a === 'number') return typeof b === 'number' ? a - b : NO_OVERLOAD;
  if (a instanceof Uint) return b instanceof Uint ? toUint(a.value - b.value) : NO_OVERLOAD;
  if (a instanceof Duration) return b instanceof Duration ? durationInRange(a.nanos - b.nanos) : NO_OVERLOAD;
  if (a instanceof Timestamp) {
    if (b instanceof Duration) return timestampInRange(a.nanos - b.nanos, a.offset);
    return b instanceof Timestamp ? durationInRange(a.nanos - b.nanos) : NO_OVERLOAD;
  }
  return undefined;
}

function multiply(a: Value, b: Value): Value | undefined {
  if (typeof a === 'bigint') return typeof b === 'bigint' ? toInt(a * b) : NO_OVERLOAD;
  if (typeof a === 'number') return typeof b === 'number' ? a * b : NO_OVERLOAD;
  if (a instanceof Uint) return b instanceof Uint ? toUint(a.value * b.value) : NO_OVERLOAD;
  return undefined;
}

function divide(a: Value, b: Value): Value | undefined {
  if (typeof a === 'number') return typeof b === 'number' ? a / b : NO_OVERLOAD;
  if (typeof a === 'bigint') {
    if (typeof b !== 'bigint') return NO_OVERLOAD;
    return b === 0n ? failure('division by zero') : toInt(a / b);
  }
  if (!(a instanceof Uint)) return undefined;
  if (!(b instanceof Uint)) return NO_OVERLOAD;
  return b.value === 0n ? failure('division by zero') : new Uint(a.value / b.value);
}

function modulo(a: Value, b: Value): Value | undefined {
  if (typeof a === 'bigint') {
    if (typeof b !== 'bigint') return NO_OVERLOAD;
    return b === 0n ? failure('modulus by zero') : toInt(a % b);
  }
  if (!(a instanceof Uint)) return undefined;
  if (!(b instanceof Uint)) return NO_OVERLOAD;
  return b.value === 0n ? failure('modulus by zero') : new Uint(a.value % b.value);
}

function ordered(decide: (order: number) => boolean): (a: Value, b: Value) => Value | undefined {
  return (a, b) => {
    if (!isOrdered(a)) return undefined;
    const order = compare(a, b);
    return order instanceof Failure ? order : decide(order);
  };
}

const OPERATIONS: ReadonlyMap<string, (a: Value, b: Value) => Value | undefined> = new Map([
  ['_+_', add],
  ['_-_', subtract],
  ['_*_', multiply],
  ['_/_', divide],
  ['_%_', modulo],
  ['_<_', ordered((order) => order < 0)],
  ['_<=_', ordered((order) => order <= 0)],
  ['_>_', ordered((order) => order > 0)],
  ['_>=_', ordered((order) => order >= 0)],
]);

/** The operation behind an operator's function name. */
export function operation(name: string): ((a: Value, b: Value) => Value) | undefined {
  const run = OPERATIONS.get(name);
  return run === undefined ? undefined : (a, b) => run(a, b) ?? noOverload(name, [a, b]);
}

export function negate(value: Value): Value {
  if (typeof value === 'bigint') return toInt(-value);
  if (typeof value === 'number') return -value;
  return value instanceof Duration ? durationInRange(-value.nanos) : noOverload('-_', [value]);
}
