// SPDX-License-Identifier: Apache-2.0
// Whether a schema is structural: every field has a type, value validations (allOf, anyOf, oneOf, not) only validate, metadata is left
// alone. @source upstream apiextensions-apiserver pkg/apiserver/schema/validation.go
import { RE2JS } from 're2js';
import { deepEqual, type FieldCause, type FieldPath, forbiddenField, invalidValue, required } from '#machinery';
import {
  anySchema,
  isEmbedded,
  isIntOrString,
  itemSchema,
  preservesUnknown,
  propertySchema,
  type SchemaProps,
  valueSchema,
} from './schema-props.ts';

type Level = 'root' | 'item' | 'field';

const LEVELS: Readonly<Record<Level, string>> = {
  root: 'must not be empty at the root',
  item: 'must not be empty for specified array items',
  field: 'must not be empty for specified object fields',
};

/** Whether a schema has parts that the structural form cannot hold; they are refused by the rules for all schemas. */
export function hasUnsupportedParts(schema: SchemaProps): boolean {
  return anySchema(
    schema,
    (one) =>
      one.$ref !== undefined ||
      one.additionalItems !== undefined ||
      one.dependencies !== undefined ||
      Object.keys(one.patternProperties ?? {}).length > 0 ||
      Object.keys(one.definitions ?? {}).length > 0 ||
      one['x-kubernetes-preserve-unknown-fields'] === false ||
      Boolean(one.id) ||
      Boolean(one.$schema) ||
      (Array.isArray(one.items) && one.items.length > 0),
  );
}

/** Sorted, as upstream has them. */
export function structuralCauses(schema: SchemaProps, path: FieldPath): FieldCause[] {
  const text = ({ field, message }: FieldCause) => `${field}: ${message}`;
  const causes = [...invariants(schema, 'root', path), ...logicCompleteness(schema, schema, path, path)];
  return causes.sort((a, b) => (text(a) < text(b) ? -1 : 1));
}

/** What logic says of a field, the structure must say as well. Asked of the root's logic only, as upstream does. */
function logicCompleteness(logic: SchemaProps, structure: SchemaProps, path: FieldPath, logicPath: FieldPath): FieldCause[] {
  const { not, allOf = [], anyOf = [], oneOf = [] } = logic;
  const causes = not === undefined ? [] : completeness(not, structure, path, logicPath.child('not'));
  for (const [name, list] of Object.entries({ allOf, anyOf, oneOf }))
    for (const [index, one] of list.entries()) causes.push(...completeness(one, structure, path, logicPath.child(name).index(index)));
  return causes;
}

function completeness(nested: SchemaProps, structure: SchemaProps | undefined, path: FieldPath, nestedPath: FieldPath): FieldCause[] {
  if (structure === undefined) return [required(path, `because it is defined in ${nestedPath}`)];
  const causes = logicCompleteness(nested, structure, path, nestedPath);
  const items = itemSchema(nested);
  if (items !== undefined) causes.push(...completeness(items, itemSchema(structure), path.child('items'), nestedPath.child('items')));
  for (const [name, inner] of Object.entries(nested.properties ?? {})) {
    const at = (from: FieldPath) => from.child('properties').key(name);
    causes.push(...completeness(inner, propertySchema(structure, name), at(path), at(nestedPath)));
  }
  return causes;
}

function invariants(schema: SchemaProps, level: Level, path: FieldPath): FieldCause[] {
  const items = itemSchema(schema);
  const values = valueSchema(schema);
  const causes: FieldCause[] = [];
  if (schema.type === 'array' && items === undefined) causes.push(required(path.child('items'), 'must be specified'));
  if (items !== undefined) causes.push(...invariants(items, 'item', path.child('items')));
  for (const [name, inner] of Object.entries(schema.properties ?? {}))
    causes.push(...invariants(inner, 'field', path.child('properties').key(name)));
  if (schema.additionalProperties !== undefined && level === 'root')
    causes.push(forbiddenField(path.child('additionalProperties'), 'must not be used at the root'));
  if (values !== undefined) causes.push(...invariants(values, 'field', path.child('additionalProperties')));
  causes.push(...extensionCauses(schema, path), ...valueValidationCauses(schema, path, intOrStringForm(schema)));
  causes.push(...typeCauses(schema, level, path));
  if (level === 'root' || isEmbedded(schema)) causes.push(...metaTypeCauses(schema, path));
  if (level === 'root') causes.push(...rootMetadataCauses(schema, path));
  if (isEmbedded(schema) && !preservesUnknown(schema) && Object.keys(schema.properties ?? {}).length === 0) {
    const why = 'must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields';
    causes.push(required(path.child('properties'), why));
  }
  return causes;
}

function typeCauses(schema: SchemaProps, level: Level, path: FieldPath): FieldCause[] {
  const { type = '' } = schema;
  const at = path.child('type');
  const causes: FieldCause[] = [];
  if (isEmbedded(schema) && type !== 'object') {
    const why = 'must be object if x-kubernetes-embedded-resource is true';
    causes.push(type === '' ? required(at, why) : invalidValue(at, type, why));
  } else if (type === '' && !isIntOrString(schema) && !preservesUnknown(schema)) causes.push(required(at, LEVELS[level]));
  if (isEmbedded(schema) && schema.additionalProperties !== undefined)
    causes.push(forbiddenField(path.child('additionalProperties'), 'must not be used if x-kubernetes-embedded-resource is set'));
  if (level === 'root' && type !== '' && type !== 'object') causes.push(invalidValue(at, type, 'must be object at the root'));
  return causes;
}

const META_TYPES = { kind: 'string', apiVersion: 'string', metadata: 'object' } as const;

