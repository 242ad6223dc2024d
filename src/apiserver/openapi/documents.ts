// SPDX-License-Identifier: Apache-2.0
// OpenAPI documents: version 3 per group and version, version 2 whole. Made on first request and kept; what kubectl reads of them
// are the kinds' schemas, and which parameters an operation takes; generators of clients read all of it.
// @source kube-openapi pkg/builder, pkg/builder3
import { createHash } from 'node:crypto';
import { findSchema, RESOURCES, schemaOfType } from '#api';
import type { Resource, StructSchema } from '#machinery';
import type { ApiResult, RequestContext } from '../request/context.ts';
import { pathsOf, type ReferTo } from './operation-forms.ts';
import { BUILT_IN, type Gvk, operationsOf, pathOf, tagOf, versionWords } from './operations.ts';
import { encodeDocumentV2, PROTOBUF_V2 } from './protobuf-v2.ts';
import { Components, type Json } from './schemas.ts';
import { answerDocument, type Document, formOf, locationOf, noDocument, noSuchForm } from './serving.ts';

export const INFO = { title: 'Kubernetes', version: 'v1.36.2' };
/** What one part of the server adds to the documents: custom resources, API services that other servers answer. */
export interface OpenApiSource {
  /** Version 3 documents by path (`apis/example.com/v1`), each made when it is first asked for. */
  readonly documents: ReadonlyMap<string, () => Json>;
  /** What goes into the version 2 document. */
  readonly v2: () => { readonly definitions: Readonly<Record<string, Json>>; readonly paths: Readonly<Record<string, Json>> };
}

export class OpenApi {
  readonly #documents = new Map<string, Document>();
  readonly #indexPaths: readonly string[];
  readonly #sources = new Map<string, OpenApiSource>();

  /** @param indexPaths Every path the server has of its own, as `/` lists them. */
  constructor(indexPaths: readonly string[]) {
    this.#indexPaths = indexPaths.filter((path) => !/^\/(healthz|livez|readyz|metrics)/.test(path)).map((path) => path.slice(1));
  }

  /** Adds a source, or replaces what it gave before. */
  set(name: string, source: OpenApiSource): void {
    const before = this.#sources.get(name)?.documents ?? new Map<string, () => Json>();
    this.#sources.set(name, source);
    const paths = new Set([...before.keys(), ...source.documents.keys()]);
    // A document whose maker is the same is the same.
    this.#forget([...paths].filter((path) => before.get(path) !== source.documents.get(path)));
  }

  remove(name: string): void {
    const source = this.#sources.get(name);
    if (source === undefined) return;
    this.#sources.delete(name);
    this.#forget([...source.documents.keys()]);
  }

