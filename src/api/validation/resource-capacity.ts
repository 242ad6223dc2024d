// SPDX-License-Identifier: Apache-2.0
// Validation of a device's capacity that several claims share: which amounts may be asked for, and which is given unasked.
// @source upstream pkg/apis/resource/validation validateRequestPolicy
import {
  addQuantity,
  compareQuantity,
  type DeepReadonly,
  type FieldCause,
  type FieldPath,
  findQuantity,
  forbiddenField,
  formatQuantity,
  invalidValue,
  type Quantity,
  required,
} from '../../machinery/mod.ts';
import type { CapacityRequestPolicy, CapacityRequestPolicyRange, DeviceCapacity } from '../generated/resource/v1.ts';
import { setCauses } from './resource-names.ts';
import { isSet } from './rules.ts';

const MOST_OPTIONS = 10;
const BILLION = 1_000_000_000n;

const quantityOf = (text: unknown): Quantity | undefined => (isSet(text) ? findQuantity(String(text)) : undefined);
/** Rounded up, as Go's `Value()` does. */
const wholeOf = ({ nanos }: Quantity) => (nanos + (nanos > 0n ? BILLION - 1n : 0n)) / BILLION;

/** @param isShared Whether more than one claim may have the device. */
export function capacityCauses({ value, requestPolicy }: DeepReadonly<DeviceCapacity>, path: FieldPath, isShared: boolean): FieldCause[] {
  if (!requestPolicy) return [];
  const at = path.child('requestPolicy');
  if (!isShared) return [forbiddenField(at, 'allowMultipleAllocations must be true')];
  const most = quantityOf(value);
  return most === undefined ? [] : policyCauses(requestPolicy, most, at);
}

function policyCauses(policy: DeepReadonly<CapacityRequestPolicy>, most: Quantity, path: FieldPath): FieldCause[] {
  const { validValues = [], validRange } = policy;
  const usual = quantityOf(policy.default);
  if (validValues.length > 0 && validRange)
    return [forbiddenField(path, 'exactly one policy can be specified, cannot specify "validValues" and "validRange" at the same time')];
  const kind = validValues.length > 0 ? 'validValues' : validRange ? 'validRange' : undefined;
  if (kind === undefined) return [];
  if (usual === undefined) return [required(path.child('default'), `required when ${kind} is defined`)];
  if (validRange) return rangeCauses(validRange, { usual, most }, path.child(kind));
  return optionCauses(
    validValues.flatMap((text) => quantityOf(text) ?? []),
    { usual, most },
    path.child(kind),
  );
}

interface Amounts {
  readonly usual: Quantity;
  readonly most: Quantity;
}

function optionCauses(options: readonly Quantity[], { usual, most }: Amounts, path: FieldPath): FieldCause[] {
  const causes: FieldCause[] = [];
  for (const [index, option] of options.entries()) {
    const before = options[index - 1];
    if (before !== undefined && compareQuantity(before, option) > 0)
      causes.push(invalidValue(path.index(index), formatQuantity(option), 'values must be sorted in ascending order'));
  }
  const over = `option is larger than capacity value: ${formatQuantity(most)}`;
  causes.push(
    ...setCauses(options, MOST_OPTIONS, path, {
      rule: (option, at) => (compareQuantity(option, most) > 0 ? [invalidValue(at, formatQuantity(option), over)] : []),
      keyOf: (option) => String(wholeOf(option)),
    }),
  );
  const isAmong = options.length <= MOST_OPTIONS && options.some((option) => compareQuantity(option, usual) === 0);
  return isAmong
    ? causes
    : [...causes, invalidValue(path, formatQuantity(usual), 'default value is not valid according to the requestPolicy')];
}

function rangeCauses(range: DeepReadonly<CapacityRequestPolicyRange>, { usual, most }: Amounts, path: FieldPath): FieldCause[] {
  const [min, max, step] = [quantityOf(range.min), quantityOf(range.max), quantityOf(range.step)];
  if (min === undefined) return [required(path.child('min'), 'required when validRange is defined')];
  const causes: FieldCause[] = [];
  const over = (a: Quantity, b: Quantity, name: 'min' | 'max', shown: Quantity, what: string) => {
    if (compareQuantity(a, b) > 0) causes.push(invalidValue(path.child(name), formatQuantity(shown), what));
  };
  const text = formatQuantity;
  over(min, most, 'min', min, `min is larger than capacity value: ${text(most)}`);
  over(min, usual, 'min', usual, `default is less than min: ${text(min)}`);
  if (max !== undefined) {
    over(min, max, 'max', min, `min is larger than max: ${text(max)}`);
    over(max, most, 'max', max, `max is larger than capacity value: ${text(most)}`);
    over(usual, max, 'max', usual, `default is more than max: ${text(max)}`);
  }
  return step === undefined ? causes : [...causes, ...stepCauses({ min, max, step }, { usual, most }, path.child('step'))];
}

interface Stepped {
  readonly min: Quantity;
  readonly max: Quantity | undefined;
  readonly step: Quantity;
}

function stepCauses({ min, max, step }: Stepped, { usual, most }: Amounts, path: FieldPath): FieldCause[] {
  const first = addQuantity(min, step);
  const why = `one step ${formatQuantity(first)} is larger than capacity value: ${formatQuantity(most)}`;
  const causes = compareQuantity(first, most) > 0 ? [invalidValue(path, formatQuantity(step), why)] : [];
  const width = wholeOf(step);
  const off = `value is not a multiple of a given step (${formatQuantity(step)}) from (${formatQuantity(min)})`;
  for (const value of [usual, max]) {
    if (value === undefined || width === 0n || (wholeOf(value) - wholeOf(min)) % width === 0n) continue;
    causes.push(invalidValue(path, formatQuantity(value), off));
  }
  return causes;
}
