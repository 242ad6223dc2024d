// SPDX-License-Identifier: Apache-2.0
// What the server serves, in both forms clients ask for: the old one, a document per group and version, and the aggregated one
// (apidiscovery.k8s.io/v2, with an ETag). Documents are made when the set of resources changes, not per request.
// @source upstream apiserver pkg/endpoints/discovery
import { createHash } from 'node:crypto';
import { apiVersionOf, notAcceptable, type Resource } from '#machinery';
import { acceptedTypes, JSON_OUTPUT, negotiate, type Output, parseAccept } from '../encoding/negotiation.ts';
import { type ApiResult, objectResult, type RequestContext } from '../request/context.ts';

export interface DiscoveryGroup {
  readonly name: string;
  readonly versions: readonly string[];
  readonly preferred: string;
}

const PLAIN = { transforms: new Set<never>(), protobuf: true };

export class Discovery {
  readonly #documents = new Map<string, object>();
  readonly #aggregated = new Map<string, { body: object; etag: string }>();

  /** @param groups In the order they are listed, without the core group. */
  constructor(resources: readonly Resource[], groups: readonly DiscoveryGroup[]) {
    this.update(resources, groups);
  }

  /** Makes all documents anew. */
  update(resources: readonly Resource[], groups: readonly DiscoveryGroup[]): void {
    this.#documents.clear();
    const core = { name: '', versions: ['v1'], preferred: 'v1' };
    this.#documents.set('/api', { kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs: [] });
    this.#documents.set('/apis', { kind: 'APIGroupList', apiVersion: 'v1', groups: groups.map(groupDocument) });
    for (const group of groups) this.#documents.set(`/apis/${group.name}`, { kind: 'APIGroup', apiVersion: 'v1', ...groupDocument(group) });
    for (const group of [core, ...groups]) {
      for (const version of group.versions) {
        const path = group.name === '' ? `/api/${version}` : `/apis/${group.name}/${version}`;
        this.#documents.set(path, resourceList(resources, group.name, version));
      }
    }
    this.#setAggregated('/api', [aggregatedGroup(resources, core)]);
    this.#setAggregated(
      '/apis',
      groups.map((group) => aggregatedGroup(resources, group)),
    );
  }

  #setAggregated(path: string, items: readonly object[]): void {
    const body = { kind: 'APIGroupDiscoveryList', apiVersion: 'apidiscovery.k8s.io/v2', metadata: {}, items };
    const etag = `"${createHash('sha512').update(JSON.stringify(body)).digest('hex').toUpperCase()}"`;
    this.#aggregated.set(path, { body, etag });
  }

  /** The answer for a discovery path, or undefined if it is none. */
  answer(context: RequestContext): ApiResult | undefined {
    const path = context.info.path.replace(/\/$/, '');
    const document = this.#documents.get(path);
    if (document === undefined) return undefined;
    const accept = context.header('accept');
    const aggregated = this.#aggregated.get(path);
    if (aggregated !== undefined && accept.includes('as=')) {
      const output = aggregatedOutput(accept);
      if (output === 'aggregated') return this.#answerAggregated(context, aggregated);
      return { ...objectResult(200, document), output };
    }
    return { ...objectResult(200, document), output: accept.includes('as=') ? onlyPlain(accept) : negotiate(accept, PLAIN, false) };
  }

  #answerAggregated(context: RequestContext, { body, etag }: { body: object; etag: string }): ApiResult {
    const headers = { etag, vary: 'Accept', 'cache-control': 'public' };
    if (context.header('if-none-match') === etag) return { type: 'bytes', status: 304, contentType: '', body: '', headers };
    return { ...objectResult(200, body, headers), output: { ...JSON_OUTPUT, transform: 'APIGroupDiscoveryList' } };
  }
}

/** Ranges in order: the first that can be served decides. @throws {ApiError} 406 */
function aggregatedOutput(accept: string): Output | 'aggregated' {
  for (const { name, parameters } of parseAccept(accept)) {
    if (parameters['as'] === undefined) {
      const plain = negotiate(name, PLAIN, false);
      return plain;
    }
    const known = parameters['g'] === 'apidiscovery.k8s.io' && parameters['v'] === 'v2' && parameters['as'] === 'APIGroupDiscoveryList';
    if (known && name === 'application/json') return 'aggregated';
  }
  throw notAcceptable(`only the following media types are accepted: ${acceptedTypes(PLAIN).join(', ')}`);
}

function onlyPlain(accept: string): Output {
  const plain = parseAccept(accept).filter(({ parameters }) => parameters['as'] === undefined);
  if (plain.length === 0) throw notAcceptable(`only the following media types are accepted: ${acceptedTypes(PLAIN).join(', ')}`);
  return negotiate(plain.map(({ name }) => name).join(','), PLAIN, false);
}

function groupDocument({ name, versions, preferred }: DiscoveryGroup): object {
  const entry = (version: string) => ({ groupVersion: `${name}/${version}`, version });
  return { name, versions: versions.map(entry), preferredVersion: entry(preferred) };
}

function resourceList(all: readonly Resource[], group: string, version: string): object {
  const resources = all.filter((resource) => resource.group === group && resource.version === version);
  return {
    kind: 'APIResourceList',
    ...(group === '' ? {} : { apiVersion: 'v1' }),
    groupVersion: apiVersionOf({ group, version }),
    resources: resources.flatMap(resourceEntries),
  };
}

function resourceEntries(resource: Resource): object[] {
  const main = {
    name: resource.resource,
    singularName: resource.singular,
    namespaced: resource.namespaced,
    kind: resource.kind,
    verbs: resource.verbs,
    ...(resource.shortNames.length === 0 ? {} : { shortNames: resource.shortNames }),
    ...(resource.categories.length === 0 ? {} : { categories: resource.categories }),
    ...(resource.storageVersionHash === '' ? {} : { storageVersionHash: resource.storageVersionHash }),
  };
  const subresources = resource.subresources.map(({ name, kind, group, version, verbs }) => ({
    name: `${resource.resource}/${name}`,
    singularName: '',
    namespaced: resource.namespaced,
    ...(group === undefined ? {} : { group, version }),
    kind,
    verbs,
  }));
  return [main, ...subresources];
}

function aggregatedGroup(resources: readonly Resource[], { name, versions }: DiscoveryGroup): object {
  return {
    metadata: name === '' ? {} : { name },
    versions: versions.map((version) => ({
      version,
      resources: resources.filter((resource) => resource.group === name && resource.version === version).map(aggregatedResource),
      freshness: 'Current',
    })),
  };
}

function aggregatedResource(resource: Resource): object {
  const subresources = resource.subresources.map(({ name, kind, group = '', version = '', verbs }) => ({
    subresource: name,
    responseKind: { group, version, kind },
    verbs,
  }));
  return {
    resource: resource.resource,
    responseKind: { group: '', version: '', kind: resource.kind },
    scope: resource.namespaced ? 'Namespaced' : 'Cluster',
    singularResource: resource.singular,
    verbs: resource.verbs,
    ...(resource.shortNames.length === 0 ? {} : { shortNames: resource.shortNames }),
    ...(resource.categories.length === 0 ? {} : { categories: resource.categories }),
    ...(subresources.length === 0 ? {} : { subresources }),
  };
}
