// SPDX-License-Identifier: Apache-2.0
// What belongs to a node: Pods bound to it, what they mention, volumes behind their claims with the secrets of those, attachments and
// device slices. Mirror Pods bring nothing: a node could make itself any.
// @source upstream plugin/pkg/auth/authorizer/node/{graph,graph_populator}.go
import { persistentvolumeclaims, persistentvolumes, resourceslices, volumeattachments } from '#api';
import type { PersistentVolume, Pod, Volume } from '#api/core/v1';
import type { DeepReadonly } from '#machinery';
import type { ObjectReader } from '../registry/strategy.ts';

export interface NodeGraph {
  podsOf(nodeName: string): readonly DeepReadonly<Pod>[];
  /** What is not a Pod. */
  readonly reader: Pick<ObjectReader, 'find'>;
}

export type Related =
  | 'pods'
  | 'secrets'
  | 'configmaps'
  | 'serviceaccounts'
  | 'persistentvolumeclaims'
  | 'persistentvolumes'
  | 'resourceclaims'
  | 'volumeattachments'
  | 'resourceslices';

type Relation = (graph: NodeGraph, node: string, namespace: string, name: string) => boolean;
type AnyPod = DeepReadonly<Pod>;

const MIRROR = 'kubernetes.io/config.mirror';

/** Whether some Pod of the node, in the namespace, fits. */
function ofPods(fits: (pod: AnyPod, name: string) => boolean): Relation {
  return ({ podsOf }, node, namespace, name) =>
    podsOf(node).some((pod) => pod.metadata.namespace === namespace && pod.metadata.annotations?.[MIRROR] === undefined && fits(pod, name));
}

const claimsOf = ({ metadata, spec }: AnyPod): string[] =>
  (spec.volumes ?? []).flatMap(
    ({ name, persistentVolumeClaim, ephemeral }) => persistentVolumeClaim?.claimName ?? (ephemeral ? `${metadata.name}-${name}` : []),
  );

function hasResourceClaim({ spec, status }: AnyPod, name: string): boolean {
  return (
    spec.resourceClaims?.some(({ resourceClaimName }) => resourceClaimName === name) === true ||
    status?.resourceClaimStatuses?.some(({ resourceClaimName }) => resourceClaimName === name) === true ||
    status?.extendedResourceClaimStatus?.resourceClaimName === name
  );
}

const RELATIONS: Readonly<Record<Related, Relation>> = {
  pods: ({ podsOf }, node, namespace, name) =>
    podsOf(node).some(({ metadata }) => metadata.namespace === namespace && metadata.name === name),
  secrets: (graph, node, namespace, name) =>
    ofPods((pod) => references(pod, 'secrets', name))(graph, node, namespace, name) ||
    volumesOf(graph, node).some((volume) => hasSecret(volume, namespace, name)),
  configmaps: ofPods((pod, name) => references(pod, 'configmaps', name)),
  serviceaccounts: ofPods(({ spec }, name) => spec.serviceAccountName === name),
  persistentvolumeclaims: ofPods((pod, name) => claimsOf(pod).includes(name)),
  persistentvolumes: (graph, node, _namespace, name) => volumesOf(graph, node).some(({ metadata }) => metadata.name === name),
  resourceclaims: ofPods(hasResourceClaim),
  volumeattachments: ({ reader }, node, _namespace, name) => reader.find(volumeattachments, { name })?.spec.nodeName === node,
  resourceslices: ({ reader }, node, _namespace, name) => reader.find(resourceslices, { name })?.spec.nodeName === node,
};

/** Whether an object belongs to a node. */
export function isRelated(
  what: Related,
  graph: NodeGraph,
  node: string,
  { namespace, name }: { namespace: string; name: string },
): boolean {
  return RELATIONS[what](graph, node, namespace, name);
}

/** The volumes behind the claims of the node's Pods. */
function volumesOf({ podsOf, reader }: NodeGraph, node: string): DeepReadonly<PersistentVolume>[] {
  return podsOf(node).flatMap((pod) => {
    if (pod.metadata.annotations?.[MIRROR] !== undefined) return [];
    const { namespace = '' } = pod.metadata;
    return claimsOf(pod).flatMap((claimName) => {
      const claim = reader.find(persistentvolumeclaims, { namespace, name: claimName });
      const volume = claim?.spec.volumeName ? reader.find(persistentvolumes, { name: claim.spec.volumeName }) : undefined;
      const { claimRef } = volume?.spec ?? {};
      return volume !== undefined && claimRef?.namespace === namespace && claimRef.name === claimName ? [volume] : [];
    });
  });
}

interface SecretRef {
  readonly name?: string | undefined;
  readonly namespace?: string | undefined;
}

/** Whether a volume needs a Secret; references without a namespace are in that of its claim. */
function hasSecret({ spec }: DeepReadonly<PersistentVolume>, namespace: string, name: string): boolean {
  const { azureFile, cephfs, cinder, csi, flexVolume, rbd, scaleIO, iscsi, storageos } = spec;
  const references: (SecretRef | undefined)[] = [
    ...[cephfs, cinder, flexVolume, rbd, scaleIO, iscsi, storageos].map((source) => source?.secretRef),
    ...[csi?.nodePublishSecretRef, csi?.nodeStageSecretRef, csi?.controllerPublishSecretRef, csi?.controllerExpandSecretRef],
    csi?.nodeExpandSecretRef,
    azureFile ? { name: azureFile.secretName, namespace: azureFile.secretNamespace } : undefined,
  ];
  return references.some((reference) => reference?.name === name && (reference.namespace || spec.claimRef?.namespace) === namespace);
}

/** Whether a Pod mentions a Secret or ConfigMap anywhere. */
export function references({ spec }: AnyPod, resource: 'secrets' | 'configmaps', name: string): boolean {
  const secret = resource === 'secrets';
  if (secret && spec.imagePullSecrets?.some((reference) => reference.name === name)) return true;
  const inVolumes = (spec.volumes ?? []).some((volume) => {
    const projected = volume.projected?.sources?.some((source) => (secret ? source.secret?.name : source.configMap?.name) === name);
    return projected || (secret ? secretsOf(volume).includes(name) : volume.configMap?.name === name);
  });
  if (inVolumes) return true;
  const containers = [...(spec.initContainers ?? []), ...(spec.containers ?? []), ...(spec.ephemeralContainers ?? [])];
  return containers.some(
    ({ env, envFrom }) =>
      env?.some(({ valueFrom }) => (secret ? valueFrom?.secretKeyRef?.name : valueFrom?.configMapKeyRef?.name) === name) ||
      envFrom?.some((source) => (secret ? source.secretRef?.name : source.configMapRef?.name) === name),
  );
}

function secretsOf({ secret, azureFile, cephfs, cinder, csi, flexVolume, rbd, scaleIO, iscsi, storageos }: DeepReadonly<Volume>): string[] {
  const sources = [cephfs, cinder, flexVolume, rbd, scaleIO, iscsi, storageos].map((source) => source?.secretRef?.name);
  return [secret?.secretName, azureFile?.secretName, csi?.nodePublishSecretRef?.name, ...sources].filter((name) => name !== undefined);
}
