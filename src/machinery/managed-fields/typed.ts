// SPDX-License-Identifier: Apache-2.0
// Whether an applied configuration fits its schema, in the words of structured-merge-diff: unknown fields, wrong types, list
// items without their keys or twice.
import type { ListSchema, Schema } from '../schema.ts';
import { pathsOf } from './field-set.ts';
import { isRecord, itemElement } from './shape.ts';

/** The first misfit, or undefined. */
export function findTypeProblem(value: unknown, schema: Schema | undefined, path: string): string | undefined {
  if (value === null || value === undefined || schema === undefined) return undefined;
  switch (schema.kind) {
    case 'struct':
      return isRecord(value) ? structProblem(value, schema, path) : wrong(path, 'map', value);
    case 'map':
      if (!isRecord(value)) return wrong(path, 'map', value);
      return first(
        Object.entries(value).map(
          ([key, inner]) =>
            () =>
              findTypeProblem(inner, schema.value, `${path}.${key}`),
        ),
      );
    case 'list':
      return Array.isArray(value) ? listProblem(value, schema, path) : wrong(path, 'list', value);
    case 'string':
    case 'bytes':
    case 'time':
    case 'microTime':
    case 'duration':
      return typeof value === 'string' ? undefined : wrong(path, 'string', value);
    case 'boolean':
      return typeof value === 'boolean' ? undefined : wrong(path, 'boolean', value);
    case 'int32':
    case 'int64':
    case 'float64':
      return typeof value === 'number' ? undefined : wrong(path, 'numeric (int or float)', value);
    default:
      return undefined;
  }
}

function structProblem(value: Record<string, unknown>, schema: Schema & { kind: 'struct' }, path: string): string | undefined {
  return first(
    Object.entries(value).map(([name, inner]) => () => {
      const field = schema.byName.get(name);
      if (field !== undefined) return findTypeProblem(inner, field.schema, `${path}.${name}`);
      return schema.preserveUnknown === true ? undefined : `${path}.${name}: field not declared in schema`;
    }),
  );
}

function listProblem(list: readonly unknown[], schema: ListSchema, path: string): string | undefined {
  const seen = new Set<string>();
  return first(
    list.map((item, index) => () => {
      if (schema.listType === 'atomic') return findTypeProblem(item, schema.element, `${path}[${index}]`);
      if (schema.listType === 'map' && hasNoKey(item, schema)) {
        const keys = schema.keys.map((key) => JSON.stringify(key)).join(' ');
        return `${path}: element ${index}: associative list with keys has an element that omits all key fields [${keys}] (and doesn't have default values for any key fields)`;
      }
      const element = itemElement(schema, item);
      const [text = ''] = pathsOf({ member: false, children: new Map([[element, { member: true, children: new Map() }]]) });
      if (seen.has(element)) return `${path}: duplicate entries for key ${text}`;
      seen.add(element);
      return findTypeProblem(item, schema.element, `${path}${text}`);
    }),
  );
}

/** Some keys may be missing; an item without any could not be told from others. */
function hasNoKey(item: unknown, { keys, element }: ListSchema): boolean {
  if (!isRecord(item)) return false;
  return keys.every((key) => item[key] === undefined && (element.kind !== 'struct' || element.byName.get(key)?.default === undefined));
}

function first(checks: readonly (() => string | undefined)[]): string | undefined {
  for (const check of checks) {
    const problem = check();
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function wrong(path: string, wanted: string, value: unknown): string {
  return `${path}: expected ${wanted}, got &value.valueUnstructured{Value:${goSyntax(value)}}`;
}

/** As Go's `%#v` prints what JSON holds. */
function goSyntax(value: unknown): string {
  if (Array.isArray(value)) return `[]interface {}{${value.map(goSyntax).join(', ')}}`;
  if (isRecord(value)) {
    const members = Object.keys(value).sort();
    return `map[string]interface {}{${members.map((key) => `${JSON.stringify(key)}:${goSyntax(value[key])}`).join(', ')}}`;
  }
  return typeof value === 'string' ? JSON.stringify(value) : String(value);
}
