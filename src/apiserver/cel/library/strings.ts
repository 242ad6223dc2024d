// SPDX-License-Identifier: Apache-2.0
// cel-go's ext.Strings, version 2: positions are characters, not bytes. Results past a size that no API object has are refused.
import type { Implementation, Library } from '../declarations.ts';
import { printDuration, printTimestamp } from '../time.ts';
import {
  Duration,
  Failure,
  failure,
  isMap,
  keyOf,
  ListValue,
  lengthOf,
  Timestamp,
  TypeValue,
  typeOfValue,
  Uint,
  type Value,
} from '../values.ts';

/** Text longer than this is not built. */
const LARGEST = 32 * 1024 * 1024;

function points(text: string): readonly string[] {
  return lengthOf(text) === text.length ? text.split('') : [...text];
}

function outOfRange(index: bigint): Failure {
  return failure(`index out of range: ${index}`);
}

function charAt(text: string, index: bigint): Value {
  const list = points(text);
  if (index === BigInt(list.length)) return '';
  return index < 0n || index > BigInt(list.length) ? outOfRange(index) : (list[Number(index)] ?? '');
}

/** Where `part` begins in characters, given where it begins in code units. */
function position(text: string, unit: number): bigint {
  return unit < 0 ? -1n : BigInt(lengthOf(text.slice(0, unit)));
}

/** Code units of the first `count` characters. */
function units(text: string, count: number): number {
  return lengthOf(text) === text.length ? count : points(text).slice(0, count).join('').length;
}

function indexOf(text: string, part: string, from: bigint): Value {
  if (part === '') return from;
  if (from < 0n || from >= BigInt(lengthOf(text))) return from === 0n ? -1n : outOfRange(from);
  return position(text, text.indexOf(part, units(text, Number(from))));
}

function lastIndexOf(text: string, part: string, from?: bigint): Value {
  if (part === '') return from ?? BigInt(lengthOf(text));
  if (from !== undefined && (from < 0n || from >= BigInt(lengthOf(text)))) return outOfRange(from);
  return position(text, text.lastIndexOf(part, from === undefined ? undefined : units(text, Number(from))));
}

function substring(text: string, begin: bigint, end?: bigint): Value {
  const list = points(text);
  const size = BigInt(list.length);
  if (end === undefined) return begin < 0n || begin > size ? outOfRange(begin) : list.slice(Number(begin)).join('');
  if (begin > end) return failure(`invalid substring range. start: ${begin}, end: ${end}`);
  if (begin < 0n || begin > size) return outOfRange(begin);
  if (end < 0n || end > size) return outOfRange(end);
  return list.slice(Number(begin), Number(end)).join('');
}

function replace(text: string, old: string, next: string, limit: bigint): Value {
  if (limit === 0n) return text;
  const parts = old === '' ? ['', ...points(text), ''] : text.split(old);
  const count = limit < 0n || limit > BigInt(parts.length - 1) ? parts.length - 1 : Number(limit);
  if (text.length + count * next.length > LARGEST) return failure('replace: result is too large');
  return (
    parts.slice(0, count + 1).join(next) +
    parts
      .slice(count + 1)
      .map((part) => `${old}${part}`)
      .join('')
  );
}

function split(text: string, separator: string, limit: bigint): Value {
  if (limit === 0n) return new ListValue([]);
  const parts = separator === '' ? points(text) : text.split(separator);
  if (limit < 0n || BigInt(parts.length) <= limit) return new ListValue(parts);
  const kept = Number(limit) - 1;
  return new ListValue([...parts.slice(0, kept), parts.slice(kept).join(separator)]);
}

function join(list: Value, separator: string): Value {
  const values = (list as ListValue).values();
  if (values.some((value) => typeof value !== 'string')) {
    const failed = values.find((value) => value instanceof Failure);
    return failed ?? failure('no such overload');
  }
  const length = values.reduce<number>((sum, value) => sum + (value as string).length + separator.length, 0);
  return length > LARGEST ? failure('join: result is too large') : values.join(separator);
}

