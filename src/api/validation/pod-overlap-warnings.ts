// SPDX-License-Identifier: Apache-2.0
// Warnings about files of a volume that take each other's places: the same path twice, or one where the other needs a folder.
// @source upstream pkg/api/pod/warnings.go warningsForOverlappingVirtualPaths
import type { DeepReadonly } from '../../machinery/mod.ts';
import { quote } from '../../machinery/mod.ts';
import type { PodSpec, VolumeProjection } from '../generated/core/v1.ts';

type Volumes = NonNullable<DeepReadonly<PodSpec>['volumes']>;
type Items = readonly { readonly path: string }[] | undefined;

const pathsOf = (items: Items) => (items ?? []).map(({ path }) => path);

export function overlapWarnings(volumes: Volumes): string[] {
  return volumes.flatMap(({ name, configMap, secret, downwardAPI, projected }) => {
    const of = `volume ${quote(name)}`;
    return [
      ...listWarnings(pathsOf(configMap?.items), `${of} (ConfigMap ${quote(configMap?.name ?? '')}): overlapping paths`),
      ...listWarnings(pathsOf(secret?.items), `${of} (Secret ${quote(secret?.secretName ?? '')}): overlapping paths`),
      ...listWarnings(pathsOf(downwardAPI?.items), `${of} (DownwardAPI): overlapping paths`),
      ...projectedWarnings(projected?.sources, of),
    ];
  });
}

/** Sources by themselves, and with all before them. */
function projectedWarnings(sources: readonly DeepReadonly<VolumeProjection>[] | undefined, of: string): string[] {
  const all = new Set<string>();
  return (sources ?? []).flatMap((source) => {
    if (Object.keys(source).length === 0) return [`${of} (Projected) has no sources provided`];
    const [what, paths] = projectionOf(source);
    if (paths.length === 0) return [];
    const text = `${of} (Projected ${what}): overlapping paths`;
    const own = [...new Set(paths)];
    const warnings = [...listWarnings(paths, text), ...listWarnings([...own, ...all].sort(), text)];
    for (const path of own) all.add(path);
    return warnings;
  });
}

function projectionOf(source: DeepReadonly<VolumeProjection>): readonly [what: string, paths: readonly string[]] {
  const { configMap, secret, downwardAPI, serviceAccountToken, clusterTrustBundle } = source;
  if (configMap?.items) return [`ConfigMap ${quote(configMap.name ?? '')}`, pathsOf(configMap.items)];
  if (secret?.items) return [`Secret ${quote(secret.name ?? '')}`, pathsOf(secret.items)];
  if (downwardAPI?.items) return ['DownwardAPI', pathsOf(downwardAPI.items)];
  if (serviceAccountToken) return ['ServiceAccountToken', [serviceAccountToken.path]];
  if (clusterTrustBundle)
    return [`ClusterTrustBundle ${quote(clusterTrustBundle.name ?? clusterTrustBundle.signerName ?? '')}`, [clusterTrustBundle.path]];
  return ['', []];
}

const isBelow = (path: string, folder: string) => `${path}/`.startsWith(`${folder}/`);

function listWarnings(paths: readonly string[], text: string): string[] {
  const seen = new Set<string>();
  return paths.flatMap((path) => {
    const own = path.replace(/\/+$/, '');
    const other = own === '' ? undefined : [...seen].find((it) => it !== '' && (isBelow(it, own) || isBelow(own, it)));
    seen.add(own);
    return other === undefined ? [] : [`${text}: ${quote(own)} with ${quote(other)}`];
  });
}
