// SPDX-License-Identifier: Apache-2.0
// OpenAPI documents: version 3 per group and version, version 2 whole. Made on first request and kept; what kubectl reads of them
// are the kinds' schemas, and which parameters an operation takes.
// @source kube-openapi pkg/builder3, apiserver pkg/endpoints/installer.go for operation names
import { createHash } from 'node:crypto';
import { findSchema, RESOURCES } from '#api';
import type { Resource, Subresource } from '#machinery';
import { type ApiResult, plainText, type RequestContext } from '../request/context.ts';
import { encodeDocumentV2, PROTOBUF_V2, wantsProtobufV2 } from './protobuf-v2.ts';
import { Components, type Json } from './schemas.ts';

export const INFO = { title: 'Kubernetes', version: 'v1.36.2' };
const MEDIA = ['application/json', 'application/yaml', 'application/vnd.kubernetes.protobuf'];
const WRITE_PARAMETERS = ['dryRun', 'fieldManager', 'fieldValidation'];
const LIST_PARAMETERS = [
  'allowWatchBookmarks',
  'continue',
  'fieldSelector',
  'labelSelector',
  'limit',
  'resourceVersion',
  'resourceVersionMatch',
  'sendInitialEvents',
  'timeoutSeconds',
  'watch',
];
const PARAMETERS: Readonly<Record<string, readonly string[]>> = {
  create: WRITE_PARAMETERS,
  update: WRITE_PARAMETERS,
  patch: [...WRITE_PARAMETERS, 'force'],
  delete: ['dryRun', 'gracePeriodSeconds', 'orphanDependents', 'propagationPolicy'],
  deletecollection: [...LIST_PARAMETERS, 'dryRun', 'gracePeriodSeconds', 'orphanDependents', 'propagationPolicy'],
  list: LIST_PARAMETERS,
  get: [],
};
const NUMBERS = new Set(['limit', 'timeoutSeconds', 'gracePeriodSeconds']);
const BOOLEANS = new Set(['allowWatchBookmarks', 'watch', 'force', 'orphanDependents', 'sendInitialEvents']);
const METHODS: Readonly<Record<string, string>> = {
  get: 'get',
  list: 'get',
  create: 'post',
  update: 'put',
  patch: 'patch',
  delete: 'delete',
  deletecollection: 'delete',
};
const ACTIONS: Readonly<Record<string, string>> = {
  get: 'read',
  list: 'list',
  create: 'create',
  update: 'replace',
  patch: 'patch',
  delete: 'delete',
  deletecollection: 'deleteCollection',
};
/** What `x-kubernetes-action` says. */
const ACTION_NAMES: Readonly<Record<string, string>> = {
  get: 'get',
  list: 'list',
  create: 'post',
  update: 'put',
  patch: 'patch',
  delete: 'delete',
  deletecollection: 'deletecollection',
};

interface Operation {
  readonly resource: Resource;
  readonly subresource: Subresource | undefined;
  readonly verb: string;
  readonly allNamespaces: boolean;
}

/** What one part of the server adds to the documents: custom resources, API services that other servers answer. */
export interface OpenApiSource {
  /** Version 3 documents by path (`apis/example.com/v1`), each made when it is first asked for. */
  readonly documents: ReadonlyMap<string, () => Json>;
  /** What goes into the version 2 document. */
  readonly v2: () => { readonly definitions: Readonly<Record<string, Json>>; readonly paths: Readonly<Record<string, Json>> };
}

