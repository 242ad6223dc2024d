// SPDX-License-Identifier: Apache-2.0
// Finds what `fieldValidation` reports in a JSON text: fields that the schema does not know and keys that are written twice. Walks
// the text along the schema; what it does not know it skips. Texts and order are those of sigs.k8s.io/json's strict errors.
import type { Schema } from './schema.ts';

/** As upstream: more are not collected. */
const MOST_ERRORS = 100;
/** What lies deeper is not looked at; `normalize` refuses it where it would be kept. */
const MAX_DEPTH = 500;

/** The strict errors of a text that `JSON.parse` accepts, in document order, each once. */
export function strictErrors(text: string, schema: Schema): string[] {
  const scan = new StrictScan(text);
  scan.value(schema, '');
  return [...scan.errors];
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
      if (seen.has(key)) this.#report(`duplicate field ${JSON.stringify(inner)}`);
      seen.add(key);
      this.value(this.#member(schema, key, inner), inner);
    });
  }

  #key(start: number): string {
    const key = this.#text.slice(start + 1, this.#at - 1);
    return key.includes('\\') ? (JSON.parse(`"${key}"`) as string) : key;
  }

  /** The schema of a member; undefined means: do not look inside. */
  #member(schema: Schema, key: string, path: string): Schema | undefined {
    if (schema.kind === 'map') return schema.value;
    if (schema.kind === 'any') return schema;
    if (schema.kind !== 'struct') return undefined;
    const field = schema.byName.get(key);
    if (field === undefined && schema.preserveUnknown !== true) this.#report(`unknown field ${JSON.stringify(path)}`);
    return field?.schema;
  }

  #array(schema: Schema | undefined, path: string): void {
    const element = schema?.kind === 'list' ? schema.element : schema?.kind === 'any' ? schema : undefined;
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

  /** Leaps from quote to quote: long values cost next to nothing. */
  #string(): void {
    const text = this.#text;
    let end = text.indexOf('"', this.#at + 1);
    while (isEscaped(text, end)) end = text.indexOf('"', end + 1);
    this.#at = end + 1;
  }

  #scalar(): void {
    while (this.#at < this.#text.length && !',]} \t\r\n'.includes(this.#text[this.#at] ?? '')) this.#at += 1;
  }

  #space(): void {
    for (;;) {
      const code = this.#text.charCodeAt(this.#at);
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return;
      this.#at += 1;
    }
  }

  #report(error: string): void {
    if (this.errors.size < MOST_ERRORS) this.errors.add(error);
  }
}

/** Whether an odd number of backslashes goes before. */
function isEscaped(text: string, at: number): boolean {
  let before = at - 1;
  while (text.charCodeAt(before) === 0x5c) before -= 1;
  return (at - before) % 2 === 0;
}
