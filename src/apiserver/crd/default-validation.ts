// SPDX-License-Identifier: Apache-2.0
// Defaults in a schema must be values that the schema takes, with nothing that it would prune.
// @source upstream apiextensions-apiserver pkg/apiserver/schema/defaulting/validation.go
import { DecodeError, deepCopy, deepEqual, type FieldCause, FieldPath, invalidValue } from '#machinery';
import { inOrder } from './in-order.ts';
import { coerceEmbedded, embeddedCauses } from './object-meta.ts';
import { prune } from './pruning.ts';
import { isEmbedded, itemSchema, META_FIELDS, type SchemaProps } from './schema-props.ts';
import { valueValidator } from './value-validator.ts';

/** Checks the rules of a default's schema; for schemas without rules there is none. */
export type DefaultRules = (value: unknown, schema: SchemaProps, path: FieldPath) => FieldCause[];

export interface DefaultOptions {
  /** Off where defaults that would be pruned are stored already. */
  readonly requirePruned: boolean;
  readonly rules: DefaultRules;
}

export function defaultCauses(schema: SchemaProps, path: FieldPath, options: DefaultOptions, isRoot = true): FieldCause[] {
  const causes = schema.default === undefined ? [] : ownCauses(schema, path.child('default'), options);
  const items = itemSchema(schema);
  if (items !== undefined) causes.push(...defaultCauses(items, path.child('items'), options, isEmbedded(items)));
  for (const [name, inner] of Object.entries(schema.properties ?? {})) {
    // Defaults of metadata are refused elsewhere.
    if (isRoot && META_FIELDS.has(name)) continue;
    causes.push(...defaultCauses(inner, path.child('properties').key(name), options, isEmbedded(inner)));
  }
  // Defaults in the values of maps are not looked at.
  return causes;
}

function ownCauses(schema: SchemaProps, path: FieldPath, { requirePruned, rules }: DefaultOptions): FieldCause[] {
  const value = schema.default;
  const causes: FieldCause[] = [];
  if (requirePruned && !deepEqual(prune(value, schema, isEmbedded(schema)), value))
    causes.push(invalidValue(path, inOrder(value), 'must not have unknown fields'));
  const problem = metadataProblem(value, schema);
  if (problem !== undefined) return [...causes, invalidValue(path, inOrder(value), problem)];
  const embedded = embeddedCauses(value, schema, path);
  if (embedded.length > 0) return [...causes, ...embedded];
  const wrong = valueValidator(schema).validate(value, String(path));
  return [...causes, ...(wrong.length > 0 ? wrong : rules(value, schema, path))];
}

function metadataProblem(value: unknown, schema: SchemaProps): string | undefined {
  try {
    coerceEmbedded(deepCopy(value), schema, '', { dropMalformed: false });
    return undefined;
  } catch (error) {
    if (error instanceof DecodeError) return error.message;
    throw error;
  }
}

/** Whether a schema has a default that would be pruned. */
export function hasUnprunedDefaults(schema: SchemaProps): boolean {
  const found = defaultCauses(schema, new FieldPath('x'), { requirePruned: true, rules: () => [] });
  return found.some(({ message }) => message.endsWith('must not have unknown fields'));
}
