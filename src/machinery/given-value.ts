// SPDX-License-Identifier: Apache-2.0
// Objects are kept without their empty lists and maps, while upstream's decoder keeps what a client wrote as empty: an error about
// such a field shows `{}` or `[]` there, not `null`. What the client wrote is looked at only once an error is to be told.
import { printValue } from './field-error.ts';
import type { Schema } from './schema.ts';
import type { FieldCause } from './status.ts';

const NOTHING = 'Invalid value: null';
const STEP = /\[([^\]]*)\]|([^.[\]]+)/g;

/** Causes that show what was given where it was empty. @param given The document before it was decoded. */
export function showGiven(causes: readonly FieldCause[], given: unknown, schema: Schema): readonly FieldCause[] {
  if (given === undefined || causes.every(({ message }) => !message.startsWith(NOTHING))) return causes;
  return causes.map((cause) => {
    if (!cause.message.startsWith(NOTHING)) return cause;
    const value = emptyAt(given, schema, cause.field);
    return value === undefined ? cause : { ...cause, message: `Invalid value: ${printValue(value)}${cause.message.slice(NOTHING.length)}` };
  });
}

/** The empty list or map at a path; undefined where there is anything else, or nothing. */
function emptyAt(given: unknown, schema: Schema, path: string): unknown {
  let value = given;
  let at: Schema | undefined = schema;
  for (const [, key, name = key] of path.matchAll(STEP)) {
    if (typeof value !== 'object' || value === null || name === undefined || !Object.hasOwn(value, name)) return undefined;
    value = (value as Record<string, unknown>)[name];
    at = inside(at, name);
  }
  const isEmpty = typeof value === 'object' && value !== null && Object.keys(value).length === 0;
  return isEmpty && (at?.kind === 'list' || at?.kind === 'map') ? value : undefined;
}

function inside(schema: Schema | undefined, name: string): Schema | undefined {
  switch (schema?.kind) {
    case 'struct':
      return schema.byName.get(name)?.schema;
    case 'list':
      return schema.element;
    case 'map':
      return schema.value;
    default:
      return undefined;
  }
}