const WHITE = '[\\t\\n\\v\\f\\r \\x85\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]';
const LEADING = new RegExp(`^${WHITE}+`);
const TRAILING = new RegExp(`${WHITE}$`);

function trim(text: string): string {
  let end = text.length;
  while (end > 0 && TRAILING.test(text.charAt(end - 1))) end -= 1;
  return text.slice(0, end).replace(LEADING, '');
}

const QUOTES: Readonly<Record<string, string>> = {
  '\x07': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
  '\\': '\\\\',
  '"': '\\"',
};

function quote(text: string): string {
  return `"${[...text].map((point) => QUOTES[point] ?? point).join('')}"`;
}

function shown(value: Value, nested: boolean): string | Failure {
  if (value === null) return 'null';
  if (typeof value === 'string') return nested ? quote(value) : value;
  if (typeof value !== 'object') return typeof value === 'number' ? shownDouble(value) : String(value);
  if (value instanceof Uint) return String(value.value);
  if (value instanceof Uint8Array) return Buffer.from(value).toString('utf8');
  if (value instanceof Timestamp) return nested ? `timestamp("${printTimestamp(value)}")` : printTimestamp(value);
  if (value instanceof Duration) return nested ? `duration("${printDuration(value)}")` : printDuration(value);
  if (value instanceof TypeValue) return value.name;
  if (value instanceof ListValue)
    return enclosed(
      '[',
      ']',
      value.values().map((one) => shown(one, true)),
    );
  if (!isMap(value))
    return failure(
      `string clause can only be used on strings, bools, bytes, ints, doubles, maps, lists, types, durations, and timestamps, was given ${typeOfValue(value)}`,
    );
  const entries = value.keys().map((key): string | Failure => {
    const name = shown(key, true);
    const content = shown(value.find(keyOf(key) ?? '') ?? null, true);
    if (name instanceof Failure) return name;
    return content instanceof Failure ? content : `${name}:${content}`;
  });
  return enclosed('{', '}', entries.sort());
}

function enclosed(open: string, close: string, parts: readonly (string | Failure)[]): string | Failure {
  return parts.find((part) => part instanceof Failure) ?? `${open}${parts.join(', ')}${close}`;
}

function shownDouble(value: number): string {
  if (Number.isNaN(value)) return '"NaN"';
  if (!Number.isFinite(value)) return value > 0 ? '"+Infinity"' : '"-Infinity"';
  return value.toFixed(6);
}

type Clause = (value: Value, precision: number) => string | Failure;

function integer(value: Value): bigint | undefined {
  return typeof value === 'bigint' ? value : value instanceof Uint ? value.value : undefined;
}

function real(value: Value): number | undefined {
  return typeof value === 'number' ? value : undefined;
}

function hexadecimal(value: Value): string | Failure {
  const whole = integer(value);
  if (whole !== undefined) return whole.toString(16);
  if (typeof value === 'string') return Buffer.from(value).toString('hex');
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  return failure(`only integers, byte buffers, and strings can be formatted as hex, was given ${typeOfValue(value)}`);
}