  /** Documents are made anew when they are next asked for. */
  #forget(paths: readonly string[]): void {
    for (const path of paths) this.#documents.delete(path);
    this.#documents.delete('v2');
    this.#documents.delete('v2+protobuf');
  }

  /** The answer for a path below /openapi, or undefined if it is none. */
  answer(context: RequestContext): ApiResult | undefined {
    const path = context.info.path.replace(/\/$/, '');
    if (path === '/openapi/v2') return this.#answerV2(context);
    if (path === '/openapi/v3')
      return { type: 'bytes', status: 200, contentType: 'text/plain; charset=utf-8', body: JSON.stringify(this.#index()) };
    if (!path.startsWith('/openapi/v3/')) return undefined;
    const name = path.slice('/openapi/v3/'.length);
    if (!this.#paths().includes(name)) return noDocument();
    const form = formOf(context.header('accept'), 'v3');
    return form === undefined ? noSuchForm() : answerDocument(context, this.#document(name), form, name);
  }

  #answerV2(context: RequestContext): ApiResult {
    const form = formOf(context.header('accept'), 'v2');
    if (form === undefined) return noSuchForm();
    return answerDocument(context, this.#document(form === PROTOBUF_V2 ? 'v2+protobuf' : 'v2'), form);
  }

  #paths(): readonly string[] {
    return [...new Set([...this.#indexPaths, ...[...this.#sources.values()].flatMap(({ documents }) => [...documents.keys()])])];
  }

  #index(): Json {
    const entry = (name: string) => [name, { serverRelativeURL: locationOf(name, this.#document(name).hash) }];
    return { paths: Object.fromEntries([...this.#paths()].sort().map(entry)) };
  }

  #document(name: string): Document {
    let found = this.#documents.get(name);
    if (found === undefined) {
      const body = this.#make(name);
      found = { body, hash: createHash('sha512').update(body).digest('hex').toUpperCase() };
      this.#documents.set(name, found);
    }
    return found;
  }

  #make(name: string): string | Buffer {
    if (name === 'v2') return JSON.stringify(this.#v2());
    if (name === 'v2+protobuf') return encodeDocumentV2(this.#v2());
    for (const { documents } of this.#sources.values()) {
      const make = documents.get(name);
      if (make !== undefined) return JSON.stringify(make());
    }
    return JSON.stringify(documentV3(name));
  }

  #v2(): Json {
    const document = documentV2();
    const parts = [...this.#sources.values()].map(({ v2 }) => v2());
    if (parts.length === 0) return document;
    return {
      ...document,
      paths: Object.assign({}, document['paths'], ...parts.map(({ paths }) => paths)),
      definitions: Object.assign({}, ...parts.map(({ definitions }) => definitions), document['definitions']),
    };
  }
}

const KINDS = new Map<string, { group: string; version: string; kind: string }[]>();
for (const { group, version, kind } of RESOURCES) {
  for (const name of [kind, `${kind}List`]) {
    const schema = findSchema({ group, version, kind: name });
    if (schema !== undefined) KINDS.set(schema.name, [{ group, version, kind: name }]);
  }
}
export const kindOf = (typeName: string) => KINDS.get(typeName) ?? [];

const META = 'io.k8s.apimachinery.pkg.apis.meta.v1';
/** References into the components of a document. @param own Kinds that are not built in. */
export function referTo(components: Components, own: (gvk: Gvk) => Json | undefined = () => undefined): ReferTo {
  return (type) => {
    if (type === 'text') return { type: 'string' };
    if (typeof type === 'string') return components.reference(schemaOfType(`${META}.${type}`) as StructSchema);
    const schema = findSchema(type);
    return own(type) ?? (schema === undefined ? { type: 'string' } : components.reference(schema));
  };
}

/** The root of a group and version, which lists its resources. */
function rootPath(path: string, first: Resource, schema: Json): Record<string, Json> {
  const content = Object.fromEntries(BUILT_IN.media.map((media) => [media, { schema }]));
  const responses = { 200: { description: 'OK', content }, 401: { description: 'Unauthorized' } };
  const operationId = `get${versionWords(first)}APIResources`;
  return { [`/${path}/`]: { get: { tags: [tagOf(first)], description: 'get available resources', operationId, responses } } };
}

const SECURITY = {
  BearerToken: { description: 'Bearer Token authentication', in: 'header', name: 'authorization', type: 'apiKey' },
};

function documentV3(name: string): Json {
  const components = new Components(kindOf, '#/components/schemas/');
  const resources = RESOURCES.filter((resource) => pathOf(resource) === name);
  const [first] = resources;
  const operations = resources.flatMap((resource) => operationsOf(resource, BUILT_IN));
  const resourceList = () => components.reference(schemaOfType(`${META}.APIResourceList`) as StructSchema);
  const paths = {
    ...(first === undefined ? {} : rootPath(name, first, resourceList())),
    ...pathsOf(operations, referTo(components), 'v3'),
  };
  return { openapi: '3.0.0', info: INFO, paths, components: { schemas: components.schemas, securitySchemes: SECURITY } };
}

function documentV2(): Json {
  const components = new Components(kindOf, '#/definitions/');
  for (const resource of RESOURCES) {
    for (const kind of [resource.kind, `${resource.kind}List`]) {
      const schema = findSchema({ group: resource.group, version: resource.version, kind });
      if (schema !== undefined) components.reference(schema);
    }
  }
  const operations = RESOURCES.flatMap((resource) => operationsOf(resource, BUILT_IN));
  const paths = pathsOf(operations, referTo(components), 'v2');
  return {
    swagger: '2.0',
    info: INFO,
    paths,
    definitions: components.schemas,
    securityDefinitions: SECURITY,
    security: [{ BearerToken: [] }],
  };
}
