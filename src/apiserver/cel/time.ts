// SPDX-License-Identifier: Apache-2.0
// Timestamps (RFC 3339) and durations (Go's `1h2m3.5s`) of CEL: reading, printing, ranges, parts by time zone.
import { Duration, Failure, failure, Timestamp, type Value } from './values.ts';

const SECOND = 1_000_000_000n;
/** 0001-01-01T00:00:00Z to 9999-12-31T23:59:59.999999999Z. */
const EARLIEST = -62135596800n * SECOND;
const LATEST = 253402300800n * SECOND - 1n;
const LONGEST = 2n ** 63n - 1n;
const RFC3339 = /^(\d{4})-(\d{2})-(\d{2})[Tt](\d{2}):(\d{2}):(\d{2})(?:\.(\d+))?(?:[Zz]|([+-])(\d{2}):(\d{2}))$/;
const UNITS: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1000n,
  µs: 1000n,
  μs: 1000n,
  ms: 1_000_000n,
  s: SECOND,
  m: 60n * SECOND,
  h: 3600n * SECOND,
};

export function parseTimestamp(text: string): Timestamp | undefined {
  const match = RFC3339.exec(text);
  if (match === null) return undefined;
  const [, year, month, day, hour, minute, second, fraction = '', sign, zoneHour = '0', zoneMinute = '0'] = match;
  const date = new Date(0);
  date.setUTCFullYear(Number(year), Number(month) - 1, Number(day));
  date.setUTCHours(Number(hour), Number(minute), Number(second));
  const isReal = date.getUTCMonth() === Number(month) - 1 && date.getUTCDate() === Number(day);
  if (!isReal || Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) return undefined;
  const offset = (sign === '-' ? -1 : 1) * (Number(zoneHour) * 3600 + Number(zoneMinute) * 60);
  const seconds = BigInt(date.getTime()) / 1000n - BigInt(offset);
  return new Timestamp(seconds * SECOND + BigInt(fraction.slice(0, 9).padEnd(9, '0')), offset);
}

function pad(value: number, width = 2): string {
  return String(value).padStart(width, '0');
}

function floorDivide(a: bigint, b: bigint): bigint {
  const quotient = a / b;
  return a % b < 0n ? quotient - 1n : quotient;
}

export function printTimestamp({ nanos, offset }: Timestamp): string {
  const seconds = floorDivide(nanos, SECOND);
  const date = new Date(Number(seconds + BigInt(offset)) * 1000);
  const rest = nanos - seconds * SECOND;
  const fraction = rest === 0n ? '' : `.${String(rest).padStart(9, '0').replace(/0+$/, '')}`;
  const minutes = Math.abs(offset) / 60;
  const zone = offset === 0 ? 'Z' : `${offset < 0 ? '-' : '+'}${pad(Math.floor(minutes / 60))}:${pad(minutes % 60)}`;
  const day = `${pad(date.getUTCFullYear(), 4)}-${pad(date.getUTCMonth() + 1)}-${pad(date.getUTCDate())}`;
  return `${day}T${pad(date.getUTCHours())}:${pad(date.getUTCMinutes())}:${pad(date.getUTCSeconds())}${fraction}${zone}`;
}

/** Go's time.ParseDuration. */
export function parseDuration(text: string): Duration | undefined {
  const [, sign, body = ''] = /^([+-]?)(.*)$/s.exec(text) ?? [];
  if (body === '0') return new Duration(0n);
  if (!/^(?:(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|\u03bcs|ms|s|m|h))+$/.test(body)) return undefined;
  let total = 0n;
  for (const [, whole = '', fraction = '', unit = ''] of body.matchAll(/(\d*)\.?(\d*)(ns|us|µs|\u03bcs|ms|s|m|h)/g)) {
    const size = UNITS[unit] ?? 0n;
    total += BigInt(whole || '0') * size + (BigInt(fraction || '0') * size) / 10n ** BigInt(fraction.length);
    if (total > LONGEST) return undefined;
  }
  return new Duration(sign === '-' ? -total : total);
}

