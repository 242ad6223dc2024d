// SPDX-License-Identifier: Apache-2.0
// What extension servers serve, as one source of discovery.
import type { DiscoverySource } from '../discovery/discovery.ts';
import type { RemoteVersion } from './aggregator.ts';

/** Groups in order of priority, then of name; versions likewise. */
export function remoteSource(remotes: readonly RemoteVersion[]): DiscoverySource {
  const byGroup = Map.groupBy(
    remotes.filter(({ group }) => group !== ''),
    ({ group }) => group,
  );
  const groups = [...byGroup].sort(([a, first], [b, second]) => highest(second) - highest(first) || (a < b ? -1 : 1));
  return {
    groups: groups.map(([name, versions]) => {
      const ordered = [...versions].sort((a, b) => b.versionPriority - a.versionPriority).map(({ version }) => version);
      return { name, versions: ordered, preferred: ordered[0] ?? '', priority: highest(versions) };
    }),
    resources: [],
    aggregated: new Map(
      remotes.map(({ group, version, discovered }) => [
        `${group}/${version}`,
        discovered ?? { version, resources: [], freshness: 'Stale' },
      ]),
    ),
  };
}

function highest(versions: readonly RemoteVersion[]): number {
  return Math.max(...versions.map(({ groupPriority }) => groupPriority));
}
