// SPDX-License-Identifier: Apache-2.0
// JSONPath as printer columns and selectable fields use it: `.spec.list[*].name`, filters, slices, recursive descent, escaped dots.
// Parsed once, then asked for many objects. As upstream's, whose quirks show in tables: a quoted key is a path of its own
// (`['a.b']` is `.a.b`), and what cannot be evaluated (an index that is not there, a comparison of two types) finds nothing at all.
// @source client-go util/jsonpath; what is left out: `range` templates, which columns cannot have
import { isRecord, type Json } from './schema-props.ts';

/** Thrown when a path does not parse. */
export class JsonPathError extends Error {
  override readonly name = 'JsonPathError';
}

/** Thrown, and caught by `find`, where a path cannot be evaluated. */
class EvaluationError extends Error {}

export interface JsonPath {
  /** What the path names in a value; empty where nothing is. */
  find(value: unknown): unknown[];
}

type Steps = readonly Step[];

type Step =
  | { readonly kind: 'field'; readonly name: string }
  | { readonly kind: 'every' }
  | { readonly kind: 'descend' }
  | { readonly kind: 'literal'; readonly value: string | number | boolean }
  | { readonly kind: 'identifier' }
  | { readonly kind: 'slice'; readonly from: number; readonly to: number | undefined; readonly step: number }
  | { readonly kind: 'union'; readonly branches: readonly Steps[] }
  | { readonly kind: 'filter'; readonly left: Steps; readonly operator: string; readonly right: Steps };

/** Parses a path, with or without its leading `$`. @throws {JsonPathError} */
export function parseJsonPath(text: string): JsonPath {
  const steps = parse(text);
  return {
    find(value) {
      try {
        return walk([value], steps);
      } catch (error) {
        if (error instanceof EvaluationError) return [];
        throw error;
      }
    },
  };
}

const parse = (text: string): Steps => new Parser(text).path();

const ENDS_FIELD = new Set([' ', '\t', '\r', '\n', '.', ',', '[', ']', '$', '@', '{', '}']);

class Parser {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  path(): Steps {
    const steps: Step[] = [];
    while (this.#at < this.#text.length) steps.push(...this.#step(steps.at(-1)));
    return steps;
  }

  #step(before: Step | undefined): Steps {
    const rest = this.#text.slice(this.#at);
    if (rest.startsWith('[?(')) return [this.#filter()];
    if (rest.startsWith('..')) return this.#descent(before);
    const [char = ''] = rest;
    if (char === '[') return this.#brackets();
    if (char === '"' || char === "'") return [this.#quoted(char)];
    const number = /^[+-]?[\d.]*/.exec(/^[+\-\d]/.test(char) ? rest : '')?.[0] ?? '';
    if (number !== '') return [this.#number(number)];
    if (/[\p{L}_]/u.test(char)) return [this.#word()];
    this.#at += 1;
    if (char === ' ' || char === '@' || char === '$') return [];
    if (char === '.') return this.#atField() ? [this.#field()] : [];
    throw this.#odd(`unrecognized character in action: ${char}`);
  }

  /** A dot before brackets, or at the end, names nothing further. */
  #atField(): boolean {
    const char = this.#text[this.#at];
    return char !== undefined && char !== '[';
  }

  #descent(before: Step | undefined): Steps {
    if (before?.kind === 'descend') throw this.#odd('invalid multiple recursive descent');
    this.#at += 2;
    const isNamed = /[\p{L}\d_]/u.test(this.#text[this.#at] ?? '');
    return isNamed ? [{ kind: 'descend' }, this.#field()] : [{ kind: 'descend' }];
  }

  #field(): Step {
    const start = this.#at;
    while (this.#at < this.#text.length && !ENDS_FIELD.has(this.#text[this.#at] ?? '')) this.#at += this.#text[this.#at] === '\\' ? 2 : 1;
    const name = this.#text.slice(start, this.#at);
    return name === '*' ? { kind: 'every' } : { kind: 'field', name: name.replaceAll('\\', '') };
  }

  #word(): Step {
    const start = this.#at;
    while (this.#at < this.#text.length && !ENDS_FIELD.has(this.#text[this.#at] ?? '')) this.#at += 1;
    const word = this.#text.slice(start, this.#at);
    return word === 'true' || word === 'false' ? { kind: 'literal', value: word === 'true' } : { kind: 'identifier' };
  }

  #number(text: string): Step {
    this.#at += text.length;
    const value = Number(text);
    if (Number.isNaN(value) || !/\d/.test(text)) throw this.#odd(`cannot parse number ${text}`);
    return { kind: 'literal', value };
  }

  #quoted(quote: string): Step {
    const start = this.#at + 1;
    let end = this.#text.indexOf(quote, start);
    while (end > 0 && this.#text[end - 1] === '\\') end = this.#text.indexOf(quote, end + 1);
    if (end < 0) throw this.#odd('unterminated quoted string');
    this.#at = end + 1;
    return { kind: 'literal', value: this.#text.slice(start, end).replace(/\\(.)/gs, '$1') };
  }

  #brackets(): Steps {
    const end = this.#text.indexOf(']', this.#at);
    if (end < 0) throw this.#odd('unterminated array');
    const inner = this.#text.slice(this.#at + 1, end);
    this.#at = end + 1;
    const parts = inner.split(',');
    if (parts.length > 1) return [{ kind: 'union', branches: parts.map((part) => parse(`[${part.trim()}]`)) }];
    const key = /^'([^']*)'$/.exec(inner)?.[1];
    return key === undefined ? [sliceOf(inner)] : parse(`.${key}`);
  }

