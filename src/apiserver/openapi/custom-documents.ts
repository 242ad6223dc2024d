// SPDX-License-Identifier: Apache-2.0
// Custom resources in the OpenAPI documents: the schema of each version under its name, with the fields that every object has.
// Version 2 cannot say everything: what it lacks (alternatives, nullable, int-or-string) is left open there, so that nothing that the
// server would take is refused by a client. @source upstream apiextensions-apiserver pkg/controller/openapi/builder
import { descriptionOf, findSchema, schemaOfType } from '#api';
import type { Resource, StructSchema } from '#machinery';
import { addPaths, INFO, kindOf, type OpenApiSource } from './documents.ts';
import { Components, type Json } from './schemas.ts';

const META = 'io.k8s.apimachinery.pkg.apis.meta.v1';

export interface CustomVersion {
  readonly resource: Resource;
  readonly listKind: string;
  /** The schema as the definition has it. */
  readonly schema: Json;
}

/** Makes sources of what is served; paths that serve what they served before keep their documents. */
export class CustomSources {
  #known = new Map<string, { readonly schemas: readonly Json[]; readonly make: () => Json }>();

  /** @param versions Every served version of every definition. */
  next(versions: readonly CustomVersion[]): OpenApiSource {
    const byPath = Map.groupBy(versions, ({ resource }) => pathOf(resource));
    const next = new Map([...byPath].map(([path, own]) => [path, this.#makerOf(path, own)]));
    this.#known = next;
    return { documents: new Map([...next].map(([path, { make }]) => [path, make])), v2: () => partV2(versions) };
  }

  #makerOf(path: string, own: readonly CustomVersion[]) {
    const known = this.#known.get(path);
    const schemas = own.map(({ schema }) => schema);
    const isSame = known?.schemas.length === schemas.length && known.schemas.every((schema, index) => schema === schemas[index]);
    return known !== undefined && isSame ? known : { schemas, make: () => documentV3(path, own) };
  }
}

const pathOf = ({ group, version }: { group: string; version: string }) => `apis/${group}/${version}`;

/** `com.example.v1.Kite`: the group backwards. */
function typeName({ group, version }: Resource, kind: string): string {
  return `${group.split('.').reverse().join('.')}.${version}.${kind}`;
}

const gvkOf = ({ group, version }: Resource, kind: string) => [{ group, version, kind }];

function documentV3(path: string, versions: readonly CustomVersion[]): Json {
  const components = new Components(kindOf, '#/components/schemas/');
  const schemas: Record<string, Json> = {};
  const names = new Map<string, string>();
  for (const { resource, listKind, schema } of versions) {
    const name = typeName(resource, resource.kind);
    schemas[name] = objectSchema(resource, structural(schema, true), components, true);
    schemas[typeName(resource, listKind)] = listSchema(resource, listKind, name, components, true);
    names.set(resource.kind, name);
    names.set(`${resource.kind}List`, typeName(resource, listKind));
  }
  const paths: Record<string, Json> = {};
  for (const { resource } of versions) {
    addPaths(paths, resource, (gvk) => {
      const own = gvk.group === resource.group && gvk.version === resource.version ? names.get(gvk.kind) : undefined;
      if (own !== undefined) return { $ref: `#/components/schemas/${own}` };
      const schema = findSchema(gvk);
      return schema === undefined ? undefined : components.reference(schema);
    });
  }
  const [first] = versions;
  const root =
    first === undefined
      ? {}
      : { [`/${path}/`]: { get: { tags: [path.slice(5).replace('/', '_')], responses: { 200: { description: 'OK' } } } } };
  return { openapi: '3.0.0', info: INFO, paths: { ...root, ...paths }, components: { schemas: { ...components.schemas, ...schemas } } };
}

function partV2(versions: readonly CustomVersion[]): { definitions: Record<string, Json>; paths: Record<string, Json> } {
  const components = new Components(kindOf, '#/definitions/');
  const definitions: Record<string, Json> = {};
  for (const { resource, listKind, schema } of versions) {
    const name = typeName(resource, resource.kind);
    definitions[name] = objectSchema(resource, structural(schema, false), components, false);
    definitions[typeName(resource, listKind)] = listSchema(resource, listKind, name, components, false);
  }
  return {
    definitions: { ...components.schemas, ...definitions },
    paths: Object.fromEntries(versions.map(({ resource }) => [`/${pathOf(resource)}/`, {}])),
  };
}

/** `apiVersion` and `kind`, which every object has. */
function typeMeta(): { readonly apiVersion: Json; readonly kind: Json } {
  const text = (field: string) => {
    const description = descriptionOf(`${META}.DeleteOptions`, field);
    return { ...(description === undefined ? {} : { description }), type: 'string' };
  };
  return { apiVersion: text('apiVersion'), kind: text('kind') };
}

/** A reference to metadata, with what upstream says of it where that is known. Version 3 says nothing beside a reference. */
function metadataOf(type: string, owner: string, components: Components, isV3: boolean): Json {
  const reference = components.reference(schemaOfType(`${META}.${type}`) as StructSchema);
  const description = descriptionOf(owner, 'metadata');
  if (description === undefined) return reference;
  return isV3 ? { allOf: [reference], description } : { ...reference, description };
}

function objectSchema(resource: Resource, schema: Json, components: Components, isV3: boolean): Json {
  const meta = metadataOf('ObjectMeta', 'io.k8s.api.core.v1.Pod', components, isV3);
  const properties = schema['properties'] as Json | undefined;
  const isOpen = schema['x-kubernetes-preserve-unknown-fields'] === true && properties === undefined;
  return {
    ...schema,
    type: 'object',
    ...(isOpen ? {} : { properties: { ...properties, ...typeMeta(), metadata: meta } }),
    'x-kubernetes-group-version-kind': gvkOf(resource, resource.kind),
  };
}

const CONVENTIONS = 'https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md';

function listSchema(resource: Resource, listKind: string, item: string, components: Components, isV3: boolean): Json {
  const prefix = isV3 ? '#/components/schemas/' : '#/definitions/';
  return {
    description: `${listKind} is a list of ${resource.kind}`,
    type: 'object',
    required: ['items'],
    properties: {
      ...typeMeta(),
      items: {
        description: `List of ${resource.resource}. More info: ${CONVENTIONS}`,
        type: 'array',
        items: { $ref: `${prefix}${item}` },
      },
      metadata: metadataOf('ListMeta', 'io.k8s.api.core.v1.PodList', components, isV3),
    },
    'x-kubernetes-group-version-kind': gvkOf(resource, listKind),
  };
}

/** Says nothing in version 2, or says what is not so. */
const NOT_IN_V2 = new Set(['anyOf', 'allOf', 'oneOf', 'not', 'nullable', 'x-kubernetes-validations', 'default']);

function structural(schema: Json, isV3: boolean): Json {
  const result: Json = {};
  for (const [name, value] of Object.entries(schema)) {
    if (!isV3 && NOT_IN_V2.has(name)) continue;
    if (name === 'properties') result[name] = mapValues(value as Json, isV3);
    else if (name === 'items' || (name === 'additionalProperties' && typeof value === 'object'))
      result[name] = structural(value as Json, isV3);
    else result[name] = value;
  }
  if (isV3) return schema['x-kubernetes-embedded-resource'] === true ? embedded(result) : result;
  return loosened(schema, result);
}

function mapValues(properties: Json, isV3: boolean): Json {
  return Object.fromEntries(Object.entries(properties).map(([name, inner]) => [name, structural(inner as Json, isV3)]));
}

function embedded(schema: Json): Json {
  return {
    ...schema,
    properties: { ...(schema['properties'] as Json | undefined), ...typeMeta(), metadata: { type: 'object' } },
  };
}

/** kubectl checks by version 2: where it could not say what is allowed, it says nothing. */
function loosened(schema: Json, result: Json): Json {
  if (schema['x-kubernetes-preserve-unknown-fields'] === true) {
    const { properties: _properties, items: _items, additionalProperties: _additional, type: _type, ...rest } = result;
    return rest;
  }
  if (schema['nullable'] === true || schema['x-kubernetes-int-or-string'] === true) {
    const { type: _type, format: _format, items: _items, properties: _properties, ...rest } = result;
    return rest;
  }
  return result;
}
