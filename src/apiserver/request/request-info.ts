// SPDX-License-Identifier: Apache-2.0
// What a URL and method ask for, as authorization, audit and dispatch see it.
// @source upstream apiserver pkg/endpoints/request/requestinfo.go

export interface RequestInfo {
  readonly isResource: boolean;
  readonly path: string;
  /** `get`, `list`, `watch`, `create`, …; for other paths the lower-cased method. */
  readonly verb: string;
  readonly prefix: 'api' | 'apis' | '';
  readonly group: string;
  readonly version: string;
  readonly namespace: string;
  readonly resource: string;
  readonly subresource: string;
  readonly name: string;
  /** Path segments after the subresource: what a proxy gets. */
  readonly rest: readonly string[];
}

const VERBS: Readonly<Record<string, string>> = {
  POST: 'create',
  GET: 'get',
  HEAD: 'get',
  PUT: 'update',
  PATCH: 'patch',
  DELETE: 'delete',
};
/** Subresources of a namespace, which otherwise look like resources in it. */
const NAMESPACE_SUBRESOURCES = new Set(['status', 'finalize']);

function nonResource(method: string, path: string): RequestInfo {
  return {
    isResource: false,
    path,
    verb: method.toLowerCase(),
    prefix: '',
    group: '',
    version: '',
    namespace: '',
    resource: '',
    subresource: '',
    name: '',
    rest: [],
  };
}

function decode(segment: string): string {
  if (!segment.includes('%')) return segment;
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

export function requestInfoOf(method: string, path: string, query: URLSearchParams | undefined): RequestInfo {
  const parts = path.split('/').slice(1);
  if (parts.at(-1) === '') parts.pop();
  const prefix = parts[0];
  if (parts.includes('') || (prefix !== 'api' && prefix !== 'apis') || parts.length < (prefix === 'api' ? 3 : 4))
    return nonResource(method, path);
  const group = prefix === 'apis' ? (parts[1] ?? '') : '';
  const version = (prefix === 'apis' ? parts[2] : parts[1]) ?? '';
  let segments = parts.slice(prefix === 'apis' ? 3 : 2).map(decode);
  let verb = VERBS[method] ?? '';
  let watchPath = false;
  if (segments[0] === 'watch' && segments.length > 1) {
    watchPath = true;
    segments = segments.slice(1);
  }
  let namespace = '';
  if (segments[0] === 'namespaces') {
    if (segments.length > 1) {
      namespace = segments[1] ?? '';
      if (segments.length > 2 && !NAMESPACE_SUBRESOURCES.has(segments[2] ?? '')) segments = segments.slice(2);
    }
  }
  const [resource = '', named = '', subresource = '', ...rest] = segments;
  let name = named;
  if (watchPath) verb = 'watch';
  else if (name === '' && verb === 'get') verb = isWatch(query) ? 'watch' : 'list';
  else if (name === '' && verb === 'delete') verb = 'deletecollection';
  if (name === '' && (verb === 'list' || verb === 'watch')) name = selectedName(query);
  return { isResource: true, path, verb, prefix, group, version, namespace, resource, subresource, name, rest };
}

/** The name that a field selector demands, if it is one that a path could have. */
function selectedName(query: URLSearchParams | undefined): string {
  const match = /(?:^|,)metadata\.name==?([^,=!\\/%]+)(?:,|$)/.exec(query?.get('fieldSelector') ?? '');
  return match?.[1] ?? '';
}

/** `watch`, `watch=true`, `watch=1`. */
export function isWatch(query: URLSearchParams | undefined): boolean {
  const value = query?.get('watch');
  return value !== null && value !== undefined && value !== '0' && value.toLowerCase() !== 'false';
}

/** Clients ask for the same paths again and again: what was found out of the last ones is kept (2 % of a GET's time). */
export class RequestInfos {
  static readonly #LIMIT = 2_000;
  /** Anything may come as a method. */
  static readonly #METHODS = 10;
  /** By method, then by path. */
  readonly #known = new Map<string, Map<string, RequestInfo>>();

  /** As `requestInfoOf`, for requests without a query. */
  of(method: string, path: string): RequestInfo {
    const known = this.#known.get(method) ?? this.#begin(method);
    let found = known.get(path);
    if (found === undefined) {
      found = requestInfoOf(method, path, undefined);
      if (known.size >= RequestInfos.#LIMIT) known.clear();
      known.set(path, found);
    }
    return found;
  }

  #begin(method: string): Map<string, RequestInfo> {
    if (this.#known.size >= RequestInfos.#METHODS) this.#known.clear();
    const known = new Map<string, RequestInfo>();
    this.#known.set(method, known);
    return known;
  }
}
