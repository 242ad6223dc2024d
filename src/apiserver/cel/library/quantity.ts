// SPDX-License-Identifier: Apache-2.0
// Kubernetes quantities in expressions (apiserver pkg/cel/library/quantity.go).
import { addQuantity, compareQuantity, findQuantity, type Quantity, quantityProblem, subtractQuantity } from '#machinery';
import type { Library } from '../declarations.ts';
import { failure, type Opaque, type Value } from '../values.ts';

const NANO = 1_000_000_000n;
const LARGEST = 2n ** 63n;

class QuantityValue implements Opaque {
  readonly opaque = 'kubernetes.Quantity';
  readonly quantity: Quantity;
  constructor(quantity: Quantity) {
    this.quantity = quantity;
  }
  equals(other: unknown): boolean {
    return other instanceof QuantityValue && compareQuantity(this.quantity, other.quantity) === 0;
  }
}

function of(value: Value | undefined): Quantity {
  if (typeof value === 'bigint') return { nanos: value * NANO, format: 'DecimalSI' };
  return (value as unknown as QuantityValue).quantity;
}

function made(quantity: Quantity): Value {
  return new QuantityValue(quantity);
}

function parse(text: string): Value {
  const found = findQuantity(text);
  return found === undefined ? failure(quantityProblem(text)) : made(found);
}

function isWhole({ nanos }: Quantity): boolean {
  const value = nanos / NANO;
  return nanos % NANO === 0n && value < LARGEST && value >= -LARGEST;
}

export const QUANTITY: Library = {
  quantity: [['string_to_quantity', '(string)->Quantity', (text) => parse(text as string)]],
  isQuantity: [['is_quantity_string', '(string)->bool', (text) => findQuantity(text as string) !== undefined]],
  sign: [['quantity_sign', 'Quantity.()->int', (value) => (of(value).nanos > 0n ? 1n : of(value).nanos < 0n ? -1n : 0n)]],
  isInteger: [['quantity_is_integer', 'Quantity.()->bool', (value) => isWhole(of(value))]],
  asInteger: [
    [
      'quantity_as_integer',
      'Quantity.()->int',
      (value) => (isWhole(of(value)) ? of(value).nanos / NANO : failure('cannot convert value to integer')),
    ],
  ],
  asApproximateFloat: [['quantity_get_float', 'Quantity.()->double', (value) => Number(of(value).nanos) / 1e9]],
  isGreaterThan: [['quantity_is_greater_than', 'Quantity.(Quantity)->bool', (a, b) => compareQuantity(of(a), of(b)) > 0]],
  isLessThan: [['quantity_is_less_than', 'Quantity.(Quantity)->bool', (a, b) => compareQuantity(of(a), of(b)) < 0]],
  compareTo: [['quantity_compare_to', 'Quantity.(Quantity)->int', (a, b) => BigInt(Math.sign(compareQuantity(of(a), of(b))))]],
  add: [
    ['quantity_add', 'Quantity.(Quantity)->Quantity', (a, b) => made(addQuantity(of(a), of(b)))],
    ['quantity_add_int', 'Quantity.(int)->Quantity', (a, b) => made(addQuantity(of(a), of(b)))],
  ],
  sub: [
    ['quantity_sub', 'Quantity.(Quantity)->Quantity', (a, b) => made(subtractQuantity(of(a), of(b)))],
    ['quantity_sub_int', 'Quantity.(int)->Quantity', (a, b) => made(subtractQuantity(of(a), of(b)))],
  ],
};
