// SPDX-License-Identifier: Apache-2.0
// CEL's standard functions and operators with cel-go's overload ids (common/stdlib). Operators are run by the interpreter, which
// never calls their implementations here; conversions fail with upstream's texts.
import type { Implementation, Library } from '../declarations.ts';
import { INT_OVERFLOW, toInt, toUint, UINT_OVERFLOW } from '../operators.ts';
import {
  durationPart,
  parseDuration,
  parseTimestamp,
  printDuration,
  printTimestamp,
  type TimestampPart,
  timestampInRange,
  timestampPart,
} from '../time.ts';
import { Duration, failure, sizeOf, type Timestamp, TypeValue, typeOfValue, type Uint, type Value } from '../values.ts';
import { matchesRegex } from './regex.ts';

type Row = readonly [string, string, Implementation];

/** Run by the interpreter. */
const operator: Implementation = () => null;
const same: Implementation = (value) => value as Value;
const NUMBERS = ['int64', 'uint64', 'double'] as const;
const NAMES: Readonly<Record<string, string>> = { int64: 'int', uint64: 'uint' };

function arithmetic(name: string, types: readonly string[]): Row[] {
  return types.map((type) => [`${name}_${type}`, `(${NAMES[type] ?? type},${NAMES[type] ?? type})->${NAMES[type] ?? type}`, operator]);
}

function comparison(name: string): Row[] {
  const others = ['bool', 'string', 'bytes', 'timestamp', 'duration'].map<Row>((type) => [
    `${name}_${type}`,
    `(${type},${type})->bool`,
    operator,
  ]);
  const numbers = NUMBERS.flatMap((left) =>
    NUMBERS.map<Row>((right) => [
      left === right ? `${name}_${left}` : `${name}_${left}_${right}`,
      `(${NAMES[left] ?? left},${NAMES[right] ?? right})->bool`,
      operator,
    ]),
  );
  return [...numbers, ...others];
}

function conversionError(value: Value, target: string): Value {
  return failure(`type conversion error from '${typeOfValue(value)}' to '${target}'`);
}

function doubleToInteger(value: number, convert: (value: bigint) => Value, overflow: Value): Value {
  return Number.isFinite(value) ? convert(BigInt(Math.trunc(value))) : overflow;
}

/** Go's `%g`: shortest digits; with an exponent, of two digits at least, below 1e-4 and from 1e6. */
export function printDouble(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  if (value === 0) return Object.is(value, -0) ? '-0' : '0';
  const [digits = '', exponent = '0'] = value.toExponential().split('e');
  const power = Number(exponent);
  if (power >= -4 && power < 6) return plainDouble(value);
  return `${digits}e${power < 0 ? '-' : '+'}${String(Math.abs(power)).padStart(2, '0')}`;
}

function plainDouble(value: number): string {
  const text = String(value);
  return text.includes('e') ? value.toFixed(20).replace(/0+$/, '') : text;
}

const DOUBLE = /^[+-]?(?:\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?|inf(?:inity)?|nan)$/i;

function parseDouble(text: string): Value {
  if (!DOUBLE.test(text)) return conversionError(text, 'double');
  if (/inf/i.test(text)) return text.startsWith('-') ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  const value = Number(text);
  return Number.isFinite(value) || /nan/i.test(text) ? value : conversionError(text, 'double');
}

function parseInteger(text: string, pattern: RegExp, convert: (value: bigint) => Value, overflow: Value, name: string): Value {
  if (!pattern.test(text)) return conversionError(text, name);
  const value = convert(BigInt(text.replace(/^\+/, '')));
  return value === overflow ? conversionError(text, name) : value;
}

const TRUE = new Set(['1', 't', 'T', 'TRUE', 'true', 'True']);
const FALSE = new Set(['0', 'f', 'F', 'FALSE', 'false', 'False']);
const decoder = new TextDecoder('utf-8', { fatal: true });

function bytesToString(bytes: Value): Value {
  try {
    return decoder.decode(bytes as Uint8Array);
  } catch {
    return failure('invalid UTF-8 in bytes, cannot convert to string');
  }
}

