// SPDX-License-Identifier: Apache-2.0
// Warnings about files of a volume that take each other's places: the same path twice, or one where the other needs a folder.
// @source upstream pkg/api/pod/warnings.go warningsForOverlappingVirtualPaths
import type { DeepReadonly } from '../../machinery/mod.ts';
import { quote } from '../../machinery/mod.ts';
import type { PodSpec, VolumeProjection } from '../generated/core/v1.ts';

type Volumes = NonNullable<DeepReadonly<PodSpec>['volumes']>;
type Items = readonly { readonly path: string }[] | undefined;

/** A file of a volume, and what it is from, where a volume has several sources. */
interface VirtualFile {
  readonly path: string;
  readonly source: string;
}

const filesOf = (items: Items, source = ''): VirtualFile[] => (items ?? []).map(({ path }) => ({ path, source }));

export function overlapWarnings(volumes: Volumes): string[] {
  return volumes.flatMap(({ name, configMap, secret, downwardAPI, projected }) => {
    const of = `volume ${quote(name)}`;
    return [
      ...fileWarnings(filesOf(configMap?.items), `${of} (ConfigMap ${quote(configMap?.name ?? '')})`),
      ...fileWarnings(filesOf(secret?.items), `${of} (Secret ${quote(secret?.secretName ?? '')})`),
      ...fileWarnings(filesOf(downwardAPI?.items), `${of} (DownwardAPI)`),
      ...projectedWarnings(projected?.sources, `${of} (Projected)`),
    ];
  });
}

/** The files of each source against all before them. */
function projectedWarnings(sources: readonly DeepReadonly<VolumeProjection>[] | undefined, of: string): string[] {
  const all: VirtualFile[] = [];
  return (sources ?? []).flatMap((source) => {
    if (Object.keys(source).length === 0) return [`${of} has no sources provided`];
    return fileWarnings(projectedFiles(source), of, all);
  });
}

function projectedFiles(source: DeepReadonly<VolumeProjection>): VirtualFile[] {
  const { configMap, secret, downwardAPI, serviceAccountToken, clusterTrustBundle } = source;
  if (configMap?.items) return filesOf(configMap.items, `ConfigMap ${quote(configMap.name ?? '')}`);
  if (secret?.items) return filesOf(secret.items, `Secret ${quote(secret.name ?? '')}`);
  if (downwardAPI?.items) return filesOf(downwardAPI.items, 'DownwardAPI');
  if (serviceAccountToken) return filesOf([serviceAccountToken], 'ServiceAccountToken');
  if (!clusterTrustBundle) return [];
  const name = clusterTrustBundle.name ?? clusterTrustBundle.signerName ?? '';
  return filesOf([clusterTrustBundle], `ClusterTrustBundle ${quote(name)}`);
}

const isBelow = (path: string, folder: string) => `${path}/`.startsWith(`${folder}/`);
const textOf = ({ path, source }: VirtualFile) => (source === '' ? quote(path) : `${quote(path)} (${source})`);

/** @param seen Files before these; they are added to it. */
function fileWarnings(files: readonly VirtualFile[], of: string, seen: VirtualFile[] = []): string[] {
  return files.flatMap(({ path: given, source }) => {
    const file = { path: given.replace(/\/+$/, ''), source };
    const { path } = file;
    const others = seen.filter((it) => path !== '' && it.path !== '' && (isBelow(it.path, path) || isBelow(path, it.path)));
    seen.push(file);
    return others.map((other) => `${of}: overlapping paths: ${textOf(file)} with ${textOf(other)}`);
  });
}
