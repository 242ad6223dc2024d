// SPDX-License-Identifier: Apache-2.0
// Times as the API writes and reads them: RFC 3339 by Go's rules, seconds for `Time`, microseconds for `MicroTime`. The API keeps
// times in UTC and cuts what is finer than its form.

const RFC3339 = /^(\d{4})-(\d{2})-(\d{2})T(\d{1,2}):(\d{2}):(\d{2})(?:[.,](\d+))?(Z|[+-]\d{2}:\d{2})$/;
/** Of a layout with a fraction, Go wants each digit. */
const RFC3339_MICRO = /^(\d{4})-(\d{2})-(\d{2})T(\d{1,2}):(\d{2}):(\d{2})[.,](\d{6})(Z|[+-]\d{2}:\d{2})$/;
const CANONICAL = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;
const LAYOUT = '2006-01-02T15:04:05Z07:00';
const MICRO_LAYOUT = '2006-01-02T15:04:05.000000Z07:00';

export interface ParsedTime {
  /** Whole seconds since the epoch. */
  readonly seconds: number;
  readonly nanos: number;
}

/** Thrown when a text is no time; the message is Go's. */
export class TimeParseError extends Error {
  override readonly name = 'TimeParseError';
}

/** Parses an RFC 3339 time. @throws {TimeParseError} */
export function parseTime(text: string): ParsedTime {
  const plain = plainSeconds(text);
  return plain === undefined ? parseParts(text, RFC3339, LAYOUT) : { seconds: plain, nanos: 0 };
}

function parseParts(text: string, pattern: RegExp, layout: string): ParsedTime {
  const match = pattern.exec(text);
  if (match === null) throw new TimeParseError(explain(text, layout));
  const [, year = '', month = '', day = '', hour = '', minute = '', second = '', fraction = '', zone = 'Z'] = match;
  const ranges: readonly (readonly [string, number, number, string])[] = [
    [month, 1, 12, 'month'],
    [day, 1, daysIn(Number(year), Number(month)), 'day'],
    [hour, 0, 23, 'hour'],
    [minute, 0, 59, 'minute'],
    [second, 0, 59, 'second'],
  ];
  for (const [value, least, most, what] of ranges) {
    if (Number(value) < least || Number(value) > most)
      throw new TimeParseError(`parsing time ${JSON.stringify(text)}: ${what} out of range`);
  }
  const utc = Date.UTC(2000, Number(month) - 1, Number(day), Number(hour), Number(minute), Number(second));
  const date = new Date(utc);
  date.setUTCFullYear(Number(year), Number(month) - 1, Number(day));
  const nanos = Number(fraction.slice(0, 9).padEnd(9, '0'));
  return { seconds: date.getTime() / 1000 - offsetSeconds(zone), nanos };
}

/** The usual form, of days that every month has, in a tenth of the time; undefined for all others. */
function plainSeconds(text: string): number | undefined {
  if (text.length !== 20 || !CANONICAL.test(text) || text.slice(8, 10) > '28' || text.slice(11, 13) > '23') return undefined;
  const milliseconds = Date.parse(text);
  return Number.isNaN(milliseconds) ? undefined : milliseconds / 1000;
}

function daysIn(year: number, month: number): number {
  return month === 2 ? (year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28) : [4, 6, 9, 11].includes(month) ? 30 : 31;
}

function offsetSeconds(zone: string): number {
  if (zone === 'Z') return 0;
  const seconds = Number(zone.slice(1, 3)) * 3600 + Number(zone.slice(4, 6)) * 60;
  return zone.startsWith('-') ? -seconds : seconds;
}

/** Go names the part of the layout at which it gave up. */
function explain(text: string, layout: string): string {
  const parts: readonly (readonly [RegExp, string])[] = [
    [/^\d{4}/, '2006'],
    [/^-/, '-'],
    [/^\d{2}/, '01'],
    [/^-/, '-'],
    [/^\d{2}/, '02'],
    [/^T/, 'T'],
    [/^\d{1,2}/, '15'],
    [/^:/, ':'],
    [/^\d{2}/, '04'],
    [/^:/, ':'],
    [/^\d{2}/, '05'],
    [layout === MICRO_LAYOUT ? /^[.,]\d{6}/ : /^(?:[.,]\d+)?/, '.000000'],
    [/^(?:Z|[+-]\d{2}:\d{2})/, 'Z07:00'],
  ];
  let rest = text;
  for (const [pattern, name] of parts) {
    const match = pattern.exec(rest);
    if (match === null)
      return `parsing time ${JSON.stringify(text)} as ${JSON.stringify(layout)}: cannot parse ${JSON.stringify(rest)} as ${JSON.stringify(name)}`;
    rest = rest.slice(match[0].length);
  }
  return `parsing time ${JSON.stringify(text)}: extra text: ${JSON.stringify(rest)}`;
}

/** Milliseconds since the epoch of a time the API wrote; NaN where there is none. */
export function timeMs(text: string | undefined): number {
  return text === undefined || text === '' ? Number.NaN : Date.parse(text);
}

/** A `Time` in its stored form: UTC, whole seconds. @throws {TimeParseError} */
export function canonicalTime(text: string): string {
  const { seconds } = parseTime(text);
  return CANONICAL.test(text) ? text : formatSeconds(seconds, '');
}

/** A `MicroTime` in its stored form: UTC, six digits of fraction. @throws {TimeParseError} */
export function canonicalMicroTime(text: string): string {
  const { seconds, nanos } = parseParts(text, RFC3339_MICRO, MICRO_LAYOUT);
  return formatSeconds(seconds, `.${String(Math.floor(nanos / 1000)).padStart(6, '0')}`);
}

export function formatSeconds(seconds: number, fraction: string): string {
  return `${new Date(seconds * 1000).toISOString().slice(0, 19)}${fraction}Z`;
}
