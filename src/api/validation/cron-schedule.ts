// SPDX-License-Identifier: Apache-2.0
// Whether a text is a cron schedule, with the complaints of the parser that upstream uses (five fields or a descriptor).

interface Bounds {
  readonly min: number;
  readonly max: number;
  readonly names: readonly string[];
}

const MONTHS = 'jan feb mar apr may jun jul aug sep oct nov dec'.split(' ');
const DAYS = 'sun mon tue wed thu fri sat'.split(' ');
const FIELDS: readonly Bounds[] = [
  { min: 0, max: 59, names: [] },
  { min: 0, max: 23, names: [] },
  { min: 1, max: 31, names: [] },
  { min: 1, max: 12, names: MONTHS },
  { min: 0, max: 6, names: DAYS },
];
const DESCRIPTORS = new Set(['@yearly', '@annually', '@monthly', '@weekly', '@daily', '@midnight', '@hourly']);

/** What is wrong with a schedule; undefined if nothing is. */
export function scheduleProblem(text: string): string | undefined {
  if (text.includes('TZ')) return 'cannot use TZ or CRON_TZ in schedule, use timeZone field instead';
  if (text.startsWith('@')) {
    if (DESCRIPTORS.has(text) || /^@every (\d+(\.\d+)?(ns|us|ms|s|m|h))+$/.test(text)) return undefined;
    return `unrecognized descriptor: ${text}`;
  }
  const fields = text.trim().split(/\s+/);
  if (fields.length !== 5) return `expected exactly 5 fields, found ${fields.length}: [${fields.join(' ')}]`;
  for (const [index, field] of fields.entries()) {
    for (const range of field.split(',')) {
      const problem = rangeProblem(range, FIELDS[index] as Bounds);
      if (problem !== undefined) return problem;
    }
  }
  return undefined;
}

function rangeProblem(text: string, bounds: Bounds): string | undefined {
  const [span = '', step, ...more] = text.split('/');
  if (more.length > 0) return `too many slashes: ${text}`;
  const ends = span.split('-');
  if (ends.length > 2) return `too many hyphens: ${text}`;
  let [start, end] = [bounds.min, bounds.max];
  if (span !== '*' && span !== '?') {
    const [first, last] = [numberOf(ends[0] ?? '', bounds), ends[1] === undefined ? undefined : numberOf(ends[1], bounds)];
    if (typeof first === 'string') return first;
    if (typeof last === 'string') return last;
    start = first;
    end = last ?? (step === undefined ? first : bounds.max);
  }
  if (step !== undefined) {
    if (!/^\d+$/.test(step)) return `failed to parse int from ${step}: strconv.Atoi: parsing "${step}": invalid syntax`;
    if (Number(step) === 0) return `step of range should be a positive number: ${text}`;
  }
  if (start < bounds.min) return `beginning of range (${start}) below minimum (${bounds.min}): ${text}`;
  if (end > bounds.max) return `end of range (${end}) above maximum (${bounds.max}): ${text}`;
  return start > end ? `beginning of range (${start}) beyond end of range (${end}): ${text}` : undefined;
}

function numberOf(text: string, { names, min }: Bounds): number | string {
  const named = names.indexOf(text.toLowerCase());
  if (named >= 0) return named + (min === 1 ? 1 : 0);
  return /^\d+$/.test(text) ? Number(text) : `failed to parse int from ${text}: strconv.Atoi: parsing "${text}": invalid syntax`;
}
