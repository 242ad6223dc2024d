// SPDX-License-Identifier: Apache-2.0
// Whether a Pod mentions a Secret or ConfigMap anywhere: volumes, environments, pulls of images.
// @source upstream pkg/api/pod VisitPodSecretNames, VisitPodConfigmapNames
import type { Pod, Volume } from '#api/core/v1';

export function mentions(spec: Pod['spec'], kind: 'secret' | 'configMap'): boolean {
  if (kind === 'secret' && (spec.imagePullSecrets ?? []).some(({ name }) => name)) return true;
  if (spec.volumes?.some((volume) => volume[kind] || volume.projected?.sources?.some((source) => source[kind]))) return true;
  if (kind === 'secret' && spec.volumes?.some(hasSecretOfDriver)) return true;
  const containers = [...(spec.initContainers ?? []), ...(spec.containers ?? []), ...(spec.ephemeralContainers ?? [])];
  return containers.some(
    ({ env, envFrom }) => env?.some(({ valueFrom }) => valueFrom?.[`${kind}KeyRef`]) || envFrom?.some((source) => source[`${kind}Ref`]),
  );
}

function hasSecretOfDriver(volume: Volume): boolean {
  const { azureFile, cephfs, cinder, flexVolume, rbd, scaleIO, iscsi, storageos, csi } = volume;
  const references = [cephfs, cinder, flexVolume, rbd, scaleIO, iscsi, storageos].map((source) => source?.secretRef);
  return Boolean(azureFile?.secretName) || references.some((reference) => reference) || Boolean(csi?.nodePublishSecretRef);
}