function timeParts(
  name: string,
  id: string,
  part: TimestampPart,
  ofDuration?: 'Hours' | 'Minutes' | 'Seconds' | 'Milliseconds',
): [string, Row[]] {
  const rows: Row[] = [
    [`timestamp_to_${id}`, 'timestamp.()->int', (time) => timestampPart(time as Timestamp, part)],
    [`timestamp_to_${id}_with_tz`, 'timestamp.(string)->int', (time, zone) => timestampPart(time as Timestamp, part, zone as string)],
  ];
  if (ofDuration !== undefined)
    rows.push([`duration_to_${id}`, 'duration.()->int', (value) => durationPart(value as Duration, ofDuration)]);
  return [name, rows];
}

function size(id: string, type: string): Row[] {
  const run: Implementation = (value) => BigInt(sizeOf(value as Value));
  return [
    [`size_${id}`, `(${type})->int`, run],
    [`${id}_size`, `${type}.()->int`, run],
  ];
}

function text(run: (value: string, part: string) => Value): Implementation {
  return (value, part) => run(value as string, part as string);
}

export const STANDARD: Library = {
  '_?_:_': [['conditional', '(bool,A,A)->A', operator]],
  '_&&_': [['logical_and', '(bool,bool)->bool', operator]],
  '_||_': [['logical_or', '(bool,bool)->bool', operator]],
  '!_': [['logical_not', '(bool)->bool', operator]],
  '@not_strictly_false': [['not_strictly_false', '(bool)->bool', operator]],
  '_==_': [['equals', '(A,A)->bool', operator]],
  '_!=_': [['not_equals', '(A,A)->bool', operator]],
  '_+_': [
    ...arithmetic('add', ['bytes', 'double', 'int64', 'string', 'uint64']),
    ['add_duration_duration', '(duration,duration)->duration', operator],
    ['add_duration_timestamp', '(duration,timestamp)->timestamp', operator],
    ['add_timestamp_duration', '(timestamp,duration)->timestamp', operator],
    ['add_list', '(list(A),list(A))->list(A)', operator],
  ],
  '_-_': [
    ...arithmetic('subtract', NUMBERS),
    ['subtract_duration_duration', '(duration,duration)->duration', operator],
    ['subtract_timestamp_duration', '(timestamp,duration)->timestamp', operator],
    ['subtract_timestamp_timestamp', '(timestamp,timestamp)->duration', operator],
  ],
  '_*_': arithmetic('multiply', NUMBERS),
  '_/_': arithmetic('divide', NUMBERS),
  '_%_': arithmetic('modulo', ['int64', 'uint64']),
  '-_': [
    ['negate_int64', '(int)->int', operator],
    ['negate_double', '(double)->double', operator],
  ],
  '_<_': comparison('less'),
  '_<=_': comparison('less_equals'),
  '_>_': comparison('greater'),
  '_>=_': comparison('greater_equals'),
  '_[_]': [
    ['index_list', '(list(A),int)->A', operator],
    ['index_map', '(map(A,B),A)->B', operator],
    ['optional_list_index_int', '(optional(list(A)),int)->optional(A)', operator],
    ['optional_map_index_value', '(optional(map(A,B)),A)->optional(B)', operator],
  ],
  '_[?_]': [
    ['list_optindex_optional_int', '(list(A),int)->optional(A)', operator],
    ['optional_list_optindex_optional_int', '(optional(list(A)),int)->optional(A)', operator],
    ['map_optindex_optional_value', '(map(A,B),A)->optional(B)', operator],
    ['optional_map_optindex_optional_value', '(optional(map(A,B)),A)->optional(B)', operator],
  ],
  '@in': [
    ['in_list', '(A,list(A))->bool', operator],
    ['in_map', '(A,map(A,B))->bool', operator],
  ],
  size: [...size('bytes', 'bytes'), ...size('list', 'list(A)'), ...size('map', 'map(A,B)'), ...size('string', 'string')],
  type: [['type', '(A)->type(A)', (value) => new TypeValue(typeOfValue(value as Value))]],
  dyn: [['to_dyn', '(A)->dyn', same]],
  bool: [
    ['bool_to_bool', '(bool)->bool', same],
    [
      'string_to_bool',
      '(string)->bool',
      (value) => TRUE.has(value as string) || (FALSE.has(value as string) ? false : conversionError(value as Value, 'bool')),
    ],
  ],
  bytes: [
    ['bytes_to_bytes', '(bytes)->bytes', same],
    ['string_to_bytes', '(string)->bytes', (value) => new Uint8Array(Buffer.from(value as string))],
  ],
  double: [
    ['double_to_double', '(double)->double', same],
    ['int64_to_double', '(int)->double', (value) => Number(value)],
    ['string_to_double', '(string)->double', (value) => parseDouble(value as string)],
    ['uint64_to_double', '(uint)->double', (value) => Number((value as Uint).value)],
  ],
  duration: [
    ['duration_to_duration', '(duration)->duration', same],
    [
      'string_to_duration',
      '(string)->duration',
      (value) => parseDuration(value as string) ?? conversionError(value as Value, 'google.protobuf.Duration'),
    ],
    ['int64_to_duration', '(int)->duration', (value) => new Duration(value as bigint)],
  ],
  int: [
    ['int64_to_int64', '(int)->int', same],
    ['double_to_int64', '(double)->int', (value) => doubleToInteger(value as number, toInt, INT_OVERFLOW)],
    ['duration_to_int64', '(duration)->int', (value) => (value as Duration).nanos],
    ['string_to_int64', '(string)->int', (value) => parseInteger(value as string, /^[+-]?\d+$/, toInt, INT_OVERFLOW, 'int')],
    ['timestamp_to_int64', '(timestamp)->int', (value) => secondsOf(value as Timestamp)],
    ['uint64_to_int64', '(uint)->int', (value) => toInt((value as Uint).value)],
  ],
  uint: [
    ['uint64_to_uint64', '(uint)->uint', same],
    ['double_to_uint64', '(double)->uint', (value) => doubleToInteger(value as number, toUint, UINT_OVERFLOW)],
    ['int64_to_uint64', '(int)->uint', (value) => toUint(value as bigint)],
    ['string_to_uint64', '(string)->uint', (value) => parseInteger(value as string, /^\d+$/, toUint, UINT_OVERFLOW, 'uint')],
  ],
  string: [
    ['string_to_string', '(string)->string', same],
    ['bool_to_string', '(bool)->string', (value) => String(value)],
    ['bytes_to_string', '(bytes)->string', (value) => bytesToString(value as Value)],
    ['double_to_string', '(double)->string', (value) => printDouble(value as number)],
    ['duration_to_string', '(duration)->string', (value) => printDuration(value as Duration)],
    ['int64_to_string', '(int)->string', (value) => String(value)],
    ['timestamp_to_string', '(timestamp)->string', (value) => printTimestamp(value as Timestamp)],
    ['uint64_to_string', '(uint)->string', (value) => String((value as Uint).value)],
  ],
  timestamp: [
    ['timestamp_to_timestamp', '(timestamp)->timestamp', same],
    [
      'string_to_timestamp',
      '(string)->timestamp',
      (value) => parseTimestamp(value as string) ?? conversionError(value as Value, 'google.protobuf.Timestamp'),
    ],
    ['int64_to_timestamp', '(int)->timestamp', (value) => timestampInRange((value as bigint) * 1_000_000_000n)],
  ],
  contains: [['contains_string', 'string.(string)->bool', text((value, part) => value.includes(part))]],
  endsWith: [['ends_with_string', 'string.(string)->bool', text((value, part) => value.endsWith(part))]],
  startsWith: [['starts_with_string', 'string.(string)->bool', text((value, part) => value.startsWith(part))]],
  matches: [
    ['matches', '(string,string)->bool', text(matchesRegex)],
    ['matches_string', 'string.(string)->bool', text(matchesRegex)],
  ],
  ...Object.fromEntries([
    timeParts('getFullYear', 'year', 'FullYear'),
    timeParts('getMonth', 'month', 'Month'),
    timeParts('getDayOfYear', 'day_of_year', 'DayOfYear'),
    timeParts('getDayOfMonth', 'day_of_month', 'DayOfMonth'),
    timeParts('getDate', 'day_of_month_1_based', 'Date'),
    timeParts('getDayOfWeek', 'day_of_week', 'DayOfWeek'),
    timeParts('getHours', 'hours', 'Hours', 'Hours'),
    timeParts('getMinutes', 'minutes', 'Minutes', 'Minutes'),
    timeParts('getSeconds', 'seconds', 'Seconds', 'Seconds'),
    timeParts('getMilliseconds', 'milliseconds', 'Milliseconds', 'Milliseconds'),
  ]),
};

function secondsOf({ nanos }: Timestamp): bigint {
  const seconds = nanos / 1_000_000_000n;
  return nanos < 0n && nanos % 1_000_000_000n !== 0n ? seconds - 1n : seconds;
}
