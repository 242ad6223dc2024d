// SPDX-License-Identifier: Apache-2.0
// JSONPath as kubectl and printer columns use it: `.spec.list[*].name`, filters, slices, recursive descent, escaped dots. Parsed once,
// then asked for many objects. @source client-go util/jsonpath; what is left out: `range` templates, which columns cannot have
import { isRecord, type Json } from './schema-props.ts';

/** Thrown when a path does not parse. */
export class JsonPathError extends Error {
  override readonly name = 'JsonPathError';
}

export interface JsonPath {
  /** What the path names in a value; empty where nothing is. */
  find(value: unknown): unknown[];
}

type Step =
  | { readonly kind: 'member'; readonly name: string }
  | { readonly kind: 'every' }
  | { readonly kind: 'descend' }
  | { readonly kind: 'indexes'; readonly indexes: readonly number[] }
  | { readonly kind: 'members'; readonly names: readonly string[] }
  | { readonly kind: 'slice'; readonly from: number | undefined; readonly to: number | undefined; readonly step: number }
  | { readonly kind: 'filter'; readonly left: Operand; readonly operator: string; readonly right: Operand | undefined };

type Operand = { readonly path: readonly Step[] } | { readonly literal: unknown };

/** Parses a path, with or without its leading `$`. @throws {JsonPathError} */
export function parseJsonPath(text: string): JsonPath {
  const steps = new Parser(text).path();
  return { find: (value) => walk([value], steps) };
}

class Parser {
  readonly #text: string;
  #at: number;

  constructor(text: string) {
    this.#text = text;
    this.#at = 0;
  }