  #filter(): Step {
    const start = this.#at + 3;
    let [quote, closed, at] = ['', true, start];
    for (; at < this.#text.length; at++) {
      const char = this.#text[at] ?? '';
      if (char === ')' && closed) break;
      if (char !== '"' && char !== "'") continue;
      if (quote === '') [quote, closed] = [char, false];
      else if (char === quote && this.#text[at - 1] !== '\\') closed = true;
    }
    if (at >= this.#text.length) throw this.#odd('unterminated filter');
    if (this.#text[at + 1] !== ']') throw this.#odd('unclosed array expect ]');
    this.#at = at + 2;
    return filterOf(this.#text.slice(start, at));
  }

  #odd(what: string): JsonPathError {
    return new JsonPathError(`${what} in path ${JSON.stringify(this.#text)}`);
  }
}

function sliceOf(text: string): Step {
  const match = /^(-?\d*)(:-?\d*)?(:-?\d*)?$/.exec(text === '*' ? ':' : text);
  if (match === null) throw new JsonPathError(`invalid array index ${text}`);
  const [from, to, step] = [match[1] ?? '', match[2], match[3] ?? ''].map((part) => part?.replace(':', ''));
  if (from === '-') throw new JsonPathError(`array index ${from} is not a number`);
  const first = from === '' ? 0 : Number(from);
  const after = first === -1 ? undefined : first + 1;
  return { kind: 'slice', from: first, to: to === undefined ? after : to === '' ? undefined : Number(to), step: step ? Number(step) : 1 };
}

function filterOf(text: string): Step {
  const [, left, operator = '', right = ''] = /^([^!<>=]+)([!<>=]+)(.+?)$/s.exec(text) ?? [];
  if (left === undefined) return { kind: 'filter', left: parse(text), operator: 'exists', right: [] };
  return { kind: 'filter', left: parse(left), operator, right: parse(right) };
}

function walk(values: readonly unknown[], steps: Steps): unknown[] {
  return steps.reduce<unknown[]>((found, step) => take(found, step), [...values]);
}

function take(values: readonly unknown[], step: Step): unknown[] {
  switch (step.kind) {
    case 'field':
      return values.flatMap((value) => memberOf(value, step.name));
    case 'every':
      return values.flatMap((value) => children(value));
    case 'descend':
      return values.flatMap((value) => descendants(value));
    case 'literal':
      return typeof step.value === 'number' ? values.map(() => step.value) : [step.value];
    case 'identifier':
      throw new EvaluationError();
    case 'slice':
      return values.flatMap((value) => slice(value, step));
    case 'union':
      return step.branches.flatMap((branch) => walk(values, branch));
    case 'filter':
      return values.flatMap((value) => filter(value, step));
  }
}

function memberOf(value: unknown, name: string): unknown[] {
  return isRecord(value) && Object.hasOwn(value, name) && value[name] !== undefined ? [value[name]] : [];
}

function children(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  if (!isRecord(value)) return [];
  return Object.keys(value)
    .sort()
    .map((name) => value[name]);
}

function descendants(value: unknown): unknown[] {
  if (typeof value !== 'object' || value === null) return [];
  return [value, ...Object.values(value as Json).flatMap(descendants)];
}

function slice(value: unknown, { from, to, step }: Extract<Step, { kind: 'slice' }>): readonly unknown[] {
  if (value === null || value === undefined) return [];
  if (!Array.isArray(value)) throw new EvaluationError();
  const first = from < 0 ? from + value.length : from;
  const end = to === undefined ? value.length : to < 0 ? to + value.length : to;
  if (first === end) return [];
  if (first < 0 || first >= value.length || end > value.length || first > end || step <= 0) throw new EvaluationError();
  return value.slice(first, end).filter((_, index) => index % step === 0);
}

function filter(value: unknown, { left, operator, right }: Extract<Step, { kind: 'filter' }>): readonly unknown[] {
  if (!Array.isArray(value)) throw new EvaluationError();
  return value.filter((item) => {
    if (operator === 'exists') return walk([item], left).length > 0;
    const [a, b] = [walk([item], left), walk([item], right)];
    if (a.length === 0 || b.length === 0) return false;
    if (a.length > 1 || b.length > 1) throw new EvaluationError();
    return compare(a[0], operator, b[0]);
  });
}

function kindOf(value: unknown): string {
  return typeof value === 'number' && !Number.isInteger(value) ? 'fraction' : typeof value;
}

function compare(a: unknown, operator: string, b: unknown): boolean {
  const kind = kindOf(a);
  if (kind !== kindOf(b) || kind === 'object' || kind === 'undefined') throw new EvaluationError();
  if (operator === '==') return a === b;
  if (operator === '!=') return a !== b;
  if (kind === 'boolean') throw new EvaluationError();
  const [x, y] = [a as string | number, b as string | number];
  switch (operator) {
    case '<':
      return x < y;
    case '<=':
      return x <= y;
    case '>':
      return x > y;
    case '>=':
      return x >= y;
    default:
      throw new EvaluationError();
  }
}
