// SPDX-License-Identifier: Apache-2.0
// The operations of a resource as OpenAPI names them: method and path, name, tag, parameters, what goes in and what comes out. The same
// for both versions of the documents; operation-forms.ts writes them down.
// @source upstream apiserver pkg/endpoints/installer.go and pkg/endpoints/openapi, apiextensions-apiserver pkg/controller/openapi/builder
import type { Resource, Subresource } from '#machinery';
import { storageTraitsOf } from '../registry/generic/storage-traits.ts';
import { CONNECT_PARAMETERS, LOG_PARAMETERS, parametersOf } from './parameters.ts';

export interface Gvk {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}

/** A type that a body has: a kind, one of the types of `meta/v1`, or plain text. */
export type BodyType = Gvk | 'Status' | 'DeleteOptions' | 'Patch' | 'WatchEvent' | 'text';

export interface Operation {
  readonly path: string;
  readonly method: string;
  readonly id: string;
  readonly tag: string;
  readonly description: string;
  readonly action: string;
  readonly gvk: Gvk;
  /** Of the query, by name, in order. */
  readonly parameters: readonly string[];
  readonly body?: { readonly type: BodyType; readonly required: boolean; readonly media: readonly string[] };
  /** By status code; 401 is there for all. */
  readonly responses: readonly (readonly [code: number, type: BodyType])[];
  readonly produces: readonly string[];
}

/** What differs between built-in resources and those of definitions. */
export interface Flavor {
  readonly isCustom: boolean;
  readonly media: readonly string[];
  readonly streams: readonly string[];
  readonly bodies: readonly string[];
  readonly patches: readonly string[];
}

const PROTOBUF = 'application/vnd.kubernetes.protobuf';
const JSON_AND_YAML = ['application/json', 'application/yaml'];
const PATCHES = ['application/apply-patch+yaml', 'application/json-patch+json', 'application/merge-patch+json'];

export const BUILT_IN: Flavor = {
  isCustom: false,
  media: [...JSON_AND_YAML, PROTOBUF],
  streams: ['application/json;stream=watch', `${PROTOBUF};stream=watch`],
  bodies: ['*/*'],
  patches: [...PATCHES, 'application/strategic-merge-patch+json'],
};
export const CUSTOM: Flavor = { isCustom: true, media: JSON_AND_YAML, streams: [], bodies: JSON_AND_YAML, patches: PATCHES };

const METHODS: Readonly<Record<string, string>> = {
  get: 'get',
  list: 'get',
  create: 'post',
  update: 'put',
  patch: 'patch',
  delete: 'delete',
  deletecollection: 'delete',
};
/** How operations are named after verbs. */
const PREFIXES: Readonly<Record<string, string>> = { get: 'read', update: 'replace', deletecollection: 'delete' };
/** What `x-kubernetes-action` says where it is not the verb. */
const ACTIONS: Readonly<Record<string, string>> = { create: 'post', update: 'put' };
const WITHOUT_NAME = new Set(['list', 'create', 'deletecollection']);

/** The path of a group and version, without a slash before it. */
export const pathOf = ({ group, version }: { readonly group: string; readonly version: string }) =>
  group === '' ? `api/${version}` : `apis/${group}/${version}`;

/** Letters and digits alone: what stands between starts a word. */
function word(text: string): string {
  return text.replace(/[^a-zA-Z0-9_]+(\w?)/g, (_, next: string) => next.toUpperCase());
}

const capital = (text: string) => (text[0]?.toUpperCase() ?? '') + text.slice(1);
const groupName = (group: string) => word(group === '' ? 'core' : group.replace(/\.k8s\.io$/, ''));

export const tagOf = ({ group, version }: { readonly group: string; readonly version: string }) => `${groupName(group)}_${version}`;

/** `AppsV1`: how operations spell a group and version. */
export const versionWords = ({ group, version }: { readonly group: string; readonly version: string }) =>
  capital(groupName(group)) + capital(version);

