// SPDX-License-Identifier: Apache-2.0
// Brings the loose parts of a definition's schemas into form: what may be a schema or a list, or a schema or a boolean, is no Go type,
// so that decoding leaves it as it came. Afterwards every schema at every depth has its types, and unknown members are gone.
// @source upstream apiextensions v1 marshal.go
import { schemaOfType } from '#api';
import type { CustomResourceDefinition } from '#api/apiextensions/v1';
import { badRequest, DecodeError, normalize, type StructSchema } from '#machinery';
import type { MutableObject } from '../registry/strategy.ts';
import { isRecord, type Json } from './schema-props.ts';

const PROPS = schemaOfType('io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps') as StructSchema;

/** In place. @throws {ApiError} 400 If a part is of a wrong type. */
export function formSchemas(definition: MutableObject): void {
  const { spec } = definition as unknown as Partial<CustomResourceDefinition>;
  try {
    for (const { schema } of spec?.versions ?? []) if (schema?.openAPIV3Schema) formParts(schema.openAPIV3Schema as unknown as Json);
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    throw badRequest(`${definition.kind} in version "v1" cannot be handled as a ${definition.kind}: ${error.message}`, error);
  }
}

/** The parts of a schema that is itself in form. */
function formParts(schema: Json): void {
  formItems(schema);
  for (const name of ['additionalProperties', 'additionalItems']) formOrBoolean(schema, name);
  formDependencies(schema);
  for (const name of ['allOf', 'anyOf', 'oneOf']) for (const inner of (schema[name] ?? []) as Json[]) formParts(inner);
  if (isRecord(schema['not'])) formParts(schema['not']);
  for (const name of ['properties', 'patternProperties', 'definitions'])
    for (const inner of Object.values((schema[name] ?? {}) as Json)) formParts(inner as Json);
}

function formed(value: unknown): Json {
  const schema = normalize(value, PROPS);
  formParts(schema);
  return schema;
}

function formItems(schema: Json): void {
  const { items } = schema;
  if (items === undefined) return;
  if (Array.isArray(items)) schema['items'] = items.map(formed);
  else if (isRecord(items)) schema['items'] = formed(items);
  else delete schema['items'];
}

function formOrBoolean(schema: Json, name: string): void {
  const value = schema[name];
  if (value === undefined || typeof value === 'boolean') return;
  if (!isRecord(value)) throw new DecodeError('boolean or JSON schema expected');
  schema[name] = formed(value);
}

function formDependencies(schema: Json): void {
  const { dependencies } = schema;
  if (!isRecord(dependencies)) return;
  for (const [name, value] of Object.entries(dependencies)) if (isRecord(value)) dependencies[name] = formed(value);
}
