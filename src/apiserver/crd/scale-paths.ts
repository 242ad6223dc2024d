// SPDX-License-Identifier: Apache-2.0
// The paths behind the scale endpoint of a custom resource: dotted members without lists. Reads and writes what they name.
import type { DeepReadonly } from '#machinery';
import { isRecord, type Json } from './schema-props.ts';

export interface ScalePaths {
  readonly spec: string;
  readonly status: string;
  readonly selector: string | undefined;
}

const stepsOf = (path: string) => path.replace(/^\./, '').split('.');

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
