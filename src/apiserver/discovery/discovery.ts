// SPDX-License-Identifier: Apache-2.0
// What the server serves, in both forms clients ask for: the old one, a document per group and version, and the aggregated one
// (apidiscovery.k8s.io/v2, with an ETag). Documents are made when the set of resources changes, not per request.
// @source upstream apiserver pkg/endpoints/discovery
import { createHash } from 'node:crypto';
import { apiVersionOf, notAcceptable, type Resource } from '#machinery';
import { builtInGroupPriority } from '../aggregation/priorities.ts';
import { acceptedTypes, JSON_OUTPUT, mediaTypeNamed, negotiate, type Output, parseAccept } from '../encoding/negotiation.ts';
import { isPretty } from '../handlers/get.ts';
import { type ApiResult, objectResult, type RequestContext } from '../request/context.ts';
import { compareVersions } from './version-order.ts';

export interface DiscoveryGroup {
  readonly name: string;
  readonly versions: readonly string[];
  readonly preferred: string;
  /** Higher ones are listed first: `groupPriorityMinimum` of its APIServices. @default that of custom resources */
  readonly priority?: number | undefined;
}

const PLAIN = { transforms: new Set<never>(), protobuf: true };

/**
 * What one part of the server adds: the built-in kinds, custom resources, API services that other servers answer. A group that
 * several sources have is one group with the versions of all.
 */
export interface DiscoverySource {
  readonly groups: readonly DiscoveryGroup[];
  /** Those of `groups` that this server itself answers for. */
  readonly resources: readonly Resource[];
  /** Entries of the aggregated form that are ready made, by `group/version`: what another server has said of itself. */
  readonly aggregated?: ReadonlyMap<string, object>;
}

const BUILT_IN = 'built-in';

export class Discovery {
  readonly #sources = new Map<string, DiscoverySource>();
  readonly #documents = new Map<string, object>();
  readonly #aggregated = new Map<string, { body: object; etag: string }>();
  /** A change of the set is noted only; who asks next pays for the documents, however many changes there were. */
  #isStale = true;

  /** @param groups In the order they are listed, without the core group. */
  constructor(resources: readonly Resource[], groups: readonly DiscoveryGroup[]) {
    this.set(BUILT_IN, { resources, groups });
  }

  /** Adds a source, or replaces what it said before. Sources are listed in the order in which they came first. */
  set(name: string, source: DiscoverySource): void {
    this.#sources.set(name, source);
    this.#isStale = true;
  }

  remove(name: string): void {
    this.#sources.delete(name);
    this.#isStale = true;
  }

  /** Whether a group and version is answered for, by anyone. */
  has(group: string, version: string): boolean {
    this.#refresh();
    return this.#documents.has(group === '' ? `/api/${version}` : `/apis/${group}/${version}`) || this.#versions.has(`${group}/${version}`);
  }

  readonly #versions = new Set<string>();

  /** Every path this source of truth answers, for `/`. */
  paths(): readonly string[] {
    this.#refresh();
    return [...this.#documents.keys()];
  }

  #refresh(): void {
    if (!this.#isStale) return;
    this.#isStale = false;
    const sources = [...this.#sources.values()];
    this.#make(
      sources.flatMap(({ resources }) => resources),
      mergeGroups(sources),
      new Map(sources.flatMap(({ aggregated }) => [...(aggregated ?? [])])),
    );
  }

  /** Makes all documents anew. */
  #make(resources: readonly Resource[], groups: readonly DiscoveryGroup[], ready: ReadonlyMap<string, object>): void {
    this.#documents.clear();
    this.#versions.clear();
    const core = { name: '', versions: ['v1'], preferred: 'v1' };
    const byVersion = Map.groupBy(resources, ({ group, version }) => `${group}/${version}`);
    this.#documents.set('/api', { kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs: [] });
    this.#documents.set('/apis', { kind: 'APIGroupList', apiVersion: 'v1', groups: groups.map(groupDocument) });
    for (const group of groups) this.#documents.set(`/apis/${group.name}`, { kind: 'APIGroup', apiVersion: 'v1', ...groupDocument(group) });
    for (const group of [core, ...groups]) {
      for (const version of group.versions) {
        const key = `${group.name}/${version}`;
        this.#versions.add(key);
        const own = byVersion.get(key);
        const path = group.name === '' ? `/api/${version}` : `/apis/${group.name}/${version}`;
        // What another server answers for is asked of it.
        if (own !== undefined) this.#documents.set(path, resourceList(own, group.name, version));
      }
    }
    this.#setAggregated('/api', [aggregatedGroup(byVersion, core, ready)]);
    this.#setAggregated(
      '/apis',
      groups.map((group) => aggregatedGroup(byVersion, group, ready)),
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
    if (!path.startsWith('/api')) return undefined;
    this.#refresh();
    const document = this.#documents.get(path);
    if (document === undefined) return undefined;
    const accept = context.header('accept');
    const aggregated = this.#aggregated.get(path);
    if (aggregated !== undefined && accept.includes('as=')) {
      const output = aggregatedOutput(accept, isPretty(context));
      if (output.transform !== undefined) return answerAggregated(context, aggregated, output);
      return { ...objectResult(200, document), output };
    }
    return {
      ...objectResult(200, document),
      output: accept.includes('as=') ? onlyPlain(accept, isPretty(context)) : negotiate(accept, PLAIN, isPretty(context)),
    };
  }
}

