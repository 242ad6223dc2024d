// SPDX-License-Identifier: Apache-2.0
// Finds what `fieldValidation` reports in a JSON text: fields that the schema does not know and keys that are written twice. Walks
// the text along the schema; what it does not know it skips. Texts and order are those of sigs.k8s.io/json's strict errors.
import { quote } from './field-error.ts';
import type { Schema } from './schema.ts';

/** As upstream: more are not collected. */
const MOST_ERRORS = 100;
/** What lies deeper is not looked at; `normalize` refuses it where it would be kept. */
const MAX_DEPTH = 500;

/**
 * The strict errors of a text that `JSON.parse` accepts, in document order, each once. Most texts have none, which is seen without
 * a look at each character: what was parsed has no field that the schema lacks, and as many members as the text.
 *
 * @param value What `JSON.parse` made of the text.
 */
export function strictErrors(text: string, schema: Schema, value: unknown): string[] {
  if (membersOf(value, schema, 0) === membersIn(text)) return [];
  return scanErrors(text, schema);
}

/** As `strictErrors`, by the text alone. */
export function scanErrors(text: string, schema: Schema): string[] {
  const scan = new StrictScan(text);
  scan.value(schema, '');
  return [...scan.errors];
}

/** The members of all objects of a value; NaN where a field is unknown, or the value is too deep to tell. */
function membersOf(value: unknown, schema: Schema | undefined, depth: number): number {
  if (typeof value !== 'object' || value === null) return 0;
  if (depth >= MAX_DEPTH) return Number.NaN;
  let count = 0;
  if (Array.isArray(value)) {
    const element = elementOf(schema);
    for (const one of value) count += membersOf(one, element, depth + 1);
    return count;
  }
  const object = value as Record<string, unknown>;
  for (const key in object) {
    if (schema?.kind === 'struct' && schema.preserveUnknown !== true && !schema.byName.has(key)) return Number.NaN;
    count += 1 + membersOf(object[key], memberOf(schema, key), depth + 1);
  }
  return count;
}

/** The members that a text has, those that are written twice counted twice: strings with a colon after them. */
function membersIn(text: string): number {
  let count = 0;
  for (let start = text.indexOf('"'); start >= 0; start = text.indexOf('"', start)) {
    start = endOfString(text, start);
    while (isSpace(text.charCodeAt(start))) start += 1;
    if (text.charCodeAt(start) === 0x3a) count += 1;
  }
  return count;
}

/** The schema of a member; undefined means: do not look inside. */
function memberOf(schema: Schema | undefined, key: string): Schema | undefined {
  if (schema?.kind === 'map') return schema.value;
  if (schema?.kind === 'any') return schema;
  return schema?.kind === 'struct' ? schema.byName.get(key)?.schema : undefined;
}

function elementOf(schema: Schema | undefined): Schema | undefined {
  return schema?.kind === 'list' ? schema.element : schema?.kind === 'any' ? schema : undefined;
}

class StrictScan {
  readonly errors = new Set<string>();
  readonly #text: string;
  #at: number;
  #depth: number;

  constructor(text: string) {
    this.#text = text;
    this.#at = 0;
    this.#depth = 0;
  }

  value(schema: Schema | undefined, path: string): void {
    this.#space();
    const first = this.#text.charCodeAt(this.#at);
    const isContainer = first === 0x7b || first === 0x5b;
    if (isContainer && (schema === undefined || this.#depth >= MAX_DEPTH)) this.#skip();
    else if (isContainer) {
      this.#depth += 1;
      if (first === 0x7b) this.#object(schema, path);
      else this.#array(schema, path);
      this.#depth -= 1;
    } else if (first === 0x22) this.#string();
    else this.#scalar();
  }

  /** Passes over a container without a look inside, however deep it is. */
  #skip(): void {
    let open = 0;
    do {
      const code = this.#text.charCodeAt(this.#at);
      if (code === 0x22) this.#string();
      else {
        if (code === 0x7b || code === 0x5b) open += 1;
        else if (code === 0x7d || code === 0x5d) open -= 1;
        this.#at += 1;
      }
    } while (open > 0);
  }

  #object(schema: Schema | undefined, path: string): void {
    const checks = schema !== undefined && schema.kind !== 'rawExtension' && schema.kind !== 'fieldsV1';
    const seen = new Set<string>();
    this.#members(0x7d, () => {
      const start = this.#at;
      this.#string();
      const key = this.#key(start);
      this.#space();
      this.#at += 1; // The colon.
      const inner = path === '' ? key : `${path}.${key}`;
      if (!checks) return this.value(undefined, inner);
      const known = this.#knows(schema, key, inner);
      if (known && seen.has(key)) this.#report(`duplicate field ${quote(inner)}`);
      seen.add(key);
      this.value(known ? memberOf(schema, key) : undefined, inner);
    });
  }

  #key(start: number): string {
    const key = this.#text.slice(start + 1, this.#at - 1);
    return key.includes('\\') ? (JSON.parse(`"${key}"`) as string) : key;
  }

  /** Reports a field that there is none of. That it is there twice is not told then. */
  #knows(schema: Schema, key: string, path: string): boolean {
    if (schema.kind !== 'struct' || schema.preserveUnknown === true || schema.byName.has(key)) return true;
    this.#report(`unknown field ${quote(path)}`);
    return false;
  }

  #array(schema: Schema | undefined, path: string): void {
    const element = elementOf(schema);
    let index = 0;
    this.#members(0x5d, () => {
      this.value(element, `${path}[${index}]`);
      index += 1;
    });
  }

  #members(end: number, member: () => void): void {
    this.#at += 1;
    this.#space();
    while (this.#text.charCodeAt(this.#at) !== end) {
      member();
      this.#space();
      if (this.#text.charCodeAt(this.#at) === 0x2c) this.#at += 1;
      this.#space();
    }
    this.#at += 1;
  }

  #string(): void {
    this.#at = endOfString(this.#text, this.#at);
  }

  #scalar(): void {
    while (this.#at < this.#text.length && !',]} \t\r\n'.includes(this.#text[this.#at] ?? '')) this.#at += 1;
  }

  #space(): void {
    while (isSpace(this.#text.charCodeAt(this.#at))) this.#at += 1;
  }

  #report(error: string): void {
    if (this.errors.size < MOST_ERRORS) this.errors.add(error);
  }
}

/** Behind the string that begins at `start`. Leaps from quote to quote: long values cost next to nothing. */
function endOfString(text: string, start: number): number {
  let end = text.indexOf('"', start + 1);
  while (isEscaped(text, end)) end = text.indexOf('"', end + 1);
  return end + 1;
}

/** Whether an odd number of backslashes goes before. */
function isEscaped(text: string, at: number): boolean {
  let before = at - 1;
  while (text.charCodeAt(before) === 0x5c) before -= 1;
  return (at - before) % 2 === 0;
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09;
}
