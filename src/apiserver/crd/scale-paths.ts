// SPDX-License-Identifier: Apache-2.0
// The paths behind the scale endpoint of a custom resource: dotted members without lists. Reads and writes what they name.
import { type DeepReadonly, goValue } from '#machinery';
import { isRecord, type Json } from './schema-props.ts';

export interface ScalePaths {
  readonly spec: string;
  readonly status: string;
  readonly selector: string | undefined;
}

/** The members of a path, outermost first. */
export const stepsOf = (path: string) => path.replace(/^\./, '').split('.');

/** What a path names; undefined where nothing is. */
export function readPath(object: DeepReadonly<object>, path: string): unknown {
  return stepsOf(path).reduce<unknown>((value, step) => (isRecord(value) && Object.hasOwn(value, step) ? value[step] : undefined), object);
}

/** A number of replicas; `unreadable` where something else is. */
export function readReplicas(object: DeepReadonly<object>, path: string): number | 'unreadable' | undefined {
  const value = readPath(object, path);
  if (value === undefined) return undefined;
  return typeof value === 'number' && Number.isInteger(value) ? value : 'unreadable';
}

/** What keeps a path from naming a value of a type, in Go's words; undefined where it does, or where nothing is. */
export function pathProblem(object: DeepReadonly<object>, path: string, wanted: 'int64' | 'string'): string | undefined {
  const steps = stepsOf(path);
  const problem = (count: number, value: unknown, type: string) =>
    `.${steps.slice(0, count).join('.')} accessor error: ${goValue(value)} is of the type ${goTypeOf(value)}, expected ${type}`;
  let value: unknown = object;
  for (const [index, step] of steps.entries()) {
    if (value === null) return undefined;
    if (!isRecord(value)) return problem(index + 1, value, 'map[string]interface{}');
    if (!Object.hasOwn(value, step) || value[step] === undefined) return undefined;
    value = value[step];
  }
  return goTypeOf(value) === wanted ? undefined : problem(steps.length, value, wanted);
}

/** As Go names the types that JSON has. */
function goTypeOf(value: unknown): string {
  if (value === null) return '<nil>';
  if (Array.isArray(value)) return '[]interface {}';
  if (typeof value === 'object') return 'map[string]interface {}';
  if (typeof value === 'number') return Number.isInteger(value) ? 'int64' : 'float64';
  return typeof value === 'boolean' ? 'bool' : 'string';
}

/** Writes a value, with the objects on its way. */
export function writePath(object: Json, path: string, value: unknown): void {
  const steps = stepsOf(path);
  const last = steps.pop() ?? '';
  let at = object;
  for (const step of steps) {
    const inner = Object.hasOwn(at, step) ? at[step] : undefined;
    const next = isRecord(inner) ? inner : {};
    if (next !== inner) at[step] = next;
    at = next;
  }
  at[last] = value;
}
