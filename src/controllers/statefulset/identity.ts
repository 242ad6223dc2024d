// SPDX-License-Identifier: Apache-2.0
// The fixed identity of a StatefulSet's Pods: name, labels, host name, claims. Pure.
import type { ControllerRevision, StatefulSet } from '#api/apps/v1';
import type { PersistentVolumeClaim, Pod, PodTemplateSpec } from '#api/core/v1';
import { statefulsets } from '#api/resources';
import { type DeepReadonly, type Draft, deepCopy } from '#machinery';
import { controllerReference } from '../context.ts';
import { podFromTemplate } from '../pods/pod-control.ts';
import { REVISION_HASH } from '../revisions/history.ts';

export type ReadSet = DeepReadonly<StatefulSet>;
export type ReadPod = DeepReadonly<Pod>;
export type ReadRevision = DeepReadonly<ControllerRevision>;

const POD_NAME = 'statefulset.kubernetes.io/pod-name';
const POD_INDEX = 'apps.kubernetes.io/pod-index';

export function startOf({ spec }: ReadSet): number {
  return spec.ordinals?.start ?? 0;
}

export function podNameOf({ metadata }: ReadSet, ordinal: number): string {
  return `${metadata.name}-${ordinal}`;
}

/** Undefined where the name is not one of the set's. */
export function ordinalOf(set: ReadSet, { metadata: { name } }: ReadPod): number | undefined {
  const prefix = `${set.metadata.name}-`;
  const text = name.startsWith(prefix) ? name.slice(prefix.length) : '';
  return /^(0|[1-9]\d*)$/.test(text) ? Number(text) : undefined;
}

export function revisionOf({ metadata }: ReadPod): string {
  return metadata.labels?.[REVISION_HASH] ?? '';
}

/** The template that a revision keeps. */
export function templateOf(revision: ReadRevision, set: ReadSet): DeepReadonly<PodTemplateSpec> {
  const kept = (revision.data as { spec?: { template?: Record<string, unknown> } } | undefined)?.spec?.template;
  if (kept === undefined) return set.spec.template;
  const { $patch: _, ...template } = kept;
  return template as unknown as DeepReadonly<PodTemplateSpec>;
}

/** The Pod of an ordinal at a revision. */
export function podOf(set: ReadSet, revision: ReadRevision, ordinal: number): Draft<Pod> {
  const template = templateOf(revision, set);
  const { generateName: _, ...metadata } = podFromTemplate(set, controllerReference(set, statefulsets), template).metadata ?? {};
  const name = podNameOf(set, ordinal);
  const spec = deepCopy(template.spec);
  const claimed = new Set((set.spec.volumeClaimTemplates ?? []).map((claim) => claim.metadata.name));
  const volumes = [
    ...(spec.volumes ?? []).filter((volume) => !claimed.has(volume.name)),
    ...[...claimed].map((claim) => ({ name: claim, persistentVolumeClaim: { claimName: `${claim}-${name}` } })),
  ];
  return {
    metadata: {
      ...metadata,
      name,
      labels: { ...metadata.labels, [POD_NAME]: name, [POD_INDEX]: String(ordinal), [REVISION_HASH]: revision.metadata.name },
    },
    spec: { ...spec, hostname: name, subdomain: set.spec.serviceName, ...(volumes.length === 0 ? {} : { volumes }) },
  };
}

/** The claims of an ordinal. */
export function claimsOf(set: ReadSet, ordinal: number): (Draft<PersistentVolumeClaim> & { metadata: { name: string } })[] {
  const name = podNameOf(set, ordinal);
  const isOwned = set.spec.persistentVolumeClaimRetentionPolicy?.whenDeleted === 'Delete';
  return (set.spec.volumeClaimTemplates ?? []).map(({ metadata, spec }) => ({
    metadata: {
      namespace: set.metadata.namespace,
      name: `${metadata.name}-${name}`,
      labels: { ...metadata.labels, ...set.spec.selector?.matchLabels },
      ...(metadata.annotations === undefined ? {} : { annotations: { ...metadata.annotations } }),
      ...(isOwned ? { ownerReferences: [{ ...controllerReference(set, statefulsets), blockOwnerDeletion: false }] } : {}),
    },
    spec: deepCopy(spec),
  }));
}
