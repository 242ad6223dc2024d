// SPDX-License-Identifier: Apache-2.0
// Custom resources in the OpenAPI documents: the schema of each version under its name, with the fields that every object has.
// Version 2 cannot say everything: what it lacks (alternatives, nullable, int-or-string) is left open there, so that nothing that the
// server would take is refused by a client. @source upstream apiextensions-apiserver pkg/controller/openapi/builder
import { descriptionOf, schemaOfType } from '#api';
import type { Resource, StructSchema } from '#machinery';
import { kindOf, type OpenApiSource, referTo } from './documents.ts';
import { pathsOf } from './operation-forms.ts';
import { CUSTOM, type Gvk, operationsOf, pathOf } from './operations.ts';
import { Components, type Json } from './schemas.ts';

const META = 'io.k8s.apimachinery.pkg.apis.meta.v1';

export interface CustomVersion {
  readonly resource: Resource;
  readonly listKind: string;
  /** The schema as the definition has it. */
  readonly schema: Json;
  /** Fields that can be selected by: `spec.color`. */
  readonly selectable: readonly string[];
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
    return known !== undefined && isSame ? known : { schemas, make: () => documentV3(own) };
  }
}

/** `com.example.v1.Kite`: the group backwards. */
function typeName({ group, version }: Resource, kind: string): string {
  return `${group.split('.').reverse().join('.')}.${version}.${kind}`;
}

const gvkOf = ({ group, version }: Resource, kind: string) => [{ group, version, kind }];

const INFO = { title: 'Kubernetes CRD Swagger', version: 'v0.1.0' };

function documentV3(versions: readonly CustomVersion[]): Json {
  const components = new Components(kindOf, '#/components/schemas/');
  const schemas: Record<string, Json> = {};
  for (const version of versions) {
    const { resource, listKind, schema } = version;
    const name = typeName(resource, resource.kind);
    schemas[name] = objectSchema(version, structural(schema, components), components, true);
    schemas[typeName(resource, listKind)] = listSchema(resource, listKind, name, components, true);
  }
  const paths = customPaths(versions, components, 'v3');
  return { openapi: '3.0.0', info: INFO, paths, components: { schemas: { ...components.schemas, ...schemas } } };
}

function customPaths(versions: readonly CustomVersion[], components: Components, form: 'v2' | 'v3'): Record<string, Json> {
  const prefix = form === 'v3' ? '#/components/schemas/' : '#/definitions/';
  const paths = versions.map(({ resource, listKind }) => {
    const own = ({ group, version, kind }: Gvk) => {
      if (group !== resource.group || version !== resource.version) return undefined;
      const name = kind === resource.kind ? kind : kind === `${resource.kind}List` ? listKind : undefined;
      return name === undefined ? undefined : { $ref: `${prefix}${typeName(resource, name)}` };
    };
    return pathsOf(operationsOf(resource, CUSTOM), referTo(components, own), form);
  });
  return Object.assign({}, ...paths);
}

function partV2(versions: readonly CustomVersion[]): { definitions: Record<string, Json>; paths: Record<string, Json> } {
  const components = new Components(kindOf, '#/definitions/');
  const definitions: Record<string, Json> = {};
  for (const version of versions) {
    const { resource, listKind, schema } = version;
    const name = typeName(resource, resource.kind);
    definitions[name] = objectSchema(version, structural(schema, undefined), components, false);
    definitions[typeName(resource, listKind)] = listSchema(resource, listKind, name, components, false);
  }
  const paths = customPaths(versions, components, 'v2');
  return { definitions: { ...components.schemas, ...definitions }, paths };
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

/** In version 2, an object that keeps what is unknown has no fields at all: kubectl would refuse all others. */
function objectSchema({ resource, selectable }: CustomVersion, schema: Json, components: Components, isV3: boolean): Json {
  const isOpen = !isV3 && schema['x-kubernetes-preserve-unknown-fields'] === true;
  const meta = isOpen ? undefined : metadataOf('ObjectMeta', 'io.k8s.api.core.v1.Pod', components, isV3);
  const fields = selectable.map((fieldPath) => ({ fieldPath }));
  return {
    ...(isOpen ? {} : schema),
    type: 'object',
    ...(isOpen ? {} : { properties: { ...(schema['properties'] as Json | undefined), ...typeMeta(), metadata: meta } }),
    'x-kubernetes-group-version-kind': gvkOf(resource, resource.kind),
    ...(fields.length === 0 ? {} : { 'x-kubernetes-selectable-fields': fields }),
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

/** What version 2 does not know. */
const NOT_IN_V2 = new Set(['anyOf', 'allOf', 'oneOf', 'not', 'nullable']);

/** @param components Of version 3; undefined for version 2. */
function structural(schema: Json, components: Components | undefined): Json {
  const result: Json = {};
  for (const [name, value] of Object.entries(schema)) {
    if (components === undefined && NOT_IN_V2.has(name)) continue;
    if (name === 'properties') result[name] = mapValues(value as Json, components);
    else if (name === 'items' || (name === 'additionalProperties' && typeof value === 'object'))
      result[name] = structural(value as Json, components);
    else result[name] = value;
  }
  if (components === undefined) return loosened(schema, result);
  return schema['x-kubernetes-embedded-resource'] === true ? embedded(result, components) : result;
}

function mapValues(properties: Json, components: Components | undefined): Json {
  return Object.fromEntries(Object.entries(properties).map(([name, inner]) => [name, structural(inner as Json, components)]));
}

const EMBEDDED_TEXTS = {
  apiVersion: `apiVersion defines the versioned schema of this representation of an object. More info: ${CONVENTIONS}#resources`,
  kind: `kind is a string value representing the type of this object. In CamelCase. More info: ${CONVENTIONS}#types-kinds`,
};

/** An embedded object has the fields that every object has, and needs a kind. */
function embedded(schema: Json, components: Components): Json {
  const { apiVersion, kind } = EMBEDDED_TEXTS;
  const needed = (schema['required'] as readonly string[] | undefined) ?? [];
  return {
    ...schema,
    required: [...needed, ...['kind', 'apiVersion'].filter((name) => !needed.includes(name))],
    properties: {
      ...(schema['properties'] as Json | undefined),
      apiVersion: { description: apiVersion, type: 'string' },
      kind: { description: kind, type: 'string' },
      metadata: metadataOf('ObjectMeta', 'io.k8s.api.core.v1.Pod', components, true),
    },
  };
}

/** kubectl checks by version 2: where it could not say what is allowed, it says nothing. */
function loosened(schema: Json, result: Json): Json {
  const isOpen = schema['nullable'] === true || schema['x-kubernetes-preserve-unknown-fields'] === true;
  const { type, items, properties, required, ...rest } = result;
  const hasItems = !isOpen && items !== undefined;
  const isTyped = schema['nullable'] !== true && type !== undefined && (type !== 'array' || hasItems);
  const needed = neededIn(schema, isOpen ? {} : ((schema['properties'] ?? {}) as Json));
  return {
    ...(isTyped ? { type } : {}),
    ...rest,
    ...(hasItems ? { items } : {}),
    ...(isOpen || properties === undefined ? {} : { properties }),
    ...(needed.length === 0 ? {} : { required: needed }),
  };
}

/** What may be null counts as missing there. */
function neededIn({ required, additionalProperties }: Json, properties: Json): readonly string[] {
  if ((additionalProperties as Json | undefined)?.['nullable'] === true) return [];
  const names = (required ?? []) as readonly string[];
  return names.filter((name) => (properties[name] as Json | undefined)?.['nullable'] !== true);
}
