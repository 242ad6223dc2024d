// SPDX-License-Identifier: Apache-2.0
// Values with their members in order of name, as Go's encoder writes maps: what clients see of them in messages and cells.
import { setOwn } from '#machinery';
import { isRecord, type Json } from './schema-props.ts';

/** A copy with all members in order; values without members as they are. */
export function inOrder(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inOrder);
  if (!isRecord(value)) return value;
  const result: Json = {};
  for (const name of Object.keys(value).sort()) setOwn(result, name, inOrder(value[name]));
  return result;
}

const ESCAPES: Readonly<Record<string, string>> = {
  '<': '\\u003c',
  '>': '\\u003e',
  '&': '\\u0026',
  '\u2028': '\\u2028',
  '\u2029': '\\u2029',
};

/** As Go's `json.Marshal` writes a value. */
export function goJson(value: unknown): string {
  return JSON.stringify(inOrder(value)).replace(/[<>&\u2028\u2029]/g, (char) => ESCAPES[char] ?? char);
}