/** Every operation of a resource and its subresources. */
export function operationsOf(resource: Resource, flavor: Flavor): Operation[] {
  const scope = resource.namespaced ? '/namespaces/{namespace}' : '';
  const base = `/${pathOf(resource)}${scope}/${resource.resource}`;
  const operations = resource.verbs.flatMap((verb) =>
    METHODS[verb] === undefined ? [] : [main(resource, flavor, verb, WITHOUT_NAME.has(verb) ? base : `${base}/{name}`)],
  );
  const everywhere = `/${pathOf(resource)}/${resource.resource}`;
  if (resource.namespaced && resource.verbs.includes('list')) operations.push(main(resource, flavor, 'list', everywhere));
  if (!flavor.isCustom && resource.verbs.includes('watch')) operations.push(...watches(resource, flavor));
  for (const subresource of resource.subresources) operations.push(...below(resource, flavor, subresource, `${base}/{name}`));
  return operations;
}

function main(resource: Resource, flavor: Flavor, verb: string, path: string): Operation {
  const { group, version, kind, namespaced } = resource;
  const everywhere = namespaced && !path.includes('{namespace}');
  const collection = verb === 'deletecollection' ? 'Collection' : '';
  const rest = `${collection}${namespaced && !everywhere ? 'Namespaced' : ''}${kind}${everywhere ? 'ForAllNamespaces' : ''}`;
  return {
    ...shared(resource, flavor, verb, { group, version, kind }),
    path,
    id: `${PREFIXES[verb] ?? verb}${versionWords(resource)}${rest}`,
    description: describe(verb, kind, '', flavor),
  };
}

type Shared = Omit<Operation, 'path' | 'id' | 'description'>;

/** @param type Of the object that is read or written. */
function shared(resource: Resource, flavor: Flavor, verb: string, type: Gvk, isMain = true): Shared {
  const body = bodyOf(flavor, verb, type);
  const { group, version, kind } = resource;
  return {
    method: METHODS[verb] ?? verb,
    tag: tagOf(resource),
    action: ACTIONS[verb] ?? verb,
    gvk: flavor.isCustom ? { group, version, kind } : type,
    parameters: parametersOf(verb, flavor.isCustom),
    ...(body === undefined ? {} : { body }),
    responses: responsesOf(resource, flavor, verb, type),
    produces: isMain && verb === 'list' ? [...flavor.media, ...flavor.streams] : flavor.media,
  };
}

function bodyOf({ isCustom, bodies, patches }: Flavor, verb: string, type: Gvk): Operation['body'] {
  if (verb === 'create' || verb === 'update') return { type, required: true, media: bodies };
  if (verb === 'patch') return { type: 'Patch', required: true, media: patches };
  const takesOptions = verb === 'delete' || (verb === 'deletecollection' && !isCustom);
  return takesOptions ? { type: 'DeleteOptions', required: false, media: bodies } : undefined;
}

function responsesOf(resource: Resource, { isCustom }: Flavor, verb: string, type: Gvk): Operation['responses'] {
  switch (verb) {
    case 'list':
      return [[200, { ...type, kind: `${type.kind}List` }]];
    case 'create':
      return [200, 201, 202].map((code) => [code, type] as const);
    case 'update':
      return [200, 201].map((code) => [code, type] as const);
    case 'patch':
      return (isCustom ? [200] : [200, 201]).map((code) => [code, type] as const);
    case 'delete': {
      const gone = !isCustom && storageTraitsOf(resource).returnsDeleted ? type : 'Status';
      return [200, 202].map((code) => [code, gone] as const);
    }
    case 'deletecollection':
      return [[200, 'Status']];
    default:
      return [[200, type]];
  }
}

const article = (kind: string) => (kind.endsWith('s') && !kind.endsWith('ss') ? '' : /^[aeiou]/i.test(kind) ? 'an ' : 'a ');