const CLAUSES: Readonly<Record<string, Clause>> = {
  s: (value) => shown(value, false),
  d(value) {
    const whole = integer(value);
    return whole === undefined ? failure(`decimal clause can only be used on integers, was given ${typeOfValue(value)}`) : String(whole);
  },
  f(value, precision) {
    const number = real(value);
    return number === undefined
      ? failure(`fixed-point clause can only be used on doubles, was given ${typeOfValue(value)}`)
      : number.toFixed(precision);
  },
  e(value, precision) {
    const number = real(value);
    if (number === undefined) return failure(`scientific clause can only be used on doubles, was given ${typeOfValue(value)}`);
    return number.toExponential(precision).replace(/e([+-])(\d)$/, 'e$10$2');
  },
  b(value) {
    if (typeof value === 'boolean') return value ? '1' : '0';
    const whole = integer(value);
    return whole === undefined
      ? failure(`only integers and bools can be formatted as binary, was given ${typeOfValue(value)}`)
      : whole.toString(2);
  },
  x: hexadecimal,
  X(value) {
    const text = hexadecimal(value);
    return text instanceof Failure ? text : text.toUpperCase();
  },
  o(value) {
    const whole = integer(value);
    return whole === undefined ? failure(`octal clause can only be used on integers, was given ${typeOfValue(value)}`) : whole.toString(8);
  },
};

function format(template: string, list: Value): Value {
  const args = (list as ListValue).values();
  let next = 0;
  let failed: Failure | undefined;
  const text = template.replace(
    /%(?:%|(?:\.(\d{1,3}))?([a-zA-Z])|$|[\s\S]?)/g,
    (clause, precision: string | undefined, verb: string | undefined) => {
      if (clause === '%%' || failed !== undefined) return '%';
      const run = verb === undefined ? undefined : CLAUSES[verb];
      if (run === undefined) failed = failure(`could not parse formatting clause: unrecognized formatting clause "${clause.slice(1)}"`);
      else if (next >= args.length) failed = failure(`index ${next} out of range`);
      if (run === undefined || failed !== undefined) return '';
      const result = run(args[next] ?? null, Math.min(100, Number(precision ?? 6)));
      next += 1;
      if (!(result instanceof Failure)) return result;
      failed = failure(`error during formatting: ${result.message}`);
      return '';
    },
  );
  return failed ?? text;
}

function member(run: (text: string, ...args: never[]) => Value): Implementation {
  return (text, ...args) => run(text as string, ...(args as never[]));
}

export const STRINGS: Library = {
  charAt: [['string_char_at_int', 'string.(int)->string', member(charAt)]],
  indexOf: [
    ['string_index_of_string', 'string.(string)->int', member((text, part: string) => indexOf(text, part, 0n))],
    ['string_index_of_string_int', 'string.(string,int)->int', member(indexOf)],
  ],
  lastIndexOf: [
    ['string_last_index_of_string', 'string.(string)->int', member((text, part: string) => lastIndexOf(text, part))],
    ['string_last_index_of_string_int', 'string.(string,int)->int', member(lastIndexOf)],
  ],
  join: [
    ['list_join', 'list(string).()->string', (list) => join(list as Value, '')],
    ['list_join_string', 'list(string).(string)->string', (list, separator) => join(list as Value, separator as string)],
  ],
  lowerAscii: [['string_lower_ascii', 'string.()->string', member((text) => text.replace(/[A-Z]+/g, (part) => part.toLowerCase()))]],
  upperAscii: [['string_upper_ascii', 'string.()->string', member((text) => text.replace(/[a-z]+/g, (part) => part.toUpperCase()))]],
  replace: [
    [
      'string_replace_string_string',
      'string.(string,string)->string',
      member((text, old: string, next: string) => replace(text, old, next, -1n)),
    ],
    ['string_replace_string_string_int', 'string.(string,string,int)->string', member(replace)],
  ],
  split: [
    ['string_split_string', 'string.(string)->list(string)', member((text, separator: string) => split(text, separator, -1n))],
    ['string_split_string_int', 'string.(string,int)->list(string)', member(split)],
  ],
  substring: [
    ['string_substring_int', 'string.(int)->string', member((text, begin: bigint) => substring(text, begin))],
    ['string_substring_int_int', 'string.(int,int)->string', member(substring)],
  ],
  trim: [['string_trim', 'string.()->string', member(trim)]],
  format: [['string_format', 'string.(list(dyn))->string', member(format)]],
  'strings.quote': [['strings_quote', '(string)->string', member(quote)]],
};