function metaTypeCauses(schema: SchemaProps, path: FieldPath): FieldCause[] {
  return Object.entries(META_TYPES).flatMap(([name, wanted]) => {
    const inner = propertySchema(schema, name);
    if (inner === undefined || inner.type === wanted) return [];
    return [invalidValue(path.child('properties').key(name).child('type'), inner.type ?? '', `must be ${wanted}`)];
  });
}

/** At the root, metadata is what it is everywhere; only names may be restricted. */
function rootMetadataCauses(schema: SchemaProps, path: FieldPath): FieldCause[] {
  const metadata = propertySchema(schema, 'metadata');
  if (metadata === undefined) return [];
  const { type: _type, default: _default, description: _description, properties = {}, ...rest } = metadata;
  const onlyNames = Object.keys(properties).every((name) => name === 'name' || name === 'generateName');
  const plain = Object.values(rest).every((value) => value === undefined || value === false);
  if (onlyNames && plain && metadata.description === undefined) return [];
  const why = 'must not specify anything other than name and generateName, but metadata is implicitly specified';
  return [forbiddenField(path.child('properties').key('metadata'), why)];
}

function extensionCauses(schema: SchemaProps, path: FieldPath): FieldCause[] {
  if (!isIntOrString(schema)) return [];
  const why = 'must be false if x-kubernetes-int-or-string is true';
  const causes: FieldCause[] = [];
  if (preservesUnknown(schema)) causes.push(invalidValue(path.child('x-kubernetes-preserve-unknown-fields'), true, why));
  if (isEmbedded(schema)) causes.push(invalidValue(path.child('x-kubernetes-embedded-resource'), true, why));
  return causes;
}

const INT_OR_STRING = [{ type: 'integer' }, { type: 'string' }];

interface Exceptions {
  /** `anyOf` is the one that stands for an integer or a string. */
  readonly anyOf: boolean;
  /** So is the `anyOf` of the first `allOf`. */
  readonly firstAllOf: boolean;
}

const NO_EXCEPTIONS: Exceptions = { anyOf: false, firstAllOf: false };

function intOrStringForm({ anyOf, allOf }: SchemaProps): Exceptions {
  return { anyOf: deepEqual(anyOf, INT_OR_STRING), firstAllOf: deepEqual(allOf?.[0]?.anyOf, INT_OR_STRING) };
}

function valueValidationCauses(schema: SchemaProps, path: FieldPath, except: Exceptions): FieldCause[] {
  const { anyOf = [], allOf = [], oneOf = [], not, pattern } = schema;
  const causes: FieldCause[] = [];
  if (!except.anyOf) for (const [index, inner] of anyOf.entries()) causes.push(...nestedCauses(inner, path.child('anyOf').index(index)));
  for (const [index, inner] of allOf.entries()) {
    const first = { anyOf: index === 0 && except.firstAllOf, firstAllOf: false };
    causes.push(...nestedCauses(inner, path.child('allOf').index(index), first));
  }
  for (const [index, inner] of oneOf.entries()) causes.push(...nestedCauses(inner, path.child('oneOf').index(index)));
  if (not !== undefined) causes.push(...nestedCauses(not, path.child('not')));
  const problem = pattern ? patternProblem(pattern) : undefined;
  if (problem !== undefined) {
    causes.push(
      invalidValue(path.child('pattern'), pattern, `must be a valid regular expression, but isn't: error parsing regexp: ${problem}`),
    );
  }
  return causes;
}

/** What Go's parser says of a pattern that is none. */
function patternProblem(pattern: string): string | undefined {
  try {
    RE2JS.compile(pattern);
    return undefined;
  } catch (error) {
    const text = error instanceof Error ? error.message.replace(/^error parsing regexp: /, '') : String(error);
    return text.replace(/^missing parenthesis|^missing closing \)$/, 'missing closing )').replace(/: `$/, ': ');
  }
}

function nestedCauses(schema: SchemaProps, path: FieldPath, except: Exceptions = NO_EXCEPTIONS): FieldCause[] {
  const causes = valueValidationCauses(schema, path, except);
  const items = itemSchema(schema);
  if (items !== undefined) causes.push(...nestedCauses(items, path.child('items')));
  for (const [name, inner] of Object.entries(schema.properties ?? {}))
    causes.push(...nestedCauses(inner, path.child('properties').key(name)));
  const forbid = (name: string, present: boolean, how: string) => {
    if (present) causes.push(forbiddenField(path.child(name), `must be ${how} to be structural`));
  };
  forbid('type', Boolean(schema.type), 'empty');
  forbid('additionalProperties', schema.additionalProperties !== undefined && schema.additionalProperties !== false, 'undefined');
  forbid('default', schema.default !== undefined, 'undefined');
  forbid('title', Boolean(schema.title), 'empty');
  forbid('description', Boolean(schema.description), 'empty');
  forbid('nullable', schema.nullable === true, 'false');
  forbid('x-kubernetes-preserve-unknown-fields', preservesUnknown(schema), 'false');
  forbid('x-kubernetes-embedded-resource', isEmbedded(schema), 'false');
  forbid('x-kubernetes-int-or-string', isIntOrString(schema), 'false');
  forbid('x-kubernetes-list-map-keys', (schema['x-kubernetes-list-map-keys'] ?? []).length > 0, 'empty');
  forbid('x-kubernetes-list-type', schema['x-kubernetes-list-type'] !== undefined, 'undefined');
  forbid('x-kubernetes-map-type', schema['x-kubernetes-map-type'] !== undefined, 'undefined');
  forbid('x-kubernetes-validations', (schema['x-kubernetes-validations'] ?? []).length > 0, 'empty');
  if (propertySchema(schema, 'metadata') !== undefined)
    causes.push(forbiddenField(path.child('properties').key('metadata'), 'must not be specified in a nested context'));
  return causes;
}
