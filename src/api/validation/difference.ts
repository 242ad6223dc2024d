// SPDX-License-Identifier: Apache-2.0
// How refusals show values: what changed in a spec that may not change, as a unified diff of its fields, and structs under their
// Go field names where upstream prints its internal types.
import { semanticEqual } from '../../machinery/mod.ts';

/** The fields in which two values differ, one line per side. */
export function differenceText(next: unknown, previous: unknown, path: string): string {
  const pairs = differences(next, previous, path);
  const lines = pairs.flatMap(([at, now, before]) => [
    `-${at}: ${JSON.stringify(before) ?? 'nil'}`,
    `+${at}: ${JSON.stringify(now) ?? 'nil'}`,
  ]);
  return `@@ -1,${pairs.length} +1,${pairs.length} @@\n${lines.join('\n')}\n`;
}

type Difference = readonly [path: string, next: unknown, previous: unknown];

function differences(next: unknown, previous: unknown, path: string): Difference[] {
  if (semanticEqual(next, previous)) return [];
  const [a, b] = [fieldsOf(next), fieldsOf(previous)];
  if (a === undefined || b === undefined) return [[path, next, previous]];
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].flatMap((key) => differences(a[key], b[key], `${path}.${key}`));
}

function fieldsOf(value: unknown): Record<string, unknown> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined;
}

/** A value with its fields named as Go names them: `roleRef.apiGroup` is `APIGroup`. */
export function internalForm(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(internalForm);
  const fields = fieldsOf(value);
  if (fields === undefined) return value;
  return Object.fromEntries(Object.entries(fields).map(([key, inner]) => [goName(key), internalForm(inner)]));
}

const goName = (key: string) => `${key.charAt(0).toUpperCase()}${key.slice(1)}`.replace(/^Api/, 'API').replace(/^Uid$/, 'UID');
