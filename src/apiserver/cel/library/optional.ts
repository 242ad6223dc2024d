// SPDX-License-Identifier: Apache-2.0
// Functions of optional values (cel-go cel/library.go). `or` and `orValue` are run by the interpreter: their argument is only
// evaluated when it is needed.
import type { Library } from '../declarations.ts';
import { Duration, failure, ListValue, OptionalValue, sizeOf, Timestamp, Uint, type Value } from '../values.ts';

/** The zero of Go's times: 0001-01-01T00:00:00Z. */
const FIRST_MOMENT = -62_135_596_800_000_000_000n;

function isZero(value: Value): boolean {
  if (value === null || value === false || value === '' || value === 0 || value === 0n) return true;
  if (typeof value !== 'object') return false;
  if (value instanceof Uint) return value.value === 0n;
  if (value instanceof Duration) return value.nanos === 0n;
  if (value instanceof Timestamp) return value.nanos === FIRST_MOMENT;
  if (value instanceof OptionalValue) return value.value === undefined;
  return sizeOf(value) === 0;
}

function unwrapAll(list: Value | undefined): ListValue {
  const values = (list as ListValue).values();
  return new ListValue(values.flatMap((one) => (one instanceof OptionalValue ? (one.value === undefined ? [] : [one.value]) : [one])));
}

export const OPTIONAL: Library = {
  'optional.of': [['optional_of', '(A)->optional(A)', (value) => new OptionalValue(value)]],
  'optional.none': [['optional_none', '()->optional(A)', () => OptionalValue.NONE]],
  'optional.ofNonZeroValue': [
    ['optional_ofNonZeroValue', '(A)->optional(A)', (value) => (isZero(value as Value) ? OptionalValue.NONE : new OptionalValue(value))],
  ],
  'optional.unwrap': [['optional_unwrap', '(list(optional(A)))->list(A)', unwrapAll]],
  unwrapOpt: [['optional_unwrapOpt', 'list(optional(A)).()->list(A)', unwrapAll]],
  hasValue: [['optional_hasValue', 'optional(A).()->bool', (value) => (value as OptionalValue).value !== undefined]],
  value: [['optional_value', 'optional(A).()->A', (value) => (value as OptionalValue).value ?? failure('optional.none() dereference')]],
  or: [['optional_or_optional', 'optional(A).(optional(A))->optional(A)', (value) => value as Value]],
  orValue: [['optional_orValue_value', 'optional(A).(A)->A', (value) => value as Value]],
};
