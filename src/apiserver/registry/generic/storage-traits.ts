// SPDX-License-Identifier: Apache-2.0
// The few ways in which storing and deleting differ between resources.
// @source upstream pkg/registry/*/storage: ReturnDeletedObject, TTLFunc, namespace's own Delete
import { formatTime } from '#component';
import type { Resource } from '#machinery';
import type { MutableObject } from '../strategy.ts';

export interface StorageTraits {
  /** DELETE answers with the deleted object instead of a Status. */
  readonly returnsDeleted: boolean;
  /** Objects disappear after this many seconds. */
  readonly ttlSeconds?: number;
  /** Marks `object` as going. @returns False while it has to stay, for finalizers in its spec. */
  readonly startDeletion?: (object: MutableObject, now: number) => boolean;
  /** Marks `object` as going, by rules of its own. @returns False where it is marked already, and the usual rules go on. */
  readonly markForDeletion?: (object: MutableObject, now: number) => boolean;
}

const RETURNED = new Set([
  '/persistentvolumeclaims',
  '/persistentvolumes',
  '/pods',
  '/podtemplates',
  '/resourcequotas',
  '/serviceaccounts',
  '/services',
  'storage.k8s.io/csidrivers',
  'storage.k8s.io/csinodes',
  'storage.k8s.io/csistoragecapacities',
  'storage.k8s.io/storageclasses',
  'storage.k8s.io/volumeattachments',
  'storage.k8s.io/volumeattributesclasses',
]);
/** @source upstream --event-ttl: 1 h */
const EVENT_TTL_SECONDS = 3600;

export function storageTraitsOf({ group, resource }: Resource): StorageTraits {
  const returnsDeleted = RETURNED.has(`${group}/${resource}`);
  if (resource === 'events') return { returnsDeleted, ttlSeconds: EVENT_TTL_SECONDS };
  if (group === '' && resource === 'namespaces') return { returnsDeleted, startDeletion: startNamespaceDeletion };
  if (group === 'apiextensions.k8s.io') return { returnsDeleted, markForDeletion: markDefinition };
  return { returnsDeleted };
}

const CLEANUP = 'customresourcecleanup.apiextensions.k8s.io';

/**
 * A definition stays until its instances are deleted.
 * @source upstream apiextensions-apiserver pkg/registry/customresourcedefinition/etcd.go Delete
 */
function markDefinition(object: MutableObject, now: number): boolean {
  const { metadata } = object;
  if (metadata.deletionTimestamp !== undefined) return false;
  metadata.deletionTimestamp = formatTime(now);
  if (!metadata.finalizers?.includes(CLEANUP)) metadata.finalizers = [...(metadata.finalizers ?? []), CLEANUP];
  const status = (object['status'] ?? {}) as { conditions?: { type: string }[] | null };
  const terminating = {
    type: 'Terminating',
    status: 'True',
    lastTransitionTime: formatTime(now),
    reason: 'InstanceDeletionPending',
    message: 'CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon',
  };
  const others = (status.conditions ?? []).filter(({ type }) => type !== 'Terminating');
  object['status'] = { ...status, conditions: [...others, terminating] };
  return true;
}

/** A namespace turns Terminating at once and stays until the namespace controller has emptied it. */
function startNamespaceDeletion(object: MutableObject, now: number): boolean {
  const namespace = object as MutableObject & { spec?: { finalizers?: readonly string[] }; status: { phase?: string } };
  if ((namespace.spec?.finalizers?.length ?? 0) === 0) return true;
  namespace.metadata.deletionTimestamp ??= formatTime(now);
  namespace.status = { ...namespace.status, phase: 'Terminating' };
  return false;
}
