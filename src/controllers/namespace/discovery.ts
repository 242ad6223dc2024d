// SPDX-License-Identifier: Apache-2.0
// Asks the server for every namespaced resource with its verbs, in the preferred version of each group. The legacy discovery
// documents are read, since every API server of any version has them.
import type { Client } from '#client';
import { parseApiVersion, type Resource } from '#machinery';

interface ApiResourceFacts {
  readonly name: string;
  readonly kind: string;
  readonly namespaced: boolean;
  readonly verbs: readonly string[];
}

interface GroupFacts {
  readonly name: string;
  readonly versions: readonly { readonly groupVersion: string }[];
  readonly preferredVersion?: { readonly groupVersion: string };
}

export interface Discovered {
  readonly resources: readonly Resource[];
  /** Groups that could not be asked, with why. */
  readonly failures: readonly string[];
}

async function getJson(client: Client, path: string, signal: AbortSignal): Promise<unknown> {
  const { status, body } = await client.raw({ method: 'GET', path, headers: { accept: 'application/json' } }, { signal });
  const text = new TextDecoder().decode(body);
  if (status !== 200) throw new Error(text.trim() || `${path}: status ${status}`);
  return JSON.parse(text);
}

function resourceOf(groupVersion: string, { name, kind, namespaced, verbs }: ApiResourceFacts): Resource {
  const { group, version } = parseApiVersion(groupVersion);
  return {
    group,
    version,
    resource: name,
    singular: '',
    kind,
    namespaced,
    verbs,
    shortNames: [],
    categories: [],
    storageVersionHash: '',
    subresources: [],
  };
}

/** Every resource of the server in its group's preferred version, subresources left out. */
export async function discoverAll(client: Client, signal: AbortSignal): Promise<Discovered> {
  const { groups } = (await getJson(client, '/apis', signal)) as { groups: readonly GroupFacts[] };
  const versions = [
    'v1',
    ...groups.map(({ preferredVersion, versions: [first] }) => preferredVersion?.groupVersion ?? first?.groupVersion ?? ''),
  ];
  const failures: string[] = [];
  const answers = await Promise.all(
    versions.map(async (groupVersion) => {
      const path = groupVersion.includes('/') ? `/apis/${groupVersion}` : `/api/${groupVersion}`;
      try {
        const { resources } = (await getJson(client, path, signal)) as { resources: readonly ApiResourceFacts[] };
        return resources.filter(({ name }) => !name.includes('/')).map((facts) => resourceOf(groupVersion, facts));
      } catch (error) {
        if (signal.aborted) throw error;
        failures.push(`${groupVersion}: ${error instanceof Error ? error.message : String(error)}`);
        return [];
      }
    }),
  );
  return { resources: answers.flat(), failures };
}

/** Those of a namespace that can be listed and deleted. */
export async function discoverNamespaced(client: Client, signal: AbortSignal): Promise<Discovered> {
  const { resources, failures } = await discoverAll(client, signal);
  const usable = resources.filter(({ namespaced, verbs }) => namespaced && verbs.includes('delete') && verbs.includes('list'));
  return { resources: usable, failures };
}
