// SPDX-License-Identifier: Apache-2.0
// Writes JSON values as YAML, byte for byte as upstream does: blocks of two spaces, lists not indented within maps, keys in natural
// order. @source sigs.k8s.io/yaml JSONToYAML over go-yaml v2: sorter.go, emitterc.go
import { writeText } from './yaml-scalar.ts';

const STEP = 2;
/** Longer keys, in bytes, are not simple ones. */
const LONGEST_KEY = 128;

/** A document. Of members that are undefined nothing is written. */
export function emitYaml(value: unknown): string {
  const [first, ...rest] = isCollection(value) ? collection(value, 0) : [scalar(value, 0, 0)];
  return `${[first, ...rest].join('\n')}\n`;
}

type Collection = readonly unknown[] | Readonly<Record<string, unknown>>;

/** Empty ones are written as `{}` and `[]`. */
function isCollection(value: unknown): value is Collection {
  return typeof value === 'object' && value !== null && sizeOf(value) > 0;
}

function sizeOf(value: object): number {
  return Array.isArray(value) ? value.length : Object.values(value).filter((member) => member !== undefined).length;
}

/** Lines, of which the first has no margin: it may stand after a dash. */
function collection(value: Collection, indent: number): string[] {
  const lines = Array.isArray(value)
    ? value.flatMap((item) => listItem(item, indent))
    : Object.keys(value as object)
        .filter((key) => (value as Readonly<Record<string, unknown>>)[key] !== undefined)
        .sort(compareNaturally)
        .flatMap((key) => member(key, (value as Readonly<Record<string, unknown>>)[key], indent));
  const [first = '', ...rest] = lines;
  return [first.slice(indent), ...rest];
}

function listItem(item: unknown, indent: number): string[] {
  const margin = ' '.repeat(indent);
  if (!isCollection(item)) return [`${margin}- ${scalar(item, indent + STEP, indent + STEP)}`];
  const [first = '', ...rest] = collection(item, indent + STEP);
  return [`${margin}- ${first}`, ...rest];
}

function member(key: string, value: unknown, indent: number): string[] {
  const margin = ' '.repeat(indent);
  if (Buffer.byteLength(key) > LONGEST_KEY || key.includes('\n')) return longMember(key, value, indent);
  const name = writeText(key, { column: indent, indent: indent + STEP, isKey: true });
  if (!isCollection(value)) return [`${margin}${name}: ${scalar(value, indent + [...name].length + STEP, indent + STEP)}`];
  const inner = Array.isArray(value) ? indent : indent + STEP;
  const [first = '', ...rest] = collection(value, inner);
  return [`${margin}${name}:`, `${' '.repeat(inner)}${first}`, ...rest];
}

function longMember(key: string, value: unknown, indent: number): string[] {
  const margin = ' '.repeat(indent);
  const name = writeText(key, { column: indent + STEP, indent: indent + STEP, isKey: false });
  const [first = '', ...rest] = isCollection(value) ? collection(value, indent + STEP) : [scalar(value, indent + STEP, indent + STEP)];
  return [`${margin}? ${name}`, `${margin}: ${first}`, ...rest];
}

function scalar(value: unknown, column: number, indent: number): string {
  if (typeof value === 'string') return writeText(value, { column, indent, isKey: false });
  if (typeof value === 'number') return writeNumber(value);
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? '[]' : '{}';
  return String(value ?? null);
}

/** The most digits before a point, and zeros after it, that are written out. @source strconv.FormatFloat(…, 'g', -1, 64) */
const PLAIN_EXPONENTS = { least: -4, most: 6 } as const;

function writeNumber(value: number): string {
  if (Number.isInteger(value) && Math.abs(value) < 2 ** 64) return BigInt(value).toString();
  const [digits = '', power = '0'] = value.toExponential().split('e');
  const exponent = Number(power);
  if (exponent >= PLAIN_EXPONENTS.least && exponent < PLAIN_EXPONENTS.most) return String(value);
  return `${digits}e${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`;
}

const isDigit = (character: string | undefined) => character !== undefined && character >= '0' && character <= '9';

function isLetter(character: string): boolean {
  return character < '\x80' ? /[A-Za-z]/.test(character) : /\p{L}/u.test(character);
}

/** Numbers within keys by their value, letters after everything else. @source go-yaml v2 sorter.go */
export function compareNaturally(a: string, b: string): number {
  const end = Math.min(a.length, b.length);
  let at = 0;
  while (at < end && a.charCodeAt(at) === b.charCodeAt(at)) at += 1;
  if (at === end) return a.length - b.length;
  const [one, other] = [a.charAt(at), b.charAt(at)];
  const [isOneLetter, isOtherLetter] = [isLetter(one), isLetter(other)];
  if (isOneLetter && isOtherLetter) return one < other ? -1 : 1;
  if (isOneLetter || isOtherLetter) return isOtherLetter ? -1 : 1;
  return compareNumbers(a, b, at);
}

function compareNumbers(a: string, b: string, at: number): number {
  // Zeros count where digits stand before them.
  const lead = (a[at] === '0' || b[at] === '0') && followsDigits(a, at) ? '1' : '';
  const [one, other] = [digitsFrom(a, at), digitsFrom(b, at)];
  const difference = BigInt(lead + one || '0') - BigInt(lead + other || '0');
  if (difference !== 0n) return difference < 0n ? -1 : 1;
  if (one.length !== other.length) return one.length - other.length;
  return a.charAt(at) < b.charAt(at) ? -1 : 1;
}

function followsDigits(text: string, at: number): boolean {
  for (let before = at - 1; before >= 0 && isDigit(text[before]); before--) if (text[before] !== '0') return true;
  return false;
}

function digitsFrom(text: string, start: number): string {
  let end = start;
  while (isDigit(text[end])) end += 1;
  return text.slice(start, end);
}
