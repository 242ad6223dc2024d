// SPDX-License-Identifier: Apache-2.0
// Paths into a schema, as rules (`fieldPath`) and selectable fields name them: `.spec.list`, `.spec['a-b']`; each step must be declared.
// @source upstream apiextensions-apiserver pkg/apiserver/schema/cel/validation.go ValidFieldPath
import { FieldPath } from '#machinery';
import { propertySchema, type SchemaProps, valueSchema } from './schema-props.ts';

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

const END = 'unexpected end of JSON path';
const NOWHERE = 'does not refer to a valid field';

/** @param brackets Whether `['name']` may be written. @throws {FieldPathError} */
export function findField(text: string, schema: SchemaProps, { brackets = true }: { brackets?: boolean } = {}): FoundField {
  const tokens = tokensOf(text)[Symbol.iterator]();
  const next = (): string => {
    const { value, done } = tokens.next();
    if (done === true) throw new FieldPathError(END);
    return value;
  };
  let found: FoundField = { path: new FieldPath(), root: '', schema };
  for (const token of tokens) {
    if (token === '.') found = step(found, next());
    else if (token !== '[') throw new FieldPathError(`expected [ or . but got: ${token}`);
    else if (!brackets) throw new FieldPathError('array notation is not allowed');
    else {
      found = step(found, unquoted(next()));
      const close = next();
      if (close !== ']') throw new FieldPathError(`expected ] but got ${close}`);
    }
  }
  return found;
}

/** A schema has declared properties, or values that are all alike; properties go first. */
function step({ path, root, schema }: FoundField, name: string): FoundField {
  const isStruct = Object.keys(schema.properties ?? {}).length > 0;
  const inner = isStruct ? propertySchema(schema, name) : valueSchema(schema);
  if (inner === undefined) throw new FieldPathError(NOWHERE);
  return { path: isStruct ? path.child(name) : path.key(name), root: root === '' ? name : root, schema: inner };
}

const DELIMITER = /[.[\]]/;

/** Delimiters, names between them, and texts in single quotes as they stand. */
function tokensOf(text: string): string[] {
  const tokens: string[] = [];
  for (let at = 0; at < text.length; at += tokens.at(-1)?.length ?? 1) {
    const rest = text.slice(at);
    const quoted = /^'(?:[^'\\]|\\.|\\$)*'/s.exec(rest);
    const name = /^[^.[\]]+/.exec(rest);
    if (rest.startsWith("'")) tokens.push(quoted?.[0] ?? rest);
    else if (DELIMITER.test(rest[0] ?? '')) tokens.push(rest[0] ?? '');
    else tokens.push(name?.[0] ?? rest);
  }
  return tokens;
}

const ESCAPES: Readonly<Record<string, string>> = { a: '\x07', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v', "'": "'", '\\': '\\' };

function unquoted(token: string): string {
  if (token.length < 2 || !token.startsWith("'") || !token.endsWith("'"))
    throw new FieldPathError(`expected single quoted string but got ${token}`);
  return token.slice(1, -1).replace(/\\(.)/gs, (text, char: string) => {
    const value = ESCAPES[char];
    if (value === undefined) throw new FieldPathError(`invalid string literal: invalid escape char ${text}`);
    return value;
  });
}
