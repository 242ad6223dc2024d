// SPDX-License-Identifier: Apache-2.0
// From a request to its handler: the table of resources and verbs, made at start. Innermost part of the chain.
import { RESOURCES } from '#api';
import { apiError, methodNotSupported, notAcceptable, notFound, type Resource, unknownResource } from '#machinery';
import type { ServiceAccountTokens } from '../auth/tokens.ts';
import type { Discovery } from '../discovery/discovery.ts';
import { answerPath, type PathsOptions } from '../discovery/paths.ts';
import { acceptedTypes, LIST_RULES, negotiate, OBJECT_RULES, STREAMED_TYPES } from '../encoding/negotiation.ts';
import type { OpenApi } from '../openapi/documents.ts';
import type { KubeletClientConfig } from '../proxying/kubelet-connection.ts';
import type { ServedResource } from '../registry/generic/served-resource.ts';
import { type ApiResult, type Handler, objectResult, plainText, type RequestContext } from '../request/context.ts';
import type { RequestInfo } from '../request/request-info.ts';
import { bind } from './binding.ts';
import { nodeProxy, podLog, podPortForward, podProxy, podStream, serviceProxy } from './connect.ts';
import { deleteCollection, remove } from './delete.ts';
import type { ResourceHandler, ServerParts } from './endpoint.ts';
import { evict } from './eviction.ts';
import { get } from './get.ts';
import { list } from './list.ts';
import { type ReviewDeps, selfSubjectReview, selfSubjectRulesReview, subjectAccessReview, tokenReview } from './reviews.ts';
import { getScale, patchScale, putScale } from './scale.ts';
import { requestToken } from './token.ts';
import { watch } from './watch.ts';
import { create, patch, update } from './write.ts';

export interface DispatchOptions {
  readonly parts: ServerParts;
  /** By `group/version/resource`. */
  readonly served: ReadonlyMap<string, ServedResource>;
  /** Every resource there is, those without storage too. */
  readonly resources: readonly Resource[];
  readonly discovery: Discovery;
  readonly paths: PathsOptions;
  readonly openApi: OpenApi;
  readonly tokens: ServiceAccountTokens;
  readonly reviews: ReviewDeps;
  readonly kubelets: KubeletClientConfig;
  /** Custom resources: what is served changes while the server runs. */
  readonly custom: CustomRoutes;
}

export interface CustomRoutes {
  find(group: string, version: string, resource: string): CustomRoute | undefined;
  /** Awaited before a definition is written: what checks its rules is loaded on first need. */
  prepareDefinitions(): Promise<void>;
}

/** One version of a custom resource. */
export interface CustomRoute {
  readonly served: ServedResource;
  /** Handlers of the scale endpoint; empty where there is none. */
  readonly scale: Readonly<Record<string, ResourceHandler>>;
  /** What every answer warns of. */
  readonly deprecation: string | undefined;
  /** The parts of the server as they are for this resource now: while its definition is going, no object is made. */
  readonly partsNow: (parts: ServerParts) => ServerParts;
}

const MAIN: Readonly<Record<string, ResourceHandler>> = {
  get,
  list,
  watch,
  create,
  update,
  patch,
  delete: remove,
  deletecollection: deleteCollection,
};
/** Subresources that take and return the object itself. */
const SAME_OBJECT: Readonly<Record<string, ResourceHandler>> = { get, update, patch };
const SCALE: Readonly<Record<string, ResourceHandler>> = { get: getScale, update: putScale, patch: patchScale };

type Route = (context: RequestContext) => ApiResult | Promise<ApiResult>;

interface Routes {
  readonly resource: Resource;
  /** What every answer warns of. */
  readonly deprecation: string | undefined;
  /** `verb` or `verb subresource`. */
  readonly byVerb: ReadonlyMap<string, Route>;
  readonly subresources: ReadonlySet<string>;
  /** What is only made, never kept, has no names. */
  readonly hasNames: boolean;
}

const NAMED_VERBS = ['get', 'update', 'patch', 'delete'];

