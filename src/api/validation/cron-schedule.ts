// SPDX-License-Identifier: Apache-2.0
// Whether a text is a cron schedule, with the complaints of the parser that upstream uses (five fields or a descriptor), and whether
// another one is the name of a time zone as Go's database has it, upper and lower case as they are there.
// @source upstream pkg/apis/batch/validation validateScheduleFormat, validateTimeZone; robfig/cron v3 parser.go

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
const EVERY = '@every ';

export interface ZoneUse {
  /** Whether the schedule had a zone of its own before, which it may keep. */
  readonly mayHaveZone: boolean;
  readonly hasTimeZone: boolean;
}

/** What is wrong with a schedule of a CronJob. */
export function scheduleProblems(text: string, { mayHaveZone, hasTimeZone }: ZoneUse): string[] {
  const problem = scheduleProblem(text);
  const list = problem === undefined ? [] : [problem];
  if (!text.includes('TZ')) return list;
  if (!mayHaveZone) return [...list, 'cannot use TZ or CRON_TZ in schedule, use timeZone field instead'];
  return hasTimeZone ? [...list, 'cannot use both timeZone field and TZ or CRON_TZ in schedule'] : list;
}

/** What the parser says of a schedule; undefined if nothing. */
export function scheduleProblem(text: string): string | undefined {
  const zone = /^(?:CRON_)?TZ=([^ ]*)( [\s\S]*)?$/.exec(text);
  if (zone !== null) {
    const [, name = '', rest = ''] = zone;
    return isTimeZone(name) ? scheduleProblem(rest.trim()) : `provided bad location ${name}: unknown time zone ${name}`;
  }
  if (text.startsWith('@')) return descriptorProblem(text);
  const fields = text.trim() === '' ? [] : text.trim().split(/\s+/);
  if (fields.length !== 5) return `expected exactly 5 fields, found ${fields.length}: [${fields.join(' ')}]`;
  for (const [index, field] of fields.entries()) {
    for (const range of field.split(',')) {
      const problem = range === '' ? undefined : rangeProblem(range, FIELDS[index] as Bounds);
      if (problem !== undefined) return problem;
    }
  }
  return undefined;
}

function descriptorProblem(text: string): string | undefined {
  if (DESCRIPTORS.has(text)) return undefined;
  if (!text.startsWith(EVERY)) return `unrecognized descriptor: ${text}`;
  const problem = durationProblem(text.slice(EVERY.length));
  return problem === undefined ? undefined : `failed to parse duration ${text}: ${problem}`;
}

const UNITS = new Set(['ns', 'us', 'µs', 'μs', 'ms', 's', 'm', 'h']);

/** As Go's `time.ParseDuration` complains. */
function durationProblem(text: string): string | undefined {
  let rest = text.replace(/^[+-]/, '');
  if (rest === '0') return undefined;
  const invalid = `time: invalid duration ${JSON.stringify(text)}`;
  if (rest === '') return invalid;
  while (rest !== '') {
    const [number = ''] = /^\d*\.?\d*/.exec(rest) ?? [];
    if (!/\d/.test(number)) return invalid;
    rest = rest.slice(number.length);
    const [unit = ''] = /^[^.\d]*/.exec(rest) ?? [];
    if (unit === '') return `time: missing unit in duration ${JSON.stringify(text)}`;
    if (!UNITS.has(unit)) return `time: unknown unit ${JSON.stringify(unit)} in duration ${JSON.stringify(text)}`;
    rest = rest.slice(unit.length);
  }
  return undefined;
}

