// SPDX-License-Identifier: Apache-2.0
// Numbers of a JSON text whose value does not tell what Go's decoder makes of them: `1e3` and `1.0` are no integers to it, and a
// double cannot hold all the digits of an int64. Such texts are rare; they are parsed once more, each of these numbers as a symbol
// with its digits, which can be taken for nothing else.

/** One may stand in the text: found at the cost of a look, and only then told from what stands in strings. */
const UNUSUAL = /[:[,]\s*-?(?:\d{16}|\d+[.eE])/;

interface Source {
  readonly source: string;
}

/** `value`, with symbols in place of unusual numbers. @param value What `JSON.parse` made of the text. */
export function withExactNumbers(text: string, value: unknown): unknown {
  return UNUSUAL.test(text) ? JSON.parse(text, exact) : value;
}

function exact(_key: string, value: unknown, context?: Source): unknown {
  if (typeof value !== 'number' || context === undefined) return value;
  return String(value) === context.source ? value : Symbol(context.source);
}

/** What such a number was written as. */
export function textOfNumber(value: symbol): string {
  return value.description ?? '';
}

/** The nearest double. */
export function numberOf(value: symbol): number {
  return Number(value.description);
}

const INTEGER = /^-?\d+$/;
const LIMITS = { int32: 2n ** 31n, int64: 2n ** 63n } as const;
/** Above it is only 2^63, which is none. */
const LARGEST = 2 ** 63 - 2 ** 10;

/** As `strconv.ParseInt` reads it; undefined where it is no integer of the type. A double keeps 53 bits of it. */
export function integerOf(value: symbol, type: 'int32' | 'int64'): number | undefined {
  const text = textOfNumber(value);
  if (!INTEGER.test(text)) return undefined;
  const number = BigInt(text);
  return number < -LIMITS[type] || number >= LIMITS[type] ? undefined : Math.min(Number(number), LARGEST);
}
