// SPDX-License-Identifier: Apache-2.0
// Quantities: `100m`, `1.5Gi`, `1e3`. Held exactly, as a count of nano-units with the format it was written in, and printed
// in upstream's canonical form (apimachinery resource.Quantity): no fraction, the largest suffix that keeps it whole.

export type QuantityFormat = 'DecimalSI' | 'BinarySI' | 'DecimalExponent';

export interface Quantity {
  readonly nanos: bigint;
  readonly format: QuantityFormat;
}

const NANO = 1_000_000_000n;
const DECIMAL: readonly (readonly [string, number])[] = [
  ['n', -9],
  ['u', -6],
  ['m', -3],
  ['', 0],
  ['k', 3],
  ['M', 6],
  ['G', 9],
  ['T', 12],
  ['P', 15],
  ['E', 18],
];
const BINARY: readonly (readonly [string, number])[] = [
  ['Ki', 10],
  ['Mi', 20],
  ['Gi', 30],
  ['Ti', 40],
  ['Pi', 50],
  ['Ei', 60],
];
const SYNTAX = /^([+-]?)(\d+(?:\.\d*)?|\.\d+)(?:([KMGTPE]i)|([numkMGTPE])|[eE]([+-]?\d+))?$/;
/** Upstream's text for whatever does not parse. */
export const QUANTITY_RULE = `quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'`;
const LARGEST = (2n ** 63n - 1n) * NANO;

/** @throws {RangeError} With upstream's text, if the text is no quantity. */
export function parseQuantity(text: string | number): Quantity {
  const found = findQuantity(String(text));
  if (found === undefined) throw new RangeError(QUANTITY_RULE);
  return found;
}

/** As `parseQuantity`, undefined where it is none. */
export function findQuantity(text: string): Quantity | undefined {
  const match = SYNTAX.exec(text);
  if (match === null) return undefined;
  const [, sign, digits = '0', binary, decimal, exponent] = match;
  const [whole = '', fraction = ''] = shortened(digits).split('.');
  const mantissa = BigInt(`${whole}${fraction}` || '0');
  let numerator = mantissa * NANO;
  let denominator = 10n ** BigInt(fraction.length);
  let format: QuantityFormat = 'DecimalSI';
  if (binary !== undefined) {
    numerator <<= BigInt(BINARY.find(([suffix]) => suffix === binary)?.[1] ?? 0);
    format = 'BinarySI';
  } else {
    const power = exponent === undefined ? (DECIMAL.find(([suffix]) => suffix === (decimal ?? ''))?.[1] ?? 0) : Number(exponent);
    if (exponent !== undefined) format = 'DecimalExponent';
    if (Math.abs(power) > 400) return undefined;
    if (power >= 0) numerator *= 10n ** BigInt(power);
    else denominator *= 10n ** BigInt(-power);
  }
  // Rounds up and away from zero, as upstream does below a nano-unit.
  let nanos = (numerator + denominator - 1n) / denominator;
  if (nanos > LARGEST) nanos = LARGEST;
  return { nanos: sign === '-' ? -nanos : nanos, format };
}

/** More digits than these say nothing, but that a value is beyond the largest, or not exactly what its first digits say. */
const DIGITS = 500;

function shortened(digits: string): string {
  if (digits.length <= DIGITS) return digits;
  const [whole = '', fraction = ''] = digits.split('.');
  const large = whole.replace(/^0+/, '').slice(0, DIGITS);
  const small = fraction.slice(0, DIGITS);
  return `${large || '0'}.${small}${/[1-9]/.test(fraction.slice(DIGITS)) ? '1' : ''}`;
}

/** The canonical text. Binary formats fall back to decimal below 1024 or with a fraction. */
export function formatQuantity(quantity: Quantity): string {
  const { nanos, format } = quantity;
  if (nanos === 0n) return '0';
  if (format === 'BinarySI' && nanos % NANO === 0n && abs(nanos / NANO) >= 1024n) {
    let value = nanos / NANO;
    let suffix = '';
    for (const [name] of BINARY) {
      if (value % 1024n !== 0n) break;
      value /= 1024n;
      suffix = name;
    }
    return `${value}${suffix}`;
  }
  let value = nanos;
  let power = -9;
  while (value % 1000n === 0n && power < 18) {
    value /= 1000n;
    power += 3;
  }
  if (format === 'DecimalExponent') return power === 0 ? `${value}` : `${value}e${power}`;
  return `${value}${DECIMAL.find(([, exponent]) => exponent === power)?.[0] ?? ''}`;
}

const abs = (value: bigint) => (value < 0n ? -value : value);

/** The text as upstream stores it, or the text itself if it does not parse. */
export function canonicalQuantity(text: string | number): string {
  const quantity = findQuantity(String(text));
  return quantity === undefined ? String(text) : formatQuantity(quantity);
}

/** Whole units, rounded up (bytes, counts). */
export function unitsOf(text: string | number): number {
  const { nanos } = parseQuantity(text);
  return Number((nanos + (nanos > 0n ? NANO - 1n : 0n)) / NANO);
}

/** Thousandths, rounded up: CPU is counted so. */
export function milliOf(text: string | number): number {
  const { nanos } = parseQuantity(text);
  return Number((nanos + (nanos > 0n ? 999_999n : 0n)) / 1_000_000n);
}

export function addQuantity(a: Quantity, b: Quantity): Quantity {
  return { nanos: a.nanos + b.nanos, format: a.nanos === 0n ? b.format : a.format };
}

export function subtractQuantity(a: Quantity, b: Quantity): Quantity {
  return { nanos: a.nanos - b.nanos, format: a.nanos === 0n ? b.format : a.format };
}

/** Negative, zero or positive. */
export function compareQuantity(a: Quantity, b: Quantity): number {
  return a.nanos < b.nanos ? -1 : a.nanos > b.nanos ? 1 : 0;
}