interface Document {
  readonly body: string | Buffer;
  readonly hash: string;
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
    if (path === '/openapi/v2') return this.#send(context, wantsProtobufV2(context.header('accept')) ? 'v2+protobuf' : 'v2');
    if (path === '/openapi/v3')
      return { type: 'bytes', status: 200, contentType: 'text/plain; charset=utf-8', body: JSON.stringify(this.#index()) };
    if (!path.startsWith('/openapi/v3/')) return undefined;
    const name = path.slice('/openapi/v3/'.length);
    return this.#paths().includes(name) ? this.#send(context, name) : plainText(404, '404 page not found\n');
  }

  #paths(): readonly string[] {
    return [...new Set([...this.#indexPaths, ...[...this.#sources.values()].flatMap(({ documents }) => [...documents.keys()])])];
  }

  #index(): Json {
    const entry = (name: string) => [name, { serverRelativeURL: `/openapi/v3/${name}?hash=${this.#document(name).hash}` }];
    return { paths: Object.fromEntries([...this.#paths()].sort().map(entry)) };
  }

  /** With the right hash in its URL a document never changes. */
  #send(context: RequestContext, name: string): ApiResult {
    const { body, hash } = this.#document(name);
    const immutable = context.query.get('hash') === hash;
    const headers = { etag: `"${hash}"`, 'cache-control': immutable ? 'public, immutable, max-age=31536000' : 'no-cache, private' };
    if (context.header('if-none-match') === `"${hash}"`) return { type: 'bytes', status: 304, contentType: '', body: '', headers };
    return { type: 'bytes', status: 200, contentType: name === 'v2+protobuf' ? PROTOBUF_V2 : 'application/json', body, headers };
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

const pathOf = ({ group, version }: { group: string; version: string }) => (group === '' ? `api/${version}` : `apis/${group}/${version}`);

/** `Core`, `AdmissionregistrationV1`: how operation names spell a group and version. */
function groupWord(group: string): string {
  const first = group === '' ? 'core' : group.replace(/\.k8s\.io$/, '').replace(/\.(\w)/g, (_, letter: string) => letter.toUpperCase());
  return (first[0]?.toUpperCase() ?? '') + first.slice(1);
}
const versionWord = (version: string) => (version[0]?.toUpperCase() ?? '') + version.slice(1);

function documentV3(name: string): Json {
  const components = new Components(kindOf, '#/components/schemas/');
  const resources = RESOURCES.filter((resource) => pathOf(resource) === name);
  const paths: Record<string, Json> = {};
  const [first] = resources;
  if (first !== undefined) {
    const operationId = `get${groupWord(first.group)}${versionWord(first.version)}APIResources`;
    paths[`/${name}/`] = { get: { tags: [tagOf(first)], operationId, responses: { 200: { description: 'OK' } } } };
  }
  for (const resource of resources) addPaths(paths, resource, referTo(components));
  return { openapi: '3.0.0', info: INFO, paths, components: { schemas: components.schemas } };
}

const tagOf = ({ group, version }: Resource) => `${group === '' ? 'core' : group.replace('.k8s.io', '')}_${version}`;

/** How an operation refers to the schema of a kind; undefined where there is none. */
type ReferTo = (gvk: { group: string; version: string; kind: string }) => Json | undefined;

const referTo =
  (components: Components): ReferTo =>
  (gvk) => {
    const schema = findSchema(gvk);
    return schema === undefined ? undefined : components.reference(schema);
  };

/** The operations of a resource, added to `paths`. */
export function addPaths(paths: Record<string, Json>, resource: Resource, refer: ReferTo): void {
  const scope = resource.namespaced ? '/namespaces/{namespace}' : '';
  const base = `/${pathOf(resource)}${scope}/${resource.resource}`;
  const add = (path: string, verbs: readonly string[], subresource?: Subresource, allNamespaces = false) => {
    const operations = verbs.flatMap((verb) => {
      const method = METHODS[verb];
      return method === undefined ? [] : [[method, operation({ resource, subresource, verb, allNamespaces }, refer)]];
    });
    if (operations.length > 0) paths[path] = { ...paths[path], ...Object.fromEntries(operations), parameters: pathParameters(path) };
  };
  add(
    base,
    resource.verbs.filter((verb) => verb === 'list' || verb === 'create' || verb === 'deletecollection'),
  );
  add(
    `${base}/{name}`,
    resource.verbs.filter((verb) => verb === 'get' || verb === 'update' || verb === 'patch' || verb === 'delete'),
  );
  if (resource.namespaced)
    add(
      `/${pathOf(resource)}/${resource.resource}`,
      resource.verbs.filter((verb) => verb === 'list'),
      undefined,
      true,
    );
  for (const subresource of resource.subresources) add(`${base}/{name}/${subresource.name}`, subresource.verbs, subresource);
}

function pathParameters(path: string): Json[] {
  return [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string', uniqueItems: true },
  }));
}

function operation({ resource, subresource, verb, allNamespaces }: Operation, refer: ReferTo): Json {
  const { group, version, kind } = {
    group: subresource?.group ?? resource.group,
    version: subresource?.version ?? resource.version,
    kind: subresource?.kind ?? resource.kind,
  };
  const body = refer({ group, version, kind: verb === 'list' ? `${kind}List` : kind }) ?? { type: 'string' };
  const scope = resource.namespaced && !allNamespaces ? 'Namespaced' : '';
  const suffix = subresource === undefined ? '' : (subresource.name[0]?.toUpperCase() ?? '') + subresource.name.slice(1);
  const collection = verb === 'deletecollection' ? 'Collection' : '';
  const operationId = `${(ACTIONS[verb] ?? verb).replace('Collection', '')}${groupWord(resource.group)}${versionWord(resource.version)}${collection}${scope}${resource.kind}${suffix}${allNamespaces ? 'ForAllNamespaces' : ''}`;
  const content = Object.fromEntries(MEDIA.map((media) => [media, { schema: body }]));
  const takesBody = verb === 'create' || verb === 'update';
  return {
    tags: [tagOf(resource)],
    operationId,
    parameters: (PARAMETERS[verb] ?? []).map(queryParameter),
    ...(takesBody ? { requestBody: { content: { '*/*': { schema: body } }, required: true } } : {}),
    responses: { [verb === 'create' ? 201 : 200]: { description: 'OK', content } },
    'x-kubernetes-action': ACTION_NAMES[verb],
    'x-kubernetes-group-version-kind': { group, version, kind },
  };
}

function queryParameter(name: string): Json {
  const type = NUMBERS.has(name) ? 'integer' : BOOLEANS.has(name) ? 'boolean' : 'string';
  return { name, in: 'query', schema: { type, uniqueItems: true } };
}

function documentV2(): Json {
  const components = new Components(kindOf, '#/definitions/');
  for (const resource of RESOURCES) {
    for (const kind of [resource.kind, `${resource.kind}List`]) {
      const schema = findSchema({ group: resource.group, version: resource.version, kind });
      if (schema !== undefined) components.reference(schema);
    }
  }
  const paths = Object.fromEntries(RESOURCES.map((resource) => [`/${pathOf(resource)}/`, {}]));
  return { swagger: '2.0', info: INFO, paths, definitions: components.schemas };
}