/** Seconds, as `string(duration)` has them: `3723.004s`. */
export function printDuration({ nanos }: Duration): string {
  const size = nanos < 0n ? -nanos : nanos;
  const fraction = String(size % SECOND)
    .padStart(9, '0')
    .replace(/0+$/, '');
  return `${nanos < 0n ? '-' : ''}${size / SECOND}${fraction === '' ? '' : `.${fraction}`}s`;
}

export function timestampInRange(nanos: bigint, offset = 0): Timestamp | Failure {
  return nanos < EARLIEST || nanos > LATEST ? failure('timestamp overflow') : new Timestamp(nanos, offset);
}

export function durationInRange(nanos: bigint): Duration | Failure {
  return nanos > LONGEST || nanos < -LONGEST - 1n ? failure('duration overflow') : new Duration(nanos);
}

export type TimestampPart =
  | 'FullYear'
  | 'Month'
  | 'DayOfMonth'
  | 'Date'
  | 'DayOfWeek'
  | 'DayOfYear'
  | 'Hours'
  | 'Minutes'
  | 'Seconds'
  | 'Milliseconds';

/** Seconds east of UTC in a zone: `02:00`, `-08:00`, or a name of the tz database. */
function zoneOffset(zone: string, at: Date): number | Failure {
  const match = /^([+-]?)(\d\d?):(\d\d)$/.exec(zone);
  if (match !== null) return (match[1] === '-' ? -1 : 1) * (Number(match[2]) * 3600 + Number(match[3]) * 60);
  if (zone === '' || zone === 'UTC') return 0;
  if (zone.includes(':')) return failure(`strconv.Atoi: parsing ${JSON.stringify(zone.split(':')[0])}: invalid syntax`);
  try {
    const parts = new Intl.DateTimeFormat('en-US', { timeZone: zone, timeZoneName: 'longOffset' }).formatToParts(at);
    const name = parts.find(({ type }) => type === 'timeZoneName')?.value ?? 'GMT';
    const [, sign, hours = '0', minutes = '0', seconds = '0'] = /GMT(?:([+-])(\d\d):(\d\d)(?::(\d\d))?)?/.exec(name) ?? [];
    return (sign === '-' ? -1 : 1) * (Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds));
  } catch {
    return failure(`unknown time zone ${zone}`);
  }
}

export function timestampPart(time: Timestamp, part: TimestampPart, zone = 'UTC'): Value {
  const seconds = floorDivide(time.nanos, SECOND);
  const offset = zoneOffset(zone, new Date(Number(seconds) * 1000));
  if (offset instanceof Failure) return offset;
  const date = new Date(Number(seconds) * 1000 + offset * 1000);
  switch (part) {
    case 'FullYear':
      return BigInt(date.getUTCFullYear());
    case 'Month':
      return BigInt(date.getUTCMonth());
    case 'DayOfMonth':
      return BigInt(date.getUTCDate() - 1);
    case 'Date':
      return BigInt(date.getUTCDate());
    case 'DayOfWeek':
      return BigInt(date.getUTCDay());
    case 'DayOfYear':
      return BigInt(Math.floor((date.getTime() - Date.UTC(date.getUTCFullYear(), 0, 1)) / 86_400_000));
    case 'Hours':
      return BigInt(date.getUTCHours());
    case 'Minutes':
      return BigInt(date.getUTCMinutes());
    case 'Seconds':
      return BigInt(date.getUTCSeconds());
    case 'Milliseconds':
      return (time.nanos - seconds * SECOND) / 1_000_000n;
  }
}

const PART_SIZE = { Hours: 3600n * SECOND, Minutes: 60n * SECOND, Seconds: SECOND, Milliseconds: 1_000_000n };

/** Of durations the whole amount, but milliseconds without the seconds. */
export function durationPart({ nanos }: Duration, part: keyof typeof PART_SIZE): bigint {
  return part === 'Milliseconds' ? (nanos / PART_SIZE.Milliseconds) % 1000n : nanos / PART_SIZE[part];
}
