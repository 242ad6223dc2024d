// SPDX-License-Identifier: Apache-2.0
// Paths into a schema, as rules (`fieldPath`) and selectable fields name them: `.spec.list`, `.spec['a-b']`; each step must be declared.
// @source upstream apiextensions-apiserver pkg/apiserver/schema/cel/validation.go ValidFieldPath
import { FieldPath } from '#machinery';
import { itemSchema, META_FIELDS, propertySchema, type SchemaProps, valueSchema } from './schema-props.ts';

/** Thrown when a path does not parse or names nothing; the message says which. */
export class FieldPathError extends Error {
  override readonly name = 'FieldPathError';
}

export interface FoundField {
  readonly path: FieldPath;
  /** The first step. */
  readonly root: string;
  readonly schema: SchemaProps;
}

interface Step {
  readonly name: string;
  readonly bracket: boolean;
}

/** @param brackets Whether `['name']` may be written. @throws {FieldPathError} */
export function findField(text: string, schema: SchemaProps, { brackets = true }: { brackets?: boolean } = {}): FoundField {
  const steps = parse(text, brackets);
  let [at, path]: [SchemaProps, FieldPath] = [schema, new FieldPath()];
  for (const { name, bracket } of steps) {
    const values = valueSchema(at);
    const property = propertySchema(at, name);
    const inner = property ?? values ?? (bracket && /^\d+$/.test(name) ? itemSchema(at) : undefined);
    if (inner === undefined) throw new FieldPathError('does not refer to a valid field');
    if (property === undefined && values !== undefined && !bracket && !brackets)
      throw new FieldPathError('does not refer to a valid field');
    path = property === undefined || bracket ? path.key(name) : path.child(name);
    at = inner;
  }
  return { path, root: steps[0]?.name ?? '', schema: at };
}

function parse(text: string, brackets: boolean): Step[] {
  const steps: Step[] = [];
  let rest = text;
  while (rest !== '') {
    const member = /^\.([A-Za-z_][\w-]*|[^.[\]\s'"]+)/.exec(rest);
    const quoted = brackets ? /^\[(['"])((?:\\.|(?!\1).)+)\1\]/.exec(rest) : null;
    if (member !== null) {
      steps.push({ name: member[1] ?? '', bracket: false });
      rest = rest.slice(member[0].length);
    } else if (quoted !== null) {
      steps.push({ name: (quoted[2] ?? '').replace(/\\(.)/g, '$1'), bracket: true });
      rest = rest.slice(quoted[0].length);
    } else throw new FieldPathError(problemOf(rest, brackets));
  }
  if (steps.length === 0) throw new FieldPathError('must not be empty');
  return steps;
}

function problemOf(rest: string, brackets: boolean): string {
  if (rest.startsWith('[') && !brackets) return 'does not refer to a valid field';
  if (rest.startsWith('[')) return 'expected single quoted string';
  return rest.startsWith('.') ? 'does not refer to a valid field' : `expected [ or . but got: ${rest.slice(0, 1)}`;
}

/** Whether a path may be selected by: metadata has its own selectors. */
export const isMetaField = (name: string) => META_FIELDS.has(name);