function describe(verb: string, kind: string, subresource: string, { isCustom }: Flavor): string {
  const of = subresource === '' ? '' : `${subresource} of `;
  switch (verb) {
    case 'list':
      return `list ${isCustom ? '' : 'or watch '}objects of kind ${kind}`;
    case 'create':
    case 'delete':
      return `${verb} ${of}${article(kind)}${kind}`;
    case 'deletecollection':
      return `delete collection of ${kind}`;
    case 'patch':
      return `partially update ${of}the specified ${kind}`;
    default:
      return `${PREFIXES[verb] ?? verb} ${of}the specified ${kind}`;
  }
}

/** The old paths of watches. */
function watches(resource: Resource, flavor: Flavor): Operation[] {
  const { group, version, kind, namespaced } = resource;
  const scope = namespaced ? '/namespaces/{namespace}' : '';
  const base = `/${pathOf(resource)}/watch${scope}/${resource.resource}`;
  const one = (path: string, action: string, rest: string): Operation => ({
    ...shared(resource, flavor, 'list', { group, version, kind }),
    path,
    action,
    id: `watch${versionWords(resource)}${rest}`,
    description:
      action === 'watch'
        ? `watch changes to an object of kind ${kind}. deprecated: use the 'watch' parameter with a list operation instead, filtered to a single item with the 'fieldSelector' parameter.`
        : `watch individual changes to a list of ${kind}. deprecated: use the 'watch' parameter with a list operation instead.`,
    responses: [[200, 'WatchEvent']],
  });
  const word = namespaced ? 'Namespaced' : '';
  const found = [one(base, 'watchlist', `${word}${kind}List`)];
  if (resource.verbs.includes('get')) found.push(one(`${base}/{name}`, 'watch', `${word}${kind}`));
  if (namespaced) found.push(one(`/${pathOf(resource)}/watch/${resource.resource}`, 'watchlist', `${kind}ListForAllNamespaces`));
  return found;
}

const STREAMS = new Set(['attach', 'exec', 'portforward']);
const ALL_METHODS = ['delete', 'get', 'head', 'options', 'patch', 'post', 'put'];

function below(resource: Resource, flavor: Flavor, subresource: Subresource, named: string): Operation[] {
  const { name } = subresource;
  const path = `${named}/${name}`;
  if (STREAMS.has(name)) return ['get', 'post'].map((method) => connect(resource, subresource, method, path));
  if (name === 'proxy')
    return ALL_METHODS.flatMap((method) => [path, `${path}/{path}`].map((at) => connect(resource, subresource, method, at)));
  const word = resource.namespaced ? 'Namespaced' : '';
  const type = { group: subresource.group ?? resource.group, version: subresource.version ?? resource.version, kind: subresource.kind };
  return subresource.verbs.map((verb) => {
    const operation: Operation = {
      ...shared(resource, flavor, verb, type, false),
      path,
      id: `${PREFIXES[verb] ?? verb}${versionWords(resource)}${word}${resource.kind}${capital(name)}`,
      description: describe(verb, resource.kind, name, flavor),
    };
    if (name !== 'log') return operation;
    return { ...operation, parameters: LOG_PARAMETERS, responses: [[200, 'text']], produces: ['text/plain', ...flavor.media] };
  });
}

function connect(resource: Resource, { name, kind }: Subresource, method: string, path: string): Operation {
  const scope = resource.namespaced ? 'Namespaced' : '';
  const suffix = `${capital(name)}${path.endsWith('{path}') ? 'WithPath' : ''}`;
  return {
    path,
    method,
    id: `connect${versionWords(resource)}${capital(method)}${scope}${resource.kind}${suffix}`,
    tag: tagOf(resource),
    description: `connect ${method.toUpperCase()} requests to ${name} of ${resource.kind}`,
    action: 'connect',
    gvk: { group: resource.group, version: resource.version, kind },
    parameters: CONNECT_PARAMETERS[name] ?? [],
    responses: [[200, 'text']],
    produces: ['*/*'],
  };
}
