// SPDX-License-Identifier: Apache-2.0
// The few ways in which storing and deleting differ between resources.
// @source upstream pkg/registry/*/storage: ReturnDeletedObject, TTLFunc, namespace's own Delete
import { formatTime } from '#component';
import type { Resource } from '#machinery';
import type { MutableObject } from '../strategy.ts';
import type { DeletionRequest } from './deletion.ts';

export interface StorageTraits {
  /** DELETE answers with the deleted object instead of a Status. */
  readonly returnsDeleted: boolean;
  /** Objects disappear after this many seconds. */
  readonly ttlSeconds?: number;
  /** What becomes of what it owns where a delete does not say. @default that the garbage collector deletes it */
  readonly dependents?: 'orphaned' | 'none';
  /** Prefix of another resource, whose object of the same name goes with one of this. */
  readonly companion?: string;
  /** What a delete that does not say is warned of. */
  readonly unsaidPolicyWarning?: string;
  /**
   * Rules of its own for a delete, which also tell of failed preconditions in their own words. Changes `object`.
   * @returns `marked`: it is going now. `waits`: it was, and has to stay. `usual`: the usual rules go on.
   */
  readonly markForDeletion?: (object: MutableObject, request: DeletionRequest, now: number) => 'marked' | 'waits' | 'usual';
}

const RETURNED = new Set([
  '/namespaces',
  '/persistentvolumeclaims',
  '/persistentvolumes',
  '/pods',
  '/podtemplates',
  '/resourcequotas',
  '/serviceaccounts',
  '/services',
  'resource.k8s.io/deviceclasses',
  'resource.k8s.io/resourceclaims',
  'resource.k8s.io/resourceclaimtemplates',
  'resource.k8s.io/resourceslices',
  'storage.k8s.io/csidrivers',
  'storage.k8s.io/csinodes',
  'storage.k8s.io/csistoragecapacities',
  'storage.k8s.io/storageclasses',
  'storage.k8s.io/volumeattachments',
  'storage.k8s.io/volumeattributesclasses',
]);
/** @source upstream --event-ttl: 1 h */
const EVENT_TTL_SECONDS = 3600;

/** @source upstream pkg/registry/batch/job/storage deleteOptionWarnings */
const JOB_WARNING =
  'child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set propagationPolicy=Orphan to suppress this warning';

/** @source upstream strategies' DefaultGarbageCollectionPolicy (of old, two kinds orphan what they own), storages' Delete and AfterDelete */
const SPECIAL: Readonly<Record<string, Omit<StorageTraits, 'returnsDeleted'>>> = {
  '/events': { ttlSeconds: EVENT_TTL_SECONDS, dependents: 'none' },
  'events.k8s.io/events': { ttlSeconds: EVENT_TTL_SECONDS, dependents: 'none' },
  '/namespaces': { markForDeletion: markNamespace },
  // Else the next Service of the name would begin with the old one's endpoints.
  '/services': { companion: 'services/endpoints/' },
  '/replicationcontrollers': { dependents: 'orphaned' },
  'batch/jobs': { dependents: 'orphaned', unsaidPolicyWarning: JOB_WARNING },
  'apiextensions.k8s.io/customresourcedefinitions': { markForDeletion: markDefinition },
};

export function storageTraitsOf({ group, resource }: Resource): StorageTraits {
  const key = `${group}/${resource}`;
  return { returnsDeleted: RETURNED.has(key), ...SPECIAL[key] };
}

const CLEANUP = 'customresourcecleanup.apiextensions.k8s.io';

/**
 * A definition stays until its instances are deleted.
 * @source upstream apiextensions-apiserver pkg/registry/customresourcedefinition/etcd.go Delete
 */
function markDefinition(object: MutableObject, _request: DeletionRequest, now: number): 'marked' | 'usual' {
  const { metadata } = object;
  if (metadata.deletionTimestamp !== undefined) return 'usual';
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
  return 'marked';
}

const ORPHAN = 'orphan';
const FOREGROUND = 'foregroundDeletion';

/**
 * A namespace turns Terminating at once, and stays until the namespace controller has emptied it.
 * @source upstream pkg/registry/core/namespace/storage Delete
 */
function markNamespace(object: MutableObject, request: DeletionRequest, now: number): 'marked' | 'waits' | 'usual' {
  const { metadata } = object;
  if (metadata.deletionTimestamp !== undefined) {
    const { finalizers = [] } = (object['spec'] ?? {}) as { finalizers?: readonly string[] };
    return finalizers.length > 0 ? 'waits' : 'usual';
  }
  metadata.deletionTimestamp = formatTime(now);
  object['status'] = { ...(object['status'] as object | undefined), phase: 'Terminating' };
  const present = metadata.finalizers ?? [];
  const wanted = namespaceFinalizers(present, request);
  if (wanted.length === 0) delete metadata.finalizers;
  else metadata.finalizers = wanted;
  return 'marked';
}

/** Here, not to orphan means to wait for what is owned. */
function namespaceFinalizers(present: readonly string[], { orphanDependents, propagationPolicy: policy }: DeletionRequest): string[] {
  const asked = orphanDependents === undefined ? policy : orphanDependents ? 'Orphan' : 'Foreground';
  if (asked === undefined) return [...present];
  const chosen = asked === 'Orphan' ? [ORPHAN] : asked === 'Foreground' ? [FOREGROUND] : [];
  const others = present.filter((name) => name !== ORPHAN && name !== FOREGROUND);
  return [...others, ...chosen];
}
