// SPDX-License-Identifier: Apache-2.0
// Label selectors, in both forms: the query string of requests and the `LabelSelector` of objects.
// Grammar and texts follow apimachinery's labels package.
import type { LabelSelector } from './generated/meta-v1.ts';

export type Operator = '=' | '!=' | 'in' | 'notin' | 'exists' | '!' | 'gt' | 'lt';

export interface Requirement {
  readonly key: string;
  readonly operator: Operator;
  readonly values: readonly string[];
}

type Labels = Readonly<Record<string, string>> | undefined;

/** A conjunction of requirements; an empty one matches everything. */
export class Selector {
  readonly requirements: readonly Requirement[];

  constructor(requirements: readonly Requirement[]) {
    this.requirements = requirements;
  }

  get isEmpty(): boolean {
    return this.requirements.length === 0;
  }

  matches(labels: Labels): boolean {
    for (const requirement of this.requirements) if (!satisfies(requirement, labels)) return false;
    return true;
  }

  /** As it is written in a query, keys in order. */
  toString(): string {
    return [...this.requirements]
      .sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
      .map(format)
      .join(',');
  }
}

export const EVERYTHING = new Selector([]);
/** What a nil `LabelSelector` means. */
export const NOTHING = new Selector([{ key: '', operator: 'in', values: [] }]);

function satisfies({ key, operator, values }: Requirement, labels: Labels): boolean {
  const value = labels !== undefined && Object.hasOwn(labels, key) ? labels[key] : undefined;
  switch (operator) {
    case '=':
    case 'in':
      return value !== undefined && values.includes(value);
    case '!=':
    case 'notin':
      return value === undefined || !values.includes(value);
    case 'exists':
      return value !== undefined;
    case '!':
      return value === undefined;
    case 'gt':
    case 'lt': {
      if (value === undefined || !/^-?\d+$/.test(value)) return false;
      const bound = BigInt(values[0] ?? '0');
      return operator === 'gt' ? BigInt(value) > bound : BigInt(value) < bound;
    }
  }
}

function format({ key, operator, values }: Requirement): string {
  switch (operator) {
    case 'exists':
      return key;
    case '!':
      return `!${key}`;
    case 'in':
    case 'notin':
      return `${key} ${operator} (${[...values].sort().join(',')})`;
    case 'gt':
      return `${key}>${values[0]}`;
    case 'lt':
      return `${key}<${values[0]}`;
    default:
      return `${key}${operator}${values[0]}`;
  }
}

const TOKEN = /\s*(==|=|!=|!|>|<|\(|\)|,|[^\s=!><(),]+)\s*/y;

class Tokens {
  readonly #all: string[] = [];
  #next = 0;

  constructor(text: string) {
    TOKEN.lastIndex = 0;
    while (TOKEN.lastIndex < text.trimEnd().length) {
      const match = TOKEN.exec(text);
      if (match === null) break;
      this.#all.push(match[1] ?? '');
    }
  }

  peek(): string {
    return this.#all[this.#next] ?? '';
  }

  take(): string {
    const token = this.peek();
    this.#next += 1;
    return token;
  }
}

const SPECIAL = new Set(['', '=', '==', '!=', '!', '>', '<', '(', ')', ',']);

/** Parses a `labelSelector` query value. @throws {SyntaxError} With upstream's text, if it does not parse. */
export function parseSelector(text: string): Selector {
  const tokens = new Tokens(text);
  const requirements: Requirement[] = [];
  if (tokens.peek() === '') return EVERYTHING;
  for (;;) {
    requirements.push(parseRequirement(tokens));
    const end = tokens.take();
    if (end === '') return new Selector(requirements);
    if (end !== ',') throw new SyntaxError(`found '${end}', expected: ',' or 'end of string'`);
    if (tokens.peek() === '') throw new SyntaxError(`found '', expected: identifier after ','`);
  }
}

function parseRequirement(tokens: Tokens): Requirement {
  let negated = false;
  if (tokens.peek() === '!') {
    tokens.take();
    negated = true;
  }
  const key = tokens.take();
  if (SPECIAL.has(key)) throw new SyntaxError(`found '${key}', expected: identifier`);
  checkKey(key);
  if (negated) return { key, operator: '!', values: [] };
  const next = tokens.peek();
  if (next === '' || next === ',') return { key, operator: 'exists', values: [] };
  return parseOperation(tokens, key);
}

