// SPDX-License-Identifier: Apache-2.0
// What an extension server says it serves, as entries of aggregated discovery: asked in that form first, and put together of the
// old documents where the server does not know it.
// @source upstream kube-aggregator pkg/apiserver/handler_discovery.go
import type { UserInfo } from '../auth/user.ts';
import type { ExtensionServer } from './extension-server.ts';

/** An entry of `versions` in an APIGroupDiscovery. */
export interface DiscoveredVersion {
  readonly version: string;
  readonly resources: readonly object[];
  readonly freshness: 'Current' | 'Stale';
}

const ACCEPT = [
  'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList',
  'application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList',
].join(',');
const READER: UserInfo = { name: 'system:kube-aggregator', uid: '', groups: ['system:masters'], extra: {} };
const TIMEOUT_MS = 5_000;

interface GroupDiscovery {
  readonly metadata?: { readonly name?: string };
  readonly versions?: readonly { readonly version?: string; readonly resources?: readonly object[] }[];
}

interface ResourceEntry {
  readonly name: string;
  readonly singularName?: string;
  readonly namespaced?: boolean;
  readonly kind: string;
  readonly group?: string;
  readonly version?: string;
  readonly verbs: readonly string[];
  readonly shortNames?: readonly string[];
  readonly categories?: readonly string[];
}

/** @throws If the server does not say. */
export async function discoverVersion(
  server: ExtensionServer,
  group: string,
  version: string,
  signal: AbortSignal,
): Promise<DiscoveredVersion> {
  const ask = (path: string, accept: string) =>
    server.get(path, { headers: { accept }, user: READER, signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]) });
  const whole = await ask('/apis', ACCEPT);
  if (whole.status === 200 && String(whole.headers['content-type']).includes('as=APIGroupDiscoveryList')) {
    const { items = [] } = JSON.parse(whole.body.toString()) as { items?: readonly GroupDiscovery[] };
    const found = items.find(({ metadata }) => metadata?.name === group)?.versions?.find((entry) => entry.version === version);
    if (found !== undefined) return { version, resources: found.resources ?? [], freshness: 'Current' };
  }
  const { status, body } = await ask(`/apis/${group}/${version}`, 'application/json');
  if (status !== 200) throw new Error(`discover ${group}/${version}: the server answered ${status}`);
  const { resources = [] } = JSON.parse(body.toString()) as { resources?: readonly ResourceEntry[] };
  return { version, resources: aggregatedResources(resources, { group, version }), freshness: 'Current' };
}

/** The old list in the new form: subresources under their resource. */
export function aggregatedResources(entries: readonly ResourceEntry[], of: { group: string; version: string }): object[] {
  const kindOf = ({ group, version, kind }: ResourceEntry) => ({ group: group || of.group, version: version || of.version, kind });
  const parents = entries.filter(({ name }) => !name.includes('/'));
  return parents.map((entry) => {
    const subresources = entries
      .filter(({ name }) => name.startsWith(`${entry.name}/`))
      .map((sub) => ({ subresource: sub.name.slice(entry.name.length + 1), responseKind: kindOf(sub), verbs: sub.verbs }));
    return {
      resource: entry.name,
      responseKind: kindOf(entry),
      scope: entry.namespaced ? 'Namespaced' : 'Cluster',
      singularResource: entry.singularName ?? '',
      verbs: entry.verbs,
      ...(entry.shortNames?.length ? { shortNames: entry.shortNames } : {}),
      ...(entry.categories?.length ? { categories: entry.categories } : {}),
      ...(subresources.length > 0 ? { subresources } : {}),
    };
  });
}
