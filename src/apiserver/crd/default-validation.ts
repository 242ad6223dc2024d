// SPDX-License-Identifier: Apache-2.0
// Defaults in a schema must be values that the schema takes, with nothing that it would prune.
// @source upstream apiextensions-apiserver pkg/apiserver/schema/defaulting/validation.go
import { deepCopy, deepEqual, type FieldCause, FieldPath, invalidValue } from '#machinery';
import { inOrder } from './in-order.ts';
import { coerceEmbedded, EmbeddedError, embeddedCauses } from './object-meta.ts';
import { prune } from './pruning.ts';
import { isEmbedded, itemSchema, type Json, META_FIELDS, type SchemaProps } from './schema-props.ts';
import { valueValidator } from './value-validator.ts';

/** Checks the rules of a default's schema; for schemas without rules there is none. */
export type DefaultRules = (value: unknown, schema: SchemaProps, path: FieldPath) => FieldCause[];

export interface DefaultOptions {
  /** Off where defaults that would be pruned are stored already. */
  readonly requirePruned: boolean;
  readonly rules: DefaultRules;
}

/** Where a schema is: defaults of metadata are judged by the whole object that they would be part of. */
interface Place {
  /** The nearest object around it. */
  readonly root: SchemaProps;
  readonly isInMeta: boolean;
  /** An object of `root` with a value at this place. */
  readonly around: (value: unknown) => Json;
}

const asObject = (value: unknown): Json => ({ ...(value as Json), kind: 'Validation', apiVersion: 'validation/v1' });
const objectPlace = (root: SchemaProps): Place => ({ root, isInMeta: false, around: asObject });

function inside({ root, around }: Place, isInMeta: boolean, wrap: (value: unknown) => unknown): Place {
  return { root, isInMeta, around: (value) => around(wrap(value)) };
}

/** @param schema Of the root: an object by itself. */
export function defaultCauses(schema: SchemaProps, path: FieldPath, options: DefaultOptions): FieldCause[] {
  return causesAt(schema, path, options, objectPlace({ ...schema, 'x-kubernetes-embedded-resource': true }), true);
}

function causesAt(schema: SchemaProps, path: FieldPath, options: DefaultOptions, given: Place, isRoot: boolean): FieldCause[] {
  const place = isEmbedded(schema) ? objectPlace(schema) : given;
  const isObject = isRoot || isEmbedded(schema);
  const at = path.child('default');
  const causes =
    schema.default === undefined ? [] : place.isInMeta ? metaCauses(schema, at, options, place) : ownCauses(schema, at, options);
  const items = itemSchema(schema);
  // Defaults in the values of maps are not looked at.
  if (items !== undefined)
    causes.push(
      ...causesAt(
        items,
        path.child('items'),
        options,
        inside(place, place.isInMeta, (value) => [value]),
        false,
      ),
    );
  for (const [name, inner] of Object.entries(schema.properties ?? {})) {
    const isInMeta = place.isInMeta || (isObject && META_FIELDS.has(name));
    const next = inside(place, isInMeta, (value) => ({ [name]: value }));
    causes.push(...causesAt(inner, path.child('properties').key(name), options, next, false));
  }
  return causes;
}

function metaCauses(schema: SchemaProps, path: FieldPath, { rules }: DefaultOptions, { root, around }: Place): FieldCause[] {
  const value = schema.default;
  const object = around(deepCopy(value));
  const problem = formProblem(object, root)?.message ?? aggregated(embeddedCauses(object, root));
  if (problem !== undefined) return [invalidValue(path, inOrder(value), `must result in valid metadata: ${problem}`)];
  return valueCauses(schema, path, rules);
}

function aggregated(causes: readonly FieldCause[]): string | undefined {
  const texts = causes.map(({ field, message }) => `${field}: ${message}`);
  return texts.length > 1 ? `[${texts.join(', ')}]` : texts[0];
}

function ownCauses(schema: SchemaProps, path: FieldPath, { requirePruned, rules }: DefaultOptions): FieldCause[] {
  const value = schema.default;
  const causes: FieldCause[] = [];
  if (requirePruned && !deepEqual(prune(value, schema, isEmbedded(schema)), value))
    causes.push(invalidValue(path, inOrder(value), 'must not have unknown fields'));
  const problem = formProblem(deepCopy(value), schema);
  if (problem !== undefined) return [...causes, invalidValue(`${path}.${problem.place}`, problem.value, problem.why)];
  const embedded = embeddedCauses(value, schema, path);
  return [...causes, ...(embedded.length > 0 ? embedded : valueCauses(schema, path, rules))];
}

function valueCauses(schema: SchemaProps, path: FieldPath, rules: DefaultRules): FieldCause[] {
  const wrong = valueValidator(schema).validate(schema.default, String(path));
  return wrong.length > 0 ? wrong : rules(schema.default, schema, path);
}

function formProblem(value: unknown, schema: SchemaProps): EmbeddedError | undefined {
  try {
    coerceEmbedded(value, schema, '', { dropMalformed: false });
    return undefined;
  } catch (error) {
    if (error instanceof EmbeddedError) return error;
    throw error;
  }
}

/** Whether a schema has a default that would be pruned. */
export function hasUnprunedDefaults(schema: SchemaProps): boolean {
  const found = defaultCauses(schema, new FieldPath('x'), { requirePruned: true, rules: () => [] });
  return found.some(({ message }) => message.endsWith('must not have unknown fields'));
}