function parseOperation(tokens: Tokens, key: string): Requirement {
  const operator = tokens.take();
  switch (operator) {
    case '=':
    case '==':
      return { key, operator: '=', values: [exactValue(tokens, key)] };
    case '!=':
      return { key, operator: '!=', values: [exactValue(tokens, key)] };
    case '>':
    case '<': {
      const bound = exactValue(tokens, key);
      if (!/^-?\d+$/.test(bound)) throw new SyntaxError(`for 'Gt', 'Lt' operators, the value must be an integer`);
      return { key, operator: operator === '>' ? 'gt' : 'lt', values: [bound] };
    }
    case 'in':
    case 'notin':
      return { key, operator, values: valueSet(tokens, key) };
    default:
      throw new SyntaxError(`found '${operator}', expected: in, notin, =, ==, !=, gt, lt`);
  }
}

function exactValue(tokens: Tokens, key: string): string {
  const next = tokens.peek();
  if (next === '' || next === ',') return '';
  const value = tokens.take();
  if (SPECIAL.has(value)) throw new SyntaxError(`found '${value}', expected: identifier`);
  checkValue(key, value);
  return value;
}

function valueSet(tokens: Tokens, key: string): string[] {
  const open = tokens.take();
  if (open !== '(') throw new SyntaxError(`found '${open}' expected: '('`);
  const values: string[] = [];
  let wantsValue = true;
  for (;;) {
    const token = tokens.take();
    if (token === ')' || token === ',') {
      if (wantsValue) values.push('');
      if (token === ')') return [...new Set(values)];
      wantsValue = true;
    } else if (SPECIAL.has(token) || !wantsValue) {
      throw new SyntaxError(`found '${token}', expected: ',', or ')'`);
    } else {
      checkValue(key, token);
      values.push(token);
      wantsValue = false;
    }
  }
}

const NAME = /^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/;
const PREFIX = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const NAME_RULE = `name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')`;
const VALUE_RULE = `a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')`;

function checkKey(key: string): void {
  const parts = key.split('/');
  const name = parts.at(-1) ?? '';
  const badPrefix = parts.length > 2 || (parts.length === 2 && !PREFIX.test(parts[0] ?? ''));
  if (badPrefix || name.length > 63 || !NAME.test(name)) throw new SyntaxError(`key: Invalid value: ${JSON.stringify(key)}: ${NAME_RULE}`);
}

function checkValue(key: string, value: string): void {
  if (value.length > 63) {
    throw new SyntaxError(`values[0][${key}]: Invalid value: ${JSON.stringify(value)}: must be no more than 63 characters`);
  }
  if (value !== '' && !NAME.test(value)) throw new SyntaxError(`values[0][${key}]: Invalid value: ${JSON.stringify(value)}: ${VALUE_RULE}`);
}

const FROM_OBJECT: Readonly<Record<string, Operator>> = { In: 'in', NotIn: 'notin', Exists: 'exists', DoesNotExist: '!' };

/** The selector of an object's `LabelSelector`: absent matches nothing, empty everything. @throws {RangeError} On an unknown operator. */
export function selectorOf(selector: LabelSelector | undefined): Selector {
  if (selector === undefined) return NOTHING;
  const requirements: Requirement[] = Object.entries(selector.matchLabels ?? {}).map(([key, value]) => ({
    key,
    operator: '=',
    values: [value],
  }));
  for (const { key, operator, values } of selector.matchExpressions ?? []) {
    const known = FROM_OBJECT[operator];
    if (known === undefined) throw new RangeError(`"${operator}" is not a valid label selector operator`);
    requirements.push({ key, operator: known, values: values ?? [] });
  }
  return requirements.length === 0 ? EVERYTHING : new Selector(requirements);
}

/** The selector of a plain map, as Services and ReplicationControllers have. */
export function selectorOfMap(labels: Readonly<Record<string, string>>): Selector {
  return new Selector(Object.entries(labels).map(([key, value]) => ({ key, operator: '=', values: [value] })));
}
