// SPDX-License-Identifier: Apache-2.0
// Label selectors, in both forms: the query string of requests and the `LabelSelector` of objects.
// Grammar and texts follow apimachinery's labels package.
import { quote } from './field-error.ts';
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

const TOKEN = /[ \t\r\n]*(==|=|!=|!|>|<|\(|\)|,|[^ \t\r\n=!><(),]+)[ \t\r\n]*/y;

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
  if (!startsRequirement(tokens.peek())) throw new SyntaxError(`found '${tokens.peek()}', expected: !, identifier, or 'end of string'`);
  for (;;) {
    requirements.push(parseRequirement(tokens));
    const end = tokens.take();
    if (end === '') return new Selector(requirements);
    if (end !== ',') throw new SyntaxError(`found '${end}', expected: ',' or 'end of string'`);
    if (!startsRequirement(tokens.peek())) throw new SyntaxError(`found '${tokens.peek()}', expected: identifier after ','`);
  }
}

const startsRequirement = (token: string) => token === '!' || !SPECIAL.has(token);

/** What is wrong within a requirement is said with this before it. */
function unparsable(why: string): SyntaxError {
  return new SyntaxError(`unable to parse requirement: ${why}`);
}

function parseRequirement(tokens: Tokens): Requirement {
  let negated = false;
  if (tokens.peek() === '!') {
    tokens.take();
    negated = true;
  }
  const key = tokens.take();
  if (SPECIAL.has(key)) throw unparsable(`found '${key}', expected: identifier`);
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
      return checked({ key, operator: '=', values: [exactValue(tokens)] });
    case '!=':
      return checked({ key, operator: '!=', values: [exactValue(tokens)] });
    case '>':
    case '<':
      return checked({ key, operator: operator === '>' ? 'gt' : 'lt', values: [exactValue(tokens)] });
    case 'in':
    case 'notin':
      return checked({ key, operator, values: valueSet(tokens) });
    default:
      throw unparsable(`found '${operator}', expected: in, notin, =, ==, !=, gt, lt`);
  }
}

/** All that is wrong with the values is said at once. */
function checked(requirement: Requirement): Requirement {
  const { key, operator, values } = requirement;
  const problems: string[] = [];
  for (const [index, value] of values.entries()) {
    if ((operator === 'gt' || operator === 'lt') && !isInt64(value))
      problems.push(`values[${index}]: Invalid value: ${quote(value)}: for 'Gt', 'Lt' operators, the value must be an integer`);
  }
  for (const [index, value] of values.entries()) {
    const wrong = valueProblems(value);
    if (wrong.length > 0) problems.push(`values[${index}][${key}]: Invalid value: ${quote(value)}: ${wrong.join('; ')}`);
  }
  if (problems.length === 0) return requirement;
  throw unparsable(problems.length === 1 ? (problems[0] ?? '') : `[${problems.join(', ')}]`);
}

function isInt64(text: string): boolean {
  return /^[+-]?\d+$/.test(text) && BigInt.asIntN(64, BigInt(text.replace('+', ''))) === BigInt(text.replace('+', ''));
}

function exactValue(tokens: Tokens): string {
  const next = tokens.peek();
  if (next === '' || next === ',') return '';
  const value = tokens.take();
  if (SPECIAL.has(value)) throw unparsable(`found '${value}', expected: identifier`);
  return value;
}

/** `(a,b)`, in order and each once; nothing between commas is an empty value. */
function valueSet(tokens: Tokens): string[] {
  const open = tokens.take();
  if (open !== '(') throw unparsable(`found '${open}' expected: '('`);
  if (tokens.peek() === ')') {
    tokens.take();
    return [''];
  }
  if (SPECIAL.has(tokens.peek()) && tokens.peek() !== ',') throw unparsable(`found '${tokens.peek()}', expected: ',', ')' or identifier`);
  const values = new Set<string>();
  let wantsValue = true;
  for (;;) {
    const token = tokens.take();
    if (token === ')' || token === ',') {
      if (wantsValue) values.add('');
      if (token === ')') return [...values].sort();
      wantsValue = true;
    } else if (!wantsValue) throw unparsable(`found '${token}', expected: ',' or ')'`);
    else if (SPECIAL.has(token)) throw unparsable(`found '${token}', expected: ',', or identifier`);
    else {
      values.add(token);
      wantsValue = false;
    }
  }
}

const NAME = /^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/;
const PREFIX = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const NAME_RULE = `name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')`;
const KEY_RULE = `a valid label key ${NAME_RULE.replace('name part ', '')} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`;
const PREFIX_RULE = `a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')`;
const VALUE_RULE = `a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')`;

function checkKey(key: string): void {
  const problems = keyProblems(key);
  if (problems.length > 0) throw unparsable(`<nil>: Invalid value: ${quote(key)}: ${problems.join('; ')}`);
}

function keyProblems(key: string): string[] {
  const parts = key.split('/');
  if (parts.length > 2) return [KEY_RULE];
  const problems: string[] = [];
  const [first = '', second] = parts;
  const name = second ?? first;
  if (second !== undefined) {
    if (first === '') problems.push('prefix part must be non-empty');
    if (first.length > 253) problems.push('prefix part must be no more than 253 bytes');
    if (first !== '' && !PREFIX.test(first)) problems.push(`prefix part ${PREFIX_RULE}`);
  }
  if (name === '') problems.push('name part must be non-empty');
  else if (name.length > 63) problems.push('name part must be no more than 63 bytes');
  if (!NAME.test(name)) problems.push(NAME_RULE);
  return problems;
}

function valueProblems(value: string): string[] {
  const problems: string[] = [];
  if (value.length > 63) problems.push('must be no more than 63 bytes');
  if (value !== '' && !NAME.test(value)) problems.push(VALUE_RULE);
  return problems;
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
