// SPDX-License-Identifier: Apache-2.0
// The OpenAPI schema of a custom resource as its definition writes it down, with the loose parts of the API type made narrow, and
// small questions about it that every walk asks. A schema is data: it is never changed once its definition is stored.
import type { JSONSchemaProps } from '#api/apiextensions/v1';
import type { DeepReadonly } from '#machinery';

export interface ValidationRule {
  readonly rule: string;
  readonly message?: string;
  readonly messageExpression?: string;
  readonly reason?: string;
  readonly fieldPath?: string;
  readonly optionalOldSelf?: boolean;
}

type Narrowed =
  | 'default'
  | 'enum'
  | 'items'
  | 'allOf'
  | 'oneOf'
  | 'anyOf'
  | 'not'
  | 'properties'
  | 'additionalProperties'
  | 'patternProperties'
  | 'dependencies'
  | 'additionalItems'
  | 'definitions'
  | 'x-kubernetes-validations';

export interface SchemaProps extends DeepReadonly<Omit<JSONSchemaProps, Narrowed>> {
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  /** A list of schemas is refused by validation. */
  readonly items?: SchemaProps | readonly SchemaProps[];
  readonly allOf?: readonly SchemaProps[];
  readonly oneOf?: readonly SchemaProps[];
  readonly anyOf?: readonly SchemaProps[];
  readonly not?: SchemaProps;
  readonly properties?: Readonly<Record<string, SchemaProps>>;
  readonly additionalProperties?: SchemaProps | boolean;
  readonly patternProperties?: Readonly<Record<string, SchemaProps>>;
  readonly dependencies?: Readonly<Record<string, SchemaProps | readonly string[]>>;
  readonly additionalItems?: SchemaProps | boolean;
  readonly definitions?: Readonly<Record<string, SchemaProps>>;
  readonly 'x-kubernetes-validations'?: readonly ValidationRule[];
}

export type Json = Record<string, unknown>;

export function isRecord(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export const preservesUnknown = (schema: SchemaProps) => schema['x-kubernetes-preserve-unknown-fields'] === true;
export const isEmbedded = (schema: SchemaProps) => schema['x-kubernetes-embedded-resource'] === true;
export const isIntOrString = (schema: SchemaProps) => schema['x-kubernetes-int-or-string'] === true;

/** The schema of a list's items; undefined where there is none, or a list of them. */
export function itemSchema({ items }: SchemaProps): SchemaProps | undefined {
  return items === undefined || Array.isArray(items) ? undefined : (items as SchemaProps);
}

/** The schema of a map's values. */
export function valueSchema({ additionalProperties }: SchemaProps): SchemaProps | undefined {
  return isRecord(additionalProperties) ? (additionalProperties as SchemaProps) : undefined;
}

/** The schema of a declared property. */
export function propertySchema({ properties }: SchemaProps, name: string): SchemaProps | undefined {
  return properties !== undefined && Object.hasOwn(properties, name) ? properties[name] : undefined;
}

/** The schema of one member of an object: its property, or that of the map. */
export function memberSchema(schema: SchemaProps, name: string): SchemaProps | undefined {
  return propertySchema(schema, name) ?? valueSchema(schema);
}

/** Whether a schema, or one within it, is of a kind. */
export function anySchema(schema: SchemaProps | undefined, test: (schema: SchemaProps) => boolean): boolean {
  if (schema === undefined) return false;
  return test(schema) || innerSchemas(schema).some((inner) => anySchema(inner, test));
}

function innerSchemas(schema: SchemaProps): SchemaProps[] {
  const { items, allOf = [], anyOf = [], oneOf = [], not, properties = {}, patternProperties = {}, definitions = {} } = schema;
  const values = valueSchema(schema);
  return [
    ...(items === undefined ? [] : Array.isArray(items) ? items : [items as SchemaProps]),
    ...allOf,
    ...anyOf,
    ...oneOf,
    ...(not === undefined ? [] : [not]),
    ...Object.values(properties),
    ...(values === undefined ? [] : [values]),
    ...Object.values(patternProperties),
    ...Object.values(definitions),
  ];
}

/** The fields of every object's root, and of embedded ones, which schemas need not declare. */
export const META_FIELDS: ReadonlySet<string> = new Set(['apiVersion', 'kind', 'metadata']);