export function createDispatcher(options: DispatchOptions): Handler {
  const routes = Map.groupBy(
    options.resources.map((resource) => routesOf(resource, options)),
    ({ resource }) => resource.resource,
  );
  return function dispatch(context) {
    const { info } = context;
    if (!info.isResource) return answerOther(context, options);
    const found = routes.get(info.resource)?.find(({ resource }) => resource.group === info.group && resource.version === info.version);
    if (found === undefined) {
      const custom = options.custom.find(info.group, info.version, info.resource);
      return custom === undefined ? answerOther(context, options) : answerCustom(context, custom, options.parts);
    }
    if (!fitsScope(context, found.resource)) return refuse(unknownResource());
    if (info.subresource === '' ? info.name !== '' && !found.hasNames && !isSelection(info) : !found.subresources.has(info.subresource))
      return refuse(unknownResource());
    if (info.rest.length > 0 && info.subresource !== 'proxy') return refuse(unknownResource());
    const route = found.byVerb.get(info.subresource === '' ? info.verb : `${info.verb} ${info.subresource}`);
    if (route === undefined || !fitsVerb(info) || !fitsMethod(context)) return refuse(methodNotAllowed());
    checkAccept(context);
    if (found.deprecation !== undefined) context.warn(found.deprecation);
    return route(context);
  };
}

/** @source upstream apiextensions-apiserver pkg/apiserver/customresource_handler.go ServeHTTP */
function answerCustom(context: RequestContext, route: CustomRoute, parts: ServerParts): ApiResult | Promise<ApiResult> {
  const { info } = context;
  const { resource, store } = route.served;
  const acrossNamespaces = info.verb === 'list' || info.verb === 'watch';
  const fits = resource.namespaced ? info.namespace !== '' || acrossNamespaces : info.namespace === '';
  if (!fits) return plainText(404, PAGE_NOT_FOUND);
  const rules = store.strategy.subresources[info.subresource];
  const handlers = info.subresource === '' ? MAIN : info.subresource === 'scale' ? route.scale : rules === undefined ? {} : SAME_OBJECT;
  if (info.subresource !== '' && Object.keys(handlers).length === 0) return refuse(notFound(resource, info.name));
  const handler = handlers[info.verb];
  if (handler === undefined || !fitsVerb(info)) return refuse(methodNotSupported(resource, info.verb));
  if (route.deprecation !== undefined) context.warn(route.deprecation);
  refuseProtobuf(context);
  return handler(context, route.served, route.partsNow(parts));
}

/** Custom objects have no protobuf form; their metadata has. @throws {ApiError} 406 */
function refuseProtobuf(context: RequestContext): void {
  const header = context.header('accept');
  if (!header.includes('protobuf')) return;
  const rules = context.info.verb === 'list' ? LIST_RULES : OBJECT_RULES;
  const { mediaType, transform } = negotiate(header, rules, false, context.cbor);
  if (mediaType !== 'protobuf' || transform !== undefined) return;
  const type = context.info.verb === 'list' ? 'UnstructuredList' : 'Unstructured';
  throw notAcceptable(
    `object *unstructured.${type} does not implement the protobuf marshalling interface and cannot be encoded to a protobuf message`,
  );
}

const PAGE_NOT_FOUND = '404 page not found\n';

/** By `group/version/resource`: what every answer warns of. */
const DEPRECATED: Readonly<Record<string, string>> = {
  '/v1/endpoints': 'v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice',
  '/v1/componentstatuses': 'v1 ComponentStatus is deprecated in v1.19+',
};

/** What discovery says of built-in versions is only read; other documents are given whatever the method. */
const READ_ONLY = new Set(['/api', '/api/v1', ...RESOURCES.map(({ group, version }) => `/apis/${group}/${version}`)]);

const BUILT_IN = new Set(RESOURCES.map(({ group }) => group));

function refuse(error: Error): never {
  throw error;
}

function methodNotAllowed(): Error {
  return apiError(405, 'MethodNotAllowed', 'the server does not allow this method on the requested resource', {});
}

