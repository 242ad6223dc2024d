// SPDX-License-Identifier: Apache-2.0
// Ratcheting (KEP-4008): what was wrong before and has not changed since is no error, so that a schema may grow
// stricter over objects that exist. Values correspond by property, by key in `map` lists, and nothing else.
// @source upstream apiextensions-apiserver pkg/apiserver/validation/ratcheting.go
import { type DeepReadonly, deepEqual, type FieldCause } from '#machinery';
import { isRecord, itemSchema, memberSchema, type SchemaProps } from './schema-props.ts';

/** The causes that remain of an update. */
export function ratchet(
  causes: readonly FieldCause[],
  next: DeepReadonly<object>,
  previous: DeepReadonly<object>,
  schema: SchemaProps,
): FieldCause[] {
  if (causes.length === 0) return [];
  return causes.filter((cause) => !isUnchanged(placeOf(cause), next, previous, schema));
}

/** Where a cause is: causes of whole values name the place in their message. What is required is wrong in its parent. */
function placeOf({ field, message, reason }: FieldCause): string {
  if (reason === 'FieldValueRequired') return field.slice(0, Math.max(0, field.lastIndexOf('.')));
  if (field !== '<nil>') return field;
  return /^Invalid value: "": "([^"]*)" must/.exec(message)?.[1] ?? / in (\S+)$/.exec(message)?.[1] ?? '';
}

function isUnchanged(place: string, next: unknown, previous: unknown, schema: SchemaProps): boolean {
  const steps = place === '' ? [] : place.split(/\.|(?=\[)/).filter((step) => step !== '');
  let [now, before, at]: [unknown, unknown, SchemaProps | undefined] = [next, previous, schema];
  for (const step of steps) {
    if (at === undefined || before === undefined) return false;
    // All of what has not changed stays, also what within it corresponds to nothing: items of atomic lists.
    if (deepEqual(now, before)) return true;
    if (step.startsWith('[')) {
      const item = Array.isArray(now) ? now[Number(step.slice(1, -1))] : undefined;
      before = counterpart(item, before, at);
      now = item;
      at = itemSchema(at);
    } else {
      now = isRecord(now) ? now[step] : undefined;
      before = isRecord(before) ? before[step] : undefined;
      at = memberSchema(at, step);
    }
  }
  return before !== undefined && deepEqual(now, before);
}

/** The item of a `map` list with the same keys. */
export function counterpart(item: unknown, list: unknown, schema: SchemaProps): unknown {
  if (schema['x-kubernetes-list-type'] !== 'map' || !isRecord(item) || !Array.isArray(list)) return undefined;
  const keys = schema['x-kubernetes-list-map-keys'] ?? [];
  return list.find((one) => isRecord(one) && keys.every((key) => deepEqual(one[key], item[key])));
}
