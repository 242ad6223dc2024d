// SPDX-License-Identifier: Apache-2.0
// Schemas of the run-time model in OpenAPI's form, each type once, with references between them.
// @source kube-openapi: formats and extensions of the special types
import { descriptionOf } from '#api';
import type { Field, ListSchema, MapSchema, ScalarSchema, Schema, StructSchema } from '#machinery';

export type Json = Record<string, unknown>;

const V2_PREFIX = '#/definitions/';

const META = 'io.k8s.apimachinery.pkg.apis.meta.v1';

const SCALARS: Readonly<Record<string, Json>> = {
  string: { type: 'string' },
  boolean: { type: 'boolean' },
  int32: { type: 'integer', format: 'int32' },
  int64: { type: 'integer', format: 'int64' },
  float64: { type: 'number', format: 'double' },
  bytes: { type: 'string', format: 'byte' },
  any: {},
  duration: { type: 'string' },
};

/** Special types that are components of their own. */
const NAMED: Readonly<Record<string, readonly [name: string, schema: Json]>> = {
  quantity: ['io.k8s.apimachinery.pkg.api.resource.Quantity', { oneOf: [{ type: 'string' }, { type: 'number' }] }],
  time: [`${META}.Time`, { type: 'string', format: 'date-time' }],
  microTime: [`${META}.MicroTime`, { type: 'string', format: 'date-time' }],
  intOrString: [
    'io.k8s.apimachinery.pkg.util.intstr.IntOrString',
    { oneOf: [{ type: 'integer' }, { type: 'string' }], format: 'int-or-string' },
  ],
  rawExtension: ['io.k8s.apimachinery.pkg.runtime.RawExtension', { type: 'object' }],
  fieldsV1: [`${META}.FieldsV1`, { type: 'object' }],
};

/** The kinds a type stands for, for `x-kubernetes-group-version-kind`. */
export type KindOf = (typeName: string) => readonly { group: string; version: string; kind: string }[];

/** Gathers components while references to them are made. */
export class Components {
  readonly schemas: Record<string, Json> = {};
  readonly #kindOf: KindOf;
  readonly #prefix: string;

  /** @param prefix `#/components/schemas/` in version 3, `#/definitions/` in version 2. */
  constructor(kindOf: KindOf, prefix: string) {
    this.#kindOf = kindOf;
    this.#prefix = prefix;
  }

  /** A reference to the component of a struct, made on first need. */
  reference(schema: StructSchema): Json {
    if (this.schemas[schema.name] === undefined) {
      this.schemas[schema.name] = {}; // Before its fields: types refer to themselves.
      this.schemas[schema.name] = this.#struct(schema);
    }
    return { $ref: `${this.#prefix}${schema.name}` };
  }

  #struct(schema: StructSchema): Json {
    const required = schema.fields.filter((field) => field.required).map((field) => field.name);
    const kinds = this.#kindOf(schema.name);
    return {
      ...described(schema.name, ''),
      type: 'object',
      ...(schema.fields.length === 0
        ? {}
        : {
            properties: Object.fromEntries(
              [...schema.fields].sort((a, b) => (a.name < b.name ? -1 : 1)).map((field) => [field.name, this.#field(field, schema.name)]),
            ),
          }),
      ...(required.length === 0 ? {} : { required: required.sort() }),
      ...(kinds.length === 0 ? {} : { 'x-kubernetes-group-version-kind': kinds }),
      ...(schema.mapType === 'atomic' ? { 'x-kubernetes-map-type': 'atomic' } : {}),
    };
  }

  #field(field: Field, type: string): Json {
    const base = withoutUnsaidEnum(this.#any(field.schema), descriptionOf(type, field.name));
    const reference = base['$ref'] !== undefined;
    const extra: Json = {
      ...this.#described(type, field.name),
      ...(field.default === undefined ? (isStruct(field) ? { default: {} } : {}) : { default: field.default }),
      ...(field.patchMergeKey === undefined ? {} : { 'x-kubernetes-patch-merge-key': field.patchMergeKey }),
      ...(field.patchStrategy.length === 0 ? {} : { 'x-kubernetes-patch-strategy': field.patchStrategy.join(',') }),
    };
    if (reference && this.#prefix === V2_PREFIX) return { ...this.#described(type, field.name), ...base };
    // Beside a reference nothing counts: what else there is to say goes around it.
    return reference && Object.keys(extra).length > 0 ? { allOf: [base], ...extra } : { ...base, ...extra };
  }

  /** Every kind has its version and name; what is said of them is written down once. */
  #described(type: string, field: string): Json {
    const isTypeMeta = (field === 'apiVersion' || field === 'kind') && this.#kindOf(type).length > 0;
    return described(isTypeMeta ? `${META}.DeleteOptions` : type, field);
  }

  #any(schema: Schema): Json {
    switch (schema.kind) {
      case 'struct':
        return this.reference(schema);
      case 'list':
        return this.#list(schema);
      case 'map':
        return this.#map(schema);
      default:
        return this.#scalar(schema);
    }
  }

  #list({ element, listType, keys }: ListSchema): Json {
    return {
      type: 'array',
      items: this.#any(element),
      'x-kubernetes-list-type': listType,
      ...(keys.length === 0 ? {} : { 'x-kubernetes-list-map-keys': keys }),
    };
  }

  #map({ value, mapType }: MapSchema): Json {
    return {
      type: 'object',
      additionalProperties: this.#any(value),
      ...(mapType === 'atomic' ? { 'x-kubernetes-map-type': 'atomic' } : {}),
    };
  }

  #scalar(schema: ScalarSchema): Json {
    const named = NAMED[schema.kind];
    if (named !== undefined) {
      this.schemas[named[0]] = named[1];
      return { $ref: `${this.#prefix}${named[0]}` };
    }
    return { ...SCALARS[schema.kind], ...(schema.enum === undefined ? {} : { enum: schema.enum }) };
  }
}

/** Only types that are marked as enums list their values; their descriptions say so. */
function withoutUnsaidEnum(base: Json, description: string | undefined): Json {
  if (base['enum'] === undefined || description === undefined || description.includes('Possible enum values:')) return base;
  const { enum: _, ...rest } = base;
  return rest;
}

/** Upstream's description, where there is one to be had. */
function described(type: string, field: string): Json {
  const description = descriptionOf(type, field);
  return description === undefined ? {} : { description };
}

/** Structs by value default to an empty one. */
function isStruct({ schema, pointer }: Field): boolean {
  return schema.kind === 'struct' && !pointer;
}
