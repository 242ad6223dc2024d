// SPDX-License-Identifier: Apache-2.0
// Whether an applied configuration fits its schema, in the words of structured-merge-diff: unknown fields, wrong types, list
// items without their keys or twice. @source structured-merge-diff typed/validate.go, typed/helpers.go
import { goValue } from '../go-print.ts';
import type { ListSchema, Schema } from '../schema.ts';
import { elementText } from './field-set.ts';
import { isRecord, itemElement, keyDefault, memberSchema } from './shape.ts';

export interface TypeOptions {
  /** Of items of a list: what is stored may have them, a configuration may not. @default false */
  readonly allowDuplicates?: boolean;
}

/** What does not fit, or undefined. Several misfits are listed on lines of their own. */
export function findTypeProblem(value: unknown, schema: Schema | undefined, path: string, options: TypeOptions = {}): string | undefined {
  const walk = new Walk(options.allowDuplicates ?? false);
  walk.check(value, schema, path);
  const [first] = walk.problems;
  return walk.problems.length > 1 ? ['errors:', ...walk.problems.map((problem) => `  ${problem}`)].join('\n') : first;
}

class Walk {
  readonly problems: string[] = [];
  readonly #allowDuplicates: boolean;

  constructor(allowDuplicates: boolean) {
    this.#allowDuplicates = allowDuplicates;
  }

  check(value: unknown, schema: Schema | undefined, path: string): void {
    if (value === null || value === undefined || schema === undefined || schema.kind === 'any') return;
    switch (schema.kind) {
      case 'struct':
      case 'map':
        if (isRecord(value)) this.#members(value, schema, path);
        else this.#report(path, `expected map, got &{${goValue(value)}}`);
        return;
      case 'list':
        if (Array.isArray(value)) this.#items(value, schema, path);
        else this.#report(path, `expected list, got &{${goValue(value)}}`);
        return;
      default:
        this.#scalar(value, schema.appliesScalars === true ? 'intOrString' : schema.kind, path);
    }
  }

  /** The first field that is not declared ends it. */
  #members(record: Record<string, unknown>, schema: Schema & { kind: 'struct' | 'map' }, path: string): void {
    for (const [name, value] of Object.entries(record)) {
      if (value === undefined) continue;
      const inner = `${path}.${name}`;
      const { schema: member, named } = memberSchema(schema, name);
      if (schema.kind === 'struct' && !named) {
        if (schema.preserveUnknown === true || schema.appliesUnknown === true) continue;
        this.#report(inner, 'field not declared in schema');
        return;
      }
      this.check(value, member, inner);
    }
  }

  #items(list: readonly unknown[], schema: ListSchema, path: string): void {
    const seen = new Set<string>();
    for (const [index, item] of list.entries()) {
      if (schema.listType === 'atomic') {
        this.check(item, schema.element, `${path}[${index}]`);
        continue;
      }
      const problem = itemProblem(item, schema);
      if (problem !== undefined) {
        this.#report(path, `element ${index}: ${problem}`);
        return;
      }
      const element = itemElement(schema, item);
      const text = elementText(element);
      if (seen.has(element) && !this.#allowDuplicates) this.#report(path, `duplicate entries for key ${text}`);
      seen.add(element);
      this.check(item, schema.element, `${path}${text}`);
    }
  }

  #scalar(value: unknown, kind: string, path: string): void {
    switch (kind) {
      case 'string':
      case 'bytes':
      case 'duration':
        if (typeof value !== 'string') this.#report(path, `expected string, got &value.valueUnstructured{Value:${goSyntax(value)}}`);
        return;
      case 'boolean':
        if (typeof value !== 'boolean') this.#report(path, `expected boolean, got &{${goValue(value)}}`);
        return;
      case 'int32':
      case 'int64':
      case 'float64':
        if (typeof value !== 'number') this.#report(path, `expected numeric (int or float), got ${goType(value)}`);
        return;
      case 'quantity':
      case 'time':
      case 'microTime':
      case 'intOrString':
        if (typeof value === 'object') this.#report(path, `expected any scalar, got &{${goValue(value)}}`);
    }
  }

  #report(path: string, text: string): void {
    this.problems.push(path === '' ? text : `${path}: ${text}`);
  }
}

/** Why an item cannot be told from others. */
function itemProblem(item: unknown, { listType, keys, element }: ListSchema): string | undefined {
  if (listType === 'set') return valueProblem(item);
  if (item === null) return 'associative list with keys may not have a null element';
  if (!isRecord(item)) return 'associative list with keys may not have non-map elements';
  // Some keys may be missing; an item without any could not be told from others.
  if (!keys.every((key) => item[key] === undefined && keyDefault(element, key) === undefined)) return undefined;
  const names = keys.map((key) => JSON.stringify(key)).join(' ');
  return `associative list with keys has an element that omits all key fields [${names}] (and doesn't have default values for any key fields)`;
}

function valueProblem(item: unknown): string | undefined {
  if (item === null) return "associative list without keys has an element that's an explicit null";
  if (Array.isArray(item)) return 'not supported: associative list with lists as elements';
  return isRecord(item) ? "associative list without keys has an element that's a map type" : undefined;
}

/** As Go's `%#v` prints what JSON holds. */
function goSyntax(value: unknown): string {
  if (Array.isArray(value)) return `[]interface {}{${value.map(goSyntax).join(', ')}}`;
  if (isRecord(value)) {
    const members = Object.keys(value).sort();
    return `map[string]interface {}{${members.map((key) => `${JSON.stringify(key)}:${goSyntax(value[key])}`).join(', ')}}`;
  }
  if (value === null) return 'interface {}(nil)';
  return typeof value === 'string' ? JSON.stringify(value) : String(value);
}

/** As Go's `%T` prints what JSON holds. */
function goType(value: unknown): string {
  if (Array.isArray(value)) return '[]interface {}';
  if (isRecord(value)) return 'map[string]interface {}';
  return typeof value === 'boolean' ? 'bool' : 'string';
}
