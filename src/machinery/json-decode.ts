// SPDX-License-Identifier: Apache-2.0
// Decodes a JSON body into an object of a known type, as upstream's serializer does. Fast path: `JSON.parse` and one walk; the
// scanner for strict errors runs only when they are asked for. How large a body may be is the server's matter.

import { withExactNumbers } from './exact-numbers.ts';
import { strictErrors } from './json-strict.ts';
import { JsonSyntaxError, parseJson } from './json-syntax.ts';
import { unmarshalError } from './json-text.ts';
import { normalize } from './normalize.ts';
import type { StructSchema } from './schema.ts';

export interface Decoded {
  readonly object: Record<string, unknown>;
  /** `unknown field "..."`, `duplicate field "..."`; empty unless asked for. */
  readonly strictErrors: readonly string[];
  /** The same as they read in `Warning` headers. */
  readonly warnings: readonly string[];
  /** The document as it came. */
  readonly given: unknown;
}

const TYPE_META = 'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }';

/**
 * Decodes a body.
 *
 * @throws {JsonSyntaxError} If it is no JSON object; upstream's server puts `couldn't get version/kind; json parse error: ` before.
 * @throws {DecodeError} If a value does not fit its type.
 */
export function decodeJson(body: Uint8Array | string, schema: StructSchema, { strict }: { strict: boolean }): Decoded {
  const text = typeof body === 'string' ? body : Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8');
  const value = parseJsonObject(text);
  if (schema.coerce !== undefined) return decodeCustom(text, value, schema, strict);
  const object = normalize(withExactNumbers(text, value), schema);
  const errors = strict ? strictErrors(text, schema, value) : [];
  return { object, strictErrors: errors, warnings: errors, given: value };
}

/** Of a custom resource the text tells only which keys are written twice; what is unknown turns up while it is pruned. */
function decodeCustom(text: string, value: unknown, schema: StructSchema, strict: boolean): Decoded {
  const unknown: string[] = [];
  const object = normalize(value, schema, { strictErrors: strict ? unknown : undefined });
  const errors = strict ? [...strictErrors(text, { kind: 'any', name: '' }, value), ...unknown] : [];
  return { object, strictErrors: errors, warnings: errors, given: value };
}

/** Parses a body that must be an object; null counts as an empty one. @throws {JsonSyntaxError} If it is no JSON object. */
export function parseJsonObject(text: string): Record<string, unknown> {
  return objectOf(parseJson(text));
}

/** A parsed value as an object that says what it is, or nothing of that. @throws {JsonSyntaxError} */
export function objectOf(value: unknown): Record<string, unknown> {
  if (value === null) return {};
  if (typeof value !== 'object' || Array.isArray(value)) throw new JsonSyntaxError(unmarshalError(value, TYPE_META));
  for (const field of ['apiVersion', 'kind']) {
    const claimed = (value as Record<string, unknown>)[field];
    if (claimed !== undefined && claimed !== null && typeof claimed !== 'string') {
      const what = unmarshalError(claimed, 'string').replace('Go value', `Go struct field .${field}`);
      throw new JsonSyntaxError(what);
    }
  }
  return value as Record<string, unknown>;
}