function answerAggregated(context: RequestContext, { body, etag }: { body: object; etag: string }, output: Output): ApiResult {
  const headers = { etag, vary: 'Accept', 'cache-control': 'public' };
  if (context.header('if-none-match') === etag) return { type: 'bytes', status: 304, contentType: '', body: '', headers };
  return { ...objectResult(200, body, headers), output };
}

/** Ranges in order: the first that can be served decides. @throws {ApiError} 406 */
function aggregatedOutput(accept: string, pretty: boolean): Output {
  for (const { name, parameters } of parseAccept(accept)) {
    if (parameters['as'] === undefined) return negotiate(name, PLAIN, pretty);
    const known = parameters['g'] === 'apidiscovery.k8s.io' && parameters['v'] === 'v2' && parameters['as'] === 'APIGroupDiscoveryList';
    const mediaType = known ? mediaTypeNamed(name) : undefined;
    if (mediaType !== undefined) return { ...JSON_OUTPUT, mediaType, pretty, transform: 'APIGroupDiscoveryList' };
  }
  throw notAcceptable(`only the following media types are accepted: ${acceptedTypes(PLAIN).join(', ')}`);
}

function onlyPlain(accept: string, pretty: boolean): Output {
  const plain = parseAccept(accept).filter(({ parameters }) => parameters['as'] === undefined);
  if (plain.length === 0) throw notAcceptable(`only the following media types are accepted: ${acceptedTypes(PLAIN).join(', ')}`);
  return negotiate(plain.map(({ name }) => name).join(','), PLAIN, pretty);
}

function groupDocument({ name, versions, preferred }: DiscoveryGroup): object {
  const entry = (version: string) => ({ groupVersion: `${name}/${version}`, version });
  return { name, versions: versions.map(entry), preferredVersion: entry(preferred) };
}

/** Groups of all sources; versions of a group that several have stand in their usual order. */
function mergeGroups(sources: readonly DiscoverySource[]): readonly DiscoveryGroup[] {
  const merged = new Map<string, DiscoveryGroup>();
  for (const { groups } of sources) {
    for (const group of groups) {
      const known = merged.get(group.name);
      if (known === undefined) merged.set(group.name, group);
      else {
        const versions = [...new Set([...known.versions, ...group.versions])].sort(compareVersions);
        const priority = Math.max(known.priority ?? 0, group.priority ?? 0) || undefined;
        merged.set(group.name, { name: group.name, versions, preferred: versions[0] ?? known.preferred, priority });
      }
    }
  }
  return [...merged.values()].sort((a, b) => priorityOf(b) - priorityOf(a));
}

/** @source upstream crdregistration: 1000 */
const CUSTOM_PRIORITY = 1000;

function priorityOf({ name, priority }: DiscoveryGroup): number {
  return Math.max(builtInGroupPriority(name) ?? 0, priority ?? CUSTOM_PRIORITY);
}

function resourceList(resources: readonly Resource[], group: string, version: string): object {
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

function aggregatedGroup(
  byVersion: ReadonlyMap<string, readonly Resource[]>,
  { name, versions }: DiscoveryGroup,
  ready: ReadonlyMap<string, object>,
): object {
  const entryOf = (version: string) => {
    const key = `${name}/${version}`;
    return ready.get(key) ?? { version, resources: (byVersion.get(key) ?? []).map(aggregatedResource), freshness: 'Current' };
  };
  return { metadata: name === '' ? {} : { name }, versions: versions.map(entryOf) };
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
