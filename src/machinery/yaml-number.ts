// SPDX-License-Identifier: Apache-2.0
// Which texts of YAML are numbers, by the rules of upstream's parser: YAML 1.1 without the base of 60, with Go's prefixes; a point or
// an exponent alone is none. @source go-yaml v2 resolve.go
const INTEGER = /^[-+]?(?:0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO]?[0-7]+|0|[1-9][0-9]*)$/;
const FLOAT = /^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$/;

/** All that may be one. */
export const MAY_BE_NUMBER = /^[-+]?[.0-9][-+._0-9a-fA-FoOxX]*$/;

/** Undefined where it is text. */
export function readYamlNumber(text: string): number | undefined {
  if (text.startsWith('.')) return FLOAT.test(text) ? Number(text) : undefined;
  const digits = text.replaceAll('_', '');
  if (INTEGER.test(digits)) return readInteger(digits);
  return FLOAT.test(digits) ? Number(digits) : undefined;
}

function readInteger(digits: string): number {
  const unsigned = digits.replace(/^[-+]/, '');
  const value = Number(/^0[0-7]/.test(unsigned) ? `0o${unsigned.slice(1)}` : unsigned);
  return digits.startsWith('-') && value !== 0 ? -value : value;
}
