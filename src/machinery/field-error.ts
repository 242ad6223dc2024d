// SPDX-License-Identifier: Apache-2.0
// Field errors as upstream's validation/field package makes them: a path builder and one factory per reason, each giving a
// `FieldCause`. Values are printed as JSON, which is what 1.36 does for all but structs (those print in Go syntax; here as JSON).
import type { FieldCause } from './status.ts';

/** Where a value is: `spec.containers[0].name`, `metadata.labels[a]`. Immutable. */
export class FieldPath {
  readonly #text: string;

  constructor(text = '') {
    this.#text = text;
  }

  child(...names: readonly string[]): FieldPath {
    const tail = names.join('.');
    return new FieldPath(this.#text === '' ? tail : `${this.#text}.${tail}`);
  }

  index(index: number): FieldPath {
    return new FieldPath(`${this.#text}[${index}]`);
  }

  key(key: string): FieldPath {
    return new FieldPath(`${this.#text}[${key}]`);
  }

  toString(): string {
    return this.#text;
  }
}

/** A path from its first element. */
export function field(...names: readonly string[]): FieldPath {
  return new FieldPath(names.join('.'));
}

type Path = FieldPath | string;

function cause(reason: string, path: Path, type: string, detail: string): FieldCause {
  return { reason, field: String(path), message: detail === '' ? type : `${type}: ${detail}` };
}

/** As Go's encoder prints it, with its HTML escapes left out; strings are quoted as `%q` quotes them. */
export function printValue(value: unknown): string {
  if (value === undefined || value === null) return 'null';
  return typeof value === 'string' ? quote(value) : JSON.stringify(value);
}

const ESCAPES: Readonly<Record<string, string>> = {
  '"': '\\"',
  '\\': '\\\\',
  '\n': '\\n',
  '\t': '\\t',
  '\r': '\\r',
  '\b': '\\b',
  '\f': '\\f',
  '\v': '\\v',
  '\u0007': '\\a',
};

function escapeOf(char: string): string {
  const code = char.codePointAt(0) ?? 0;
  const hex = code.toString(16);
  return (
    ESCAPES[char] ??
    (code < 0x80 ? `\\x${hex.padStart(2, '0')}` : code < 0x10000 ? `\\u${hex.padStart(4, '0')}` : `\\U${hex.padStart(8, '0')}`)
  );
}

/** What Go does not print as it is. */
const UNPRINTABLE = /\p{C}|(?! )\p{Z}/u;

/** Go's `%q`. */
export function quote(text: string): string {
  const escaped = [...text].map((char) => (char === '"' || char === '\\' || UNPRINTABLE.test(char) ? escapeOf(char) : char)).join('');
  return `"${escaped}"`;
}

const INVALID = 'FieldValueInvalid';

export function required(path: Path, detail = ''): FieldCause {
  return cause('FieldValueRequired', path, 'Required value', detail);
}

export function invalidValue(path: Path, value: unknown, detail: string): FieldCause {
  return cause(INVALID, path, `Invalid value: ${printValue(value)}`, detail);
}

/** Lists the supported values in the order given. */
export function notSupported(path: Path, value: unknown, supported: readonly string[]): FieldCause {
  const detail = supported.length === 0 ? '' : `supported values: ${supported.map(quote).join(', ')}`;
  return cause('FieldValueNotSupported', path, `Unsupported value: ${printValue(value)}`, detail);
}

export function duplicateValue(path: Path, value: unknown): FieldCause {
  return cause('FieldValueDuplicate', path, `Duplicate value: ${printValue(value)}`, '');
}

export function forbiddenField(path: Path, detail: string): FieldCause {
  return cause('FieldValueForbidden', path, 'Forbidden', detail);
}

export function notFoundValue(path: Path, value: unknown): FieldCause {
  return cause('FieldValueNotFound', path, `Not found: ${printValue(value)}`, '');
}

export function typeInvalid(path: Path, value: unknown, detail: string): FieldCause {
  return cause('FieldValueTypeInvalid', path, `Invalid value: ${printValue(value)}`, detail);
}

export function tooLong(path: Path, max: number): FieldCause {
  return cause('FieldValueTooLong', path, 'Too long', `may not be more than ${max} bytes`);
}

export function tooLongCharacters(path: Path, max: number): FieldCause {
  return cause('FieldValueTooLong', path, 'Too long', `may not be more than ${max} characters`);
}

export function tooMany(path: Path, actual: number, max: number): FieldCause {
  const items = max === 1 ? 'item' : 'items';
  return cause('FieldValueTooMany', path, `Too many: ${actual}`, `must have at most ${max} ${items}`);
}

export function internalField(path: Path, detail: string): FieldCause {
  return cause('InternalError', path, 'Internal error', detail);
}