const keyOf = ({ group, version, resource }: Resource) => `${group}/${version}/${resource}`;

/** Whether a name comes from the field selector. */
const isSelection = ({ verb }: RequestInfo) => verb === 'list' || verb === 'watch';

/** Objects are made in a collection, and changed by their name. */
function fitsVerb({ verb, name, subresource }: RequestInfo): boolean {
  if (subresource !== '') return true;
  if (verb === 'create') return name === '';
  return name !== '' || (verb !== 'update' && verb !== 'patch');
}

/** A verb says it all but for HEAD, which only proxies know, and for the old paths of watches, which are watches by any method. */
function fitsMethod({ info, request: { method } }: RequestContext): boolean {
  return method === 'HEAD' ? info.subresource === 'proxy' : info.verb !== 'watch' || method === 'GET';
}

const PRODUCED: readonly string[] = acceptedTypes({ protobuf: true });
const CBOR = 'application/cbor';

/** Routes say what they produce; a media type that is none of it is refused before the handler sees it. @throws {ApiError} 406 */
function checkAccept(context: RequestContext): void {
  const header = context.header('accept');
  if (header === '' || header === 'application/json' || context.info.subresource !== '') return;
  if (header.split(',').some((part) => isProduced((part.split(';')[0] ?? '').trim(), context))) return;
  const streamed = context.info.verb === 'list' || context.info.verb === 'watch';
  const available = [...PRODUCED, ...(context.cbor === undefined ? [] : [CBOR]), ...(streamed ? STREAMED_TYPES : [])];
  throw apiError(406, 'NotAcceptable', `406: Not Acceptable\n\nAvailable representations: ${available.join(', ')}`, {});
}

const isProduced = (name: string, { cbor }: RequestContext) =>
  name === '*/*' || PRODUCED.includes(name) || (name === CBOR && cbor !== undefined);

/** Namespaced objects are named only within a namespace, cluster-scoped ones only outside. */
function fitsScope({ info }: RequestContext, resource: Resource): boolean {
  if (!resource.namespaced) return info.namespace === '' || (resource.resource === 'namespaces' && info.namespace === info.name);
  if (info.namespace !== '') return true;
  if (info.verb === 'list' || info.verb === 'watch') return true; // A name comes from the field selector here.
  if (info.name !== '' && info.verb !== 'list' && info.verb !== 'watch') return false;
  if (info.verb === 'create' || info.verb === 'deletecollection') throw methodNotAllowed();
  return true;
}

function answerOther(context: RequestContext, { discovery, paths, openApi }: DispatchOptions): ApiResult | Promise<ApiResult> {
  const { path } = context.info;
  if (context.request.method !== 'GET' && READ_ONLY.has(path.replace(/\/$/, ''))) throw methodNotAllowed();
  const found = discovery.answer(context) ?? answerPath(context, paths) ?? openApi.answer(context);
  if (found !== undefined) return found;
  // What is below a group of this server's own is missing; other groups nobody knows of.
  const [, prefix, group = '', below] = path.split('/');
  if ((prefix === 'api' && group !== '') || (prefix === 'apis' && below !== undefined && BUILT_IN.has(group))) throw unknownResource();
  return plainText(404, PAGE_NOT_FOUND);
}

function routesOf(resource: Resource, options: DispatchOptions): Routes {
  const byVerb = new Map<string, Route>();
  const { parts, kubelets } = options;
  const served = options.served.get(keyOf(resource));
  if (served === undefined) addWithoutStorage(byVerb, resource, options);
  else {
    for (const verb of resource.verbs) {
      const handler = MAIN[verb];
      if (handler !== undefined) byVerb.set(verb, (context) => handler(context, served, parts));
    }
    if (resource.resource === 'customresourcedefinitions') prepareDefinitions(byVerb, options.custom);
    for (const { name, verbs } of resource.subresources) addSubresource(byVerb, served, name, verbs, options);
    if (resource.resource === 'pods') addPodStreams(byVerb, served, parts, kubelets);
    if (resource.resource === 'nodes') addProxy(byVerb, (context) => nodeProxy(context, served, parts, kubelets));
    if (resource.resource === 'services') addProxy(byVerb, (context) => serviceProxy(context, served, parts));
  }
  const subresources = new Set(resource.subresources.map(({ name }) => name));
  const hasNames = NAMED_VERBS.some((verb) => byVerb.has(verb));
  return { resource, deprecation: DEPRECATED[keyOf(resource)], byVerb, subresources, hasNames };
}

