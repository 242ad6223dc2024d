// SPDX-License-Identifier: Apache-2.0
// Values as Go's `%v` prints them: `map[a:1 b:[x y]]`. Upstream's messages quote patches in this form.

/** A JSON value as `%v` prints it once decoded into an interface. */
export function goValue(value: unknown): string {
  if (value === null || value === undefined) return '<nil>';
  if (Array.isArray(value)) return `[${value.map(goValue).join(' ')}]`;
  if (typeof value === 'number') return goNumber(value);
  if (typeof value !== 'object') return String(value);
  const object = value as Record<string, unknown>;
  const members = Object.keys(object).sort();
  return `map[${members.map((key) => `${key}:${goValue(object[key])}`).join(' ')}]`;
}

/** Whole numbers as they are; fractions with an exponent of two digits where they are very small or large. */
function goNumber(value: number): string {
  const [digits = '', power = '0'] = value.toExponential().split('e');
  const exponent = Number(power);
  if (exponent >= -4 && exponent < 21) return String(value);
  return `${digits}e${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`;
}
