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
/** Sign, digits, a fraction, and what may be a suffix. Each part may be missing: `.`, `-` and `Ki` are zero. */
const SYNTAX = /^([+-]?)(\d*)(?:\.(\d*))?([eEinumkKMGTP]*[-+]?\d*)$/;
const EXPONENT = /^[eE]([+-]?\d+)$/;
/** Upstream's text for whatever has another form. */
export const QUANTITY_RULE = `quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'`;
const SUFFIX_RULE = `unable to parse quantity's suffix`;
const LARGEST = (2n ** 63n - 1n) * NANO;

/** @throws {RangeError} With upstream's text, if the text is no quantity. */
export function parseQuantity(text: string | number): Quantity {
  const found = findQuantity(String(text));
  if (found === undefined) throw new RangeError(quantityProblem(String(text)));
  return found;
}

/** Upstream's text for what is no quantity. */
export function quantityProblem(text: string): string {
  return text !== '' && SYNTAX.test(text) ? SUFFIX_RULE : QUANTITY_RULE;
}

interface Scale {
  readonly format: QuantityFormat;
  readonly power: number;
}

function scaleOf(suffix: string): Scale | undefined {
  for (const [name, power] of DECIMAL) if (name === suffix) return { format: 'DecimalSI', power };
  for (const [name, power] of BINARY) if (name === suffix) return { format: 'BinarySI', power };
  const exponent = EXPONENT.exec(suffix)?.[1];
  return exponent === undefined ? undefined : { format: 'DecimalExponent', power: Number(exponent) };
}

/** What texts stand for: the same few (`100m`, `64Mi`) are asked for again and again, several times for one Pod. */
const known = new Map<string, Quantity>();
const MOST_KNOWN = 2_000;
/** Longer ones are rare, and not worth the room. */
const LONGEST_KNOWN = 24;

/** As `parseQuantity`, undefined where it is none. */
export function findQuantity(text: string): Quantity | undefined {
  if (text.length > LONGEST_KNOWN) return scan(text);
  const found = known.get(text);
  if (found !== undefined) return found;
  const scanned = scan(text);
  if (scanned === undefined) return undefined;
  if (known.size >= MOST_KNOWN) known.clear();
  known.set(text, scanned);
  return scanned;
}

function scan(text: string): Quantity | undefined {
  const match = SYNTAX.exec(text);
  if (match === null || text === '') return undefined;
  const [, sign, digits = '', decimals = '', suffix = ''] = match;
  const scale = scaleOf(suffix);
  if (scale === undefined || Math.abs(scale.power) > 400) return undefined;
  let { format } = scale;
  const [whole = '', fraction = ''] = shortened(`${digits}.${decimals}`).split('.');
  let numerator = BigInt(`${whole}${fraction}` || '0') * NANO;
  let denominator = 10n ** BigInt(fraction.length);
  if (format === 'BinarySI') numerator <<= BigInt(scale.power);
  else if (scale.power >= 0) numerator *= 10n ** BigInt(scale.power);
  else denominator *= 10n ** BigInt(-scale.power);
  // Rounds up and away from zero, as upstream does below a nano-unit.
  let nanos = (numerator + denominator - 1n) / denominator;
  if (format === 'BinarySI') {
    if (nanos > LARGEST) nanos = LARGEST;
    if (nanos > 0n && nanos < NANO) format = 'DecimalSI';
  }
  return { nanos: sign === '-' ? -nanos : nanos, format };
}

/** More digits than these are cut off: no value of use has them, and reading them all takes more than its share of time. */
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
  return findCanonical(String(text)) ?? String(text);
}

/** Upstream's parser counts in this many digits; longer numbers go another way. */
const FAST_DIGITS = 15;

/**
 * The text as upstream stores it; undefined where it is no quantity. Most are kept as they were written: a number whose scale is one
 * of the suffixes and that does not end with a thousand is taken for canonical, so that `1.500` and `1E3` stay.
 */
export function findCanonical(text: string): string | undefined {
  const match = SYNTAX.exec(text);
  if (match === null || text === '') return undefined;
  const [, , digits = '', decimals = '', suffix = ''] = match;
  const scale = scaleOf(suffix);
  if (scale !== undefined && isKept(digits.replace(/^0+/, '') || '0', decimals, scale)) return text;
  const found = findQuantity(text);
  return found === undefined ? undefined : formatQuantity(found);
}

function isKept(whole: string, fraction: string, { format, power }: Scale): boolean {
  if (format === 'BinarySI')
    return fraction === '' && FAST_DIGITS - whole.length - Math.trunc((power * 3) / 10) - 1 >= 0 && Number(whole) % 8 !== 0;
  const shifted = whole + fraction;
  const scale = power - fraction.length;
  if (shifted.length > FAST_DIGITS || scale < -9 || scale % 3 !== 0) return false;
  return !shifted.endsWith('000') && !shifted.startsWith('0');
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
