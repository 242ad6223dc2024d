// SPDX-License-Identifier: Apache-2.0
// How Go's JSON decoder speaks of values: the words and sentences of its errors, which clients of the API see.

/** What Go calls the value at hand: `string`, `number 1.5`, `array`, `object`, `bool`, `null`. */
export function describeJson(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  switch (typeof value) {
    case 'string':
      return 'string';
    case 'number':
      return `number ${formatNumber(value)}`;
    case 'symbol': // See exact-numbers.ts.
      return `number ${value.description}`;
    case 'boolean':
      return 'bool';
    default:
      return 'object';
  }
}

/** A number as it stood in the text, as far as a double keeps it. */
export function formatNumber(value: number): string {
  return Number.isInteger(value) && Math.abs(value) < 1e21 ? String(value) : String(value).replace('e+', 'e');
}

/** The error of a value at the root of a document. */
export function unmarshalError(value: unknown, goType: string): string {
  return `json: cannot unmarshal ${describeJson(value).replace(/^number .*/, 'number')} into Go value of type ${goType}`;
}