function rangeProblem(text: string, bounds: Bounds): string | undefined {
  const [span = '', step, ...more] = text.split('/');
  const ends = span.split('-');
  let [start, end] = [bounds.min, bounds.max];
  if (ends[0] !== '*' && ends[0] !== '?') {
    const first = numberOf(ends[0] ?? '', bounds);
    if (typeof first === 'string') return first;
    if (ends.length > 2) return `too many hyphens: ${text}`;
    const last = ends[1] === undefined ? first : numberOf(ends[1], bounds);
    if (typeof last === 'string') return last;
    [start, end] = [first, last];
  }
  if (more.length > 0) return `too many slashes: ${text}`;
  let width = 1;
  if (step !== undefined) {
    const parsed = wholeOf(step);
    if (typeof parsed === 'string') return parsed;
    width = parsed;
    if (ends.length === 1) end = bounds.max;
  }
  if (start < bounds.min) return `beginning of range (${start}) below minimum (${bounds.min}): ${text}`;
  if (end > bounds.max) return `end of range (${end}) above maximum (${bounds.max}): ${text}`;
  if (start > end) return `beginning of range (${start}) beyond end of range (${end}): ${text}`;
  return width === 0 ? `step of range should be a positive number: ${text}` : undefined;
}

function numberOf(text: string, { names, min }: Bounds): number | string {
  const named = names.indexOf(text.toLowerCase());
  return named >= 0 ? named + (min === 1 ? 1 : 0) : wholeOf(text);
}

function wholeOf(text: string): number | string {
  const problem = (why: string) => `failed to parse int from ${text}: strconv.Atoi: parsing ${JSON.stringify(text)}: ${why}`;
  if (!/^[+-]?\d+$/.test(text)) return problem('invalid syntax');
  if (BigInt.asIntN(64, BigInt(text.replace('+', ''))) !== BigInt(text.replace('+', ''))) return problem('value out of range');
  return Number(text) < 0 ? `negative number (${Number(text)}) not allowed: ${text}` : Number(text);
}

const ZONE_PART = /^[A-Za-z.\-_0-9+]{1,14}$/;

/** What is wrong with `spec.timeZone`. */
export function timeZoneProblems(zone: string): string[] {
  if (zone === '') return ['timeZone must be nil or non-empty string'];
  const isName = (part: string) => part !== '.' && part !== '..' && !part.startsWith('-') && ZONE_PART.test(part);
  const unknown = `unknown time zone ${zone}`;
  if (!zone.split('/').every(isName)) return [unknown];
  const isLocal = zone.toLowerCase() === 'local';
  const list = isLocal ? ['timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones'] : [];
  return zone === 'Local' || isTimeZone(zone) ? list : [...list, unknown];
}

/** Links that are written in capitals, unlike all other names. */
const CAPITALS =
  /^(?:UTC|UCT|GMT|GMT[+-]?0|CET|EET|EST|HST|MET|MST|WET|PRC|ROC|ROK|GB|NZ|W-SU|GB-Eire|NZ-CHAT|(?:EST5E|CST6C|MST7M|PST8P)DT)$/;
const AREAS = /^(?:Africa|America|Antarctica|Arctic|Asia|Atlantic|Australia|Brazil|Canada|Chile|Etc|Europe|Indian|Mexico|Pacific|US)\//;
const ALONE =
  /^(?:Cuba|Egypt|Eire|Factory|Greenwich|Hongkong|Iceland|Iran|Israel|Jamaica|Japan|Kwajalein|Libya|Navajo|Poland|Portugal|Singapore|Turkey|Universal|Zulu)$/;
/** Parts of names begin with a capital and are not all capitals, but for short ones: `Etc/UTC`, `Australia/NSW`. */
const isWritten = (part: string) => /^[A-Z]/.test(part) && !/^[A-Z_-]{4,}$/.test(part);

/** Whether Go's database has the zone. Names compare exactly, which `Intl` does not do. */
export function isTimeZone(zone: string): boolean {
  if (CAPITALS.test(zone) || ALONE.test(zone)) return true;
  if (!AREAS.test(zone) || !zone.split('/').every(isWritten)) return false;
  try {
    new Intl.DateTimeFormat('en', { timeZone: zone });
    return true;
  } catch {
    return false;
  }
}