  path(): Step[] {
    const steps: Step[] = [];
    if (this.#text[this.#at] === '$' || this.#text[this.#at] === '@') this.#at += 1;
    while (this.#at < this.#text.length) steps.push(...this.#step());
    return steps;
  }

  #step(): Step[] {
    const char = this.#text[this.#at];
    if (char === '[') return [this.#brackets()];
    if (char !== '.') return [{ kind: 'member', name: this.#name() }];
    this.#at += 1;
    if (this.#text[this.#at] === '.') {
      this.#at += 1;
      const next: Step[] = [{ kind: 'descend' }];
      if (this.#text[this.#at] !== '[' && this.#at < this.#text.length) next.push(this.#member());
      return next;
    }
    if (this.#at >= this.#text.length || this.#text[this.#at] === '[') return [];
    return [this.#member()];
  }

  #member(): Step {
    if (this.#text[this.#at] === '*') {
      this.#at += 1;
      return { kind: 'every' };
    }
    return { kind: 'member', name: this.#name() };
  }

  #name(): string {
    let name = '';
    for (; this.#at < this.#text.length; this.#at++) {
      const char = this.#text[this.#at] ?? '';
      if (char === '\\') {
        this.#at += 1;
        name += this.#text[this.#at] ?? '';
      } else if (char === '.' || char === '[' || /\s/.test(char)) break;
      else name += char;
    }
    if (name === '') throw new JsonPathError(`unrecognized character in path ${JSON.stringify(this.#text)}`);
    return name;
  }

  #brackets(): Step {
    const end = this.#closing();
    const inner = this.#text.slice(this.#at + 1, end).trim();
    this.#at = end + 1;
    if (inner === '*') return { kind: 'every' };
    const filter = /^\?\((.*)\)$/s.exec(inner);
    if (filter !== null) return filterOf(filter[1] ?? '');
    if (/^(['"]).*\1$/s.test(inner)) return { kind: 'members', names: splitOutside(inner, ',').map(unquoted) };
    const slice = /^(-?\d*):(-?\d*)(?::(-?\d*))?$/.exec(inner);
    if (slice !== null) return { kind: 'slice', from: integer(slice[1]), to: integer(slice[2]), step: integer(slice[3]) ?? 1 };
    if (/^-?\d+(\s*,\s*-?\d+)*$/.test(inner)) return { kind: 'indexes', indexes: inner.split(',').map(Number) };
    throw new JsonPathError(`invalid array index ${inner}`);
  }

  /** Where the bracket that opens here closes; quotes and inner brackets are passed over. */
  #closing(): number {
    let depth = 0;
    let quote = '';
    for (let at = this.#at; at < this.#text.length; at++) {
      const char = this.#text[at] ?? '';
      if (quote !== '') quote = char === quote ? '' : quote;
      else if (char === "'" || char === '"') quote = char;
      else if (char === '[') depth += 1;
      else if (char === ']' && --depth === 0) return at;
    }
    throw new JsonPathError('unterminated array');
  }
}

const integer = (text: string | undefined) => (text === undefined || text === '' ? undefined : Number(text));
const unquoted = (text: string) => text.trim().slice(1, -1);

function splitOutside(text: string, separator: string): string[] {
  const parts = [''];
  let quote = '';
  for (const char of text) {
    if (quote !== '') quote = char === quote ? '' : quote;
    else if (char === "'" || char === '"') quote = char;
    if (char === separator && quote === '') parts.push('');
    else parts.push((parts.pop() ?? '') + char);
  }
  return parts;
}

function filterOf(text: string): Step {
  const match = /^(.+?)\s*(==|!=|<=|>=|<|>)\s*(.+)$/s.exec(text.trim());
  if (match === null) return { kind: 'filter', left: operandOf(text.trim()), operator: 'exists', right: undefined };
  const [, left = '', operator = '', right = ''] = match;
  return { kind: 'filter', left: operandOf(left.trim()), operator, right: operandOf(right.trim()) };
}

function operandOf(text: string): Operand {
  if (/^['"]/.test(text)) return { literal: text.slice(1, -1) };
  if (text === 'true' || text === 'false') return { literal: text === 'true' };
  if (text !== '' && !Number.isNaN(Number(text))) return { literal: Number(text) };
  return { path: new Parser(text).path() };
}

function walk(values: readonly unknown[], steps: readonly Step[]): unknown[] {
  return steps.reduce<unknown[]>((found, step) => found.flatMap((value) => take(value, step)), [...values]);
}

function take(value: unknown, step: Step): unknown[] {
  switch (step.kind) {
    case 'member':
      return memberOf(value, step.name);
    case 'members':
      return step.names.flatMap((name) => memberOf(value, name));
    case 'every':
      return Array.isArray(value)
        ? value
        : isRecord(value)
          ? Object.keys(value)
              .sort()
              .map((name) => value[name])
          : [];
    case 'descend':
      return descendants(value);
    case 'indexes':
      return Array.isArray(value)
        ? step.indexes.flatMap((index) => (index in value || value.at(index) !== undefined ? [value.at(index)] : []))
        : [];
    case 'slice':
      return Array.isArray(value) ? value.slice(step.from, step.to).filter((_, index) => index % Math.max(1, step.step) === 0) : [];
    case 'filter':
      return (Array.isArray(value) ? value : []).filter((item) => passes(item, step));
  }
}

function memberOf(value: unknown, name: string): unknown[] {
  return isRecord(value) && Object.hasOwn(value, name) && value[name] !== undefined ? [value[name]] : [];
}

function descendants(value: unknown): unknown[] {
  if (typeof value !== 'object' || value === null) return [];
  return [value, ...Object.values(value as Json).flatMap(descendants)];
}

function passes(item: unknown, { left, operator, right }: Extract<Step, { kind: 'filter' }>): boolean {
  const a = operandValue(item, left);
  if (operator === 'exists' || right === undefined) return a.length > 0;
  const b = operandValue(item, right);
  const [x, y] = [a[0] as string | number, b[0] as string | number];
  if (a.length === 0 || b.length === 0) return false;
  switch (operator) {
    case '==':
      return x === y;
    case '!=':
      return x !== y;
    case '<':
      return x < y;
    case '<=':
      return x <= y;
    case '>':
      return x > y;
    default:
      return x >= y;
  }
}

function operandValue(item: unknown, operand: Operand): unknown[] {
  return 'literal' in operand ? [operand.literal] : walk([item], operand.path);
}