function prepareDefinitions(byVerb: Map<string, Route>, custom: CustomRoutes): void {
  for (const verb of ['create', 'update', 'patch']) {
    const route = byVerb.get(verb);
    if (route !== undefined) byVerb.set(verb, (context) => custom.prepareDefinitions().then(() => route(context)));
  }
}

function addSubresource(
  byVerb: Map<string, Route>,
  served: ServedResource,
  name: string,
  verbs: readonly string[],
  options: DispatchOptions,
): void {
  const { parts, tokens } = options;
  const handlers = name === 'scale' ? SCALE : served.store.strategy.subresources[name] === undefined ? {} : SAME_OBJECT;
  for (const verb of verbs) {
    const handler = handlers[verb];
    if (handler !== undefined) byVerb.set(`${verb} ${name}`, (context) => handler(context, served, parts));
  }
  if (name === 'binding') byVerb.set('create binding', (context) => bind(context, served, parts));
  if (name === 'token') byVerb.set('create token', (context) => requestToken(context, served, parts, tokens));
  const budgets = options.served.get('policy/v1/poddisruptionbudgets');
  if (name === 'eviction' && budgets !== undefined) byVerb.set('create eviction', (context) => evict(context, served, parts, { budgets }));
}

function addPodStreams(byVerb: Map<string, Route>, served: ServedResource, parts: ServerParts, kubelets: KubeletClientConfig): void {
  byVerb.set('get log', (context) => podLog(context, served, parts, kubelets));
  for (const verb of ['get', 'create']) {
    byVerb.set(`${verb} exec`, (context) => podStream(context, served, parts, kubelets));
    byVerb.set(`${verb} attach`, (context) => podStream(context, served, parts, kubelets));
    byVerb.set(`${verb} portforward`, (context) => podPortForward(context, served, parts, kubelets));
  }
  addProxy(byVerb, (context) => podProxy(context, served, parts));
}

function addProxy(byVerb: Map<string, Route>, route: Route): void {
  for (const verb of ['get', 'create', 'update', 'patch', 'delete']) byVerb.set(`${verb} proxy`, route);
}

function addWithoutStorage(byVerb: Map<string, Route>, resource: Resource, options: DispatchOptions): void {
  const { reviews } = options;
  const endpoint = { resource, admission: reviews.admission };
  const pods = options.served.get('/v1/pods');
  const makers: Readonly<Record<string, Route>> = {
    selfsubjectreviews: (context) => selfSubjectReview(context, endpoint),
    tokenreviews: (context) => tokenReview(context, reviews, endpoint),
    subjectaccessreviews: (context) => subjectAccessReview(context, reviews, endpoint),
    selfsubjectaccessreviews: (context) => subjectAccessReview(context, reviews, endpoint),
    localsubjectaccessreviews: (context) => subjectAccessReview(context, reviews, endpoint),
    selfsubjectrulesreviews: (context) => selfSubjectRulesReview(context, reviews, endpoint),
    ...(pods === undefined ? {} : { bindings: (context: RequestContext) => bind(context, pods, options.parts, endpoint) }),
  };
  const make = makers[resource.resource];
  if (make !== undefined) byVerb.set('create', make);
  if (resource.resource === 'componentstatuses') {
    byVerb.set('list', () => objectResult(200, { kind: 'ComponentStatusList', apiVersion: 'v1', metadata: {}, items: [] }));
    byVerb.set('get', (context) =>
      refuse(
        apiError(404, 'NotFound', `componentstatuses ${JSON.stringify(context.info.name)} not found`, {
          name: context.info.name,
          kind: 'componentstatuses',
        }),
      ),
    );
  }
}
