// SPDX-License-Identifier: Apache-2.0
// Reads Go's durations (`300ms`, `-1.5h`, `2h45m`) and refuses the rest in the words of Go's parser, which clients see in answers.

const UNIT_MS: Readonly<Record<string, number>> = { ns: 1e-6, us: 1e-3, µs: 1e-3, μs: 1e-3, ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
const PART = /^(\d*)(\.\d*)?/;

/** Thrown when the text is no duration; the message is Go's. */
export class DurationError extends Error {}

/** @returns Milliseconds. @throws {DurationError} */
export function parseGoDuration(text: string): number {
  const refuse = () => new DurationError(`time: invalid duration ${JSON.stringify(text)}`);
  const sign = text.startsWith('-') ? -1 : 1;
  let rest = text.replace(/^[+-]/, '');
  if (rest === '0') return 0;
  if (rest === '') throw refuse();
  let total = 0;
  while (rest !== '') {
    const [number = '', whole = '', fraction = ''] = PART.exec(rest) ?? [];
    if (whole === '' && fraction.length < 2) throw refuse();
    rest = rest.slice(number.length);
    const unit = /^[^.\d]*/.exec(rest)?.[0] ?? '';
    if (unit === '') throw new DurationError(`time: missing unit in duration ${JSON.stringify(text)}`);
    const factor = UNIT_MS[unit];
    if (factor === undefined) throw new DurationError(`time: unknown unit ${JSON.stringify(unit)} in duration ${JSON.stringify(text)}`);
    total += Number(`${whole || '0'}${fraction === '.' ? '' : fraction}`) * factor;
    rest = rest.slice(unit.length);
  }
  return sign * total;
}
