// SPDX-License-Identifier: Apache-2.0
// Cron schedules as upstream's (robfig/cron standard parser): five fields with lists, ranges, steps and names, macros, `@every`, and a
// time zone. Pure.

export interface Schedule {
  /** The first time after `after`, in milliseconds; undefined if there is none within five years. */
  next(after: number): number | undefined;
}

/** Thrown when a schedule cannot be read. */
export class ScheduleError extends Error {
  override readonly name = 'ScheduleError';
}

const MACROS: ReadonlyMap<string, string> = new Map([
  ['@yearly', '0 0 1 1 *'],
  ['@annually', '0 0 1 1 *'],
  ['@monthly', '0 0 1 * *'],
  ['@weekly', '0 0 * * 0'],
  ['@daily', '0 0 * * *'],
  ['@midnight', '0 0 * * *'],
  ['@hourly', '0 * * * *'],
]);
const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
const UNITS: Readonly<Record<string, number>> = { h: 3_600_000, m: MINUTE_MS, s: 1000 };

interface FieldRule {
  readonly least: number;
  readonly most: number;
  readonly names?: readonly string[];
  /** What the first name stands for. */
  readonly first?: number;
}

interface Fields {
  readonly minutes: ReadonlySet<number>;
  readonly hours: ReadonlySet<number>;
  readonly days: ReadonlySet<number>;
  readonly months: ReadonlySet<number>;
  readonly weekdays: ReadonlySet<number>;
  readonly anyDay: boolean;
  readonly anyWeekday: boolean;
}

/** @param timeZone IANA name. @throws {ScheduleError} */
export function parseSchedule(text: string, timeZone = 'UTC'): Schedule {
  const inline = /^(?:TZ|CRON_TZ)=(\S+)\s+(.*)$/.exec(text.trim());
  if (inline !== null) return parseSchedule(inline[2] ?? '', inline[1]);
  const trimmed = text.trim();
  if (trimmed.startsWith('@every ')) return every(parseInterval(trimmed.slice(7).trim()));
  const fields = (MACROS.get(trimmed) ?? trimmed).split(/\s+/);
  if (fields.length !== 5 || trimmed.startsWith('@') !== MACROS.has(trimmed))
    throw new ScheduleError(`expected exactly 5 fields, found ${fields.length}: [${text}]`);
  const [minute = '', hour = '', day = '', month = '', weekday = ''] = fields;
  const weekdays = new Set([...parseField(weekday, { least: 0, most: 7, names: DAYS })].map((value) => value % 7));
  return new CronSchedule(
    {
      minutes: parseField(minute, { least: 0, most: 59 }),
      hours: parseField(hour, { least: 0, most: 23 }),
      days: parseField(day, { least: 1, most: 31 }),
      months: parseField(month, { least: 1, most: 12, names: MONTHS, first: 1 }),
      weekdays,
      anyDay: isAny(day),
      anyWeekday: isAny(weekday),
    },
    zoneFormat(timeZone),
  );
}

function isAny(field: string): boolean {
  return field.startsWith('*') || field === '?';
}

function parseInterval(text: string): number {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)([hms])/g)];
  if (parts.length === 0 || parts.map(([whole]) => whole).join('') !== text)
    throw new ScheduleError(`failed to parse duration @every ${text}`);
  const ms = parts.reduce((sum, [, amount, unit]) => sum + Number(amount) * (UNITS[unit ?? 's'] ?? 0), 0);
  return Math.max(1000, Math.floor(ms / 1000) * 1000);
}

function every(ms: number): Schedule {
  return { next: (after) => Math.floor(after / 1000) * 1000 + ms };
}

function parseField(text: string, rule: FieldRule): Set<number> {
  const found = new Set<number>();
  for (const part of text.split(',')) {
    const match = /^(\*|\?|[0-9a-z]+)(?:-([0-9a-z]+))?(?:\/(\d+))?$/i.exec(part);
    if (match === null) throw new ScheduleError(`failed to parse field ${JSON.stringify(text)}`);
    const [, from = '', to, stepText] = match;
    const step = Number(stepText ?? '1');
    const isWild = from === '*' || from === '?';
    const first = isWild ? rule.least : parseValue(from, rule);
    const last = isWild || (to === undefined && stepText !== undefined) ? rule.most : to === undefined ? first : parseValue(to, rule);
    if (step === 0) throw new ScheduleError(`step of range should be a positive number: ${part}`);
    if (first < rule.least || last > rule.most || first > last)
      throw new ScheduleError(`range (${first}-${last}) is not within ${rule.least}-${rule.most}: ${part}`);
    for (let value = first; value <= last; value += step) found.add(value);
  }
  return found;
}

function parseValue(text: string, { names = [], first = 0 }: FieldRule): number {
  if (/^\d+$/.test(text)) return Number(text);
  const at = names.indexOf(text.toLowerCase());
  if (at < 0) throw new ScheduleError(`failed to parse number: ${text}`);
  return at + first;
}

function zoneFormat(timeZone: string): Intl.DateTimeFormat {
  try {
    return new Intl.DateTimeFormat('en-US', {
      timeZone,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
    });
  } catch (error) {
    throw new ScheduleError(`unknown time zone ${timeZone}`, { cause: error });
  }
}

const MOST_DAYS = 5 * 366;

class CronSchedule implements Schedule {
  readonly #fields: Fields;
  readonly #format: Intl.DateTimeFormat;

  constructor(fields: Fields, format: Intl.DateTimeFormat) {
    this.#fields = fields;
    this.#format = format;
  }

  next(after: number): number | undefined {
    const { hours, minutes } = this.#fields;
    const start = this.#local(after);
    let day = Date.UTC(start.year, start.month - 1, start.day);
    for (let count = 0; count <= MOST_DAYS; count++, day += DAY_MS) {
      if (!this.#isDay(new Date(day))) continue;
      for (const hour of [...hours].sort((a, b) => a - b)) {
        for (const minute of [...minutes].sort((a, b) => a - b)) {
          const at = this.#instant(day + hour * 60 * MINUTE_MS + minute * MINUTE_MS);
          if (at !== undefined && at > after) return at;
        }
      }
    }
    return undefined;
  }

  #isDay(date: Date): boolean {
    const { months, days, weekdays, anyDay, anyWeekday } = this.#fields;
    if (!months.has(date.getUTCMonth() + 1)) return false;
    const byDay = days.has(date.getUTCDate());
    const byWeekday = weekdays.has(date.getUTCDay());
    // With both given, either is enough.
    return anyDay || anyWeekday ? byDay && byWeekday : byDay || byWeekday;
  }

  #local(ms: number): { year: number; month: number; day: number; asUtc: number } {
    const parts = Object.fromEntries(this.#format.formatToParts(ms).map(({ type, value }) => [type, Number(value)]));
    const { year = 0, month = 1, day = 1, hour = 0, minute = 0 } = parts;
    return { year, month, day, asUtc: Date.UTC(year, month - 1, day, hour, minute) };
  }

  /** The moment at which the zone's clocks show a time; undefined where they skip it. */
  #instant(wall: number): number | undefined {
    for (const guess of [wall, wall - DAY_MS / 2, wall + DAY_MS / 2]) {
      const offset = this.#local(guess).asUtc - Math.floor(guess / MINUTE_MS) * MINUTE_MS;
      const at = wall - offset;
      if (this.#local(at).asUtc === wall) return at;
    }
    return undefined;
  }
}
