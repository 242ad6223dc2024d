// SPDX-License-Identifier: Apache-2.0
// What upstream's registry strategies do to objects before they are stored, as far as controllers can notice: status is dropped on
// create and kept apart from the rest on update, generations count changes of the spec, Pods and Namespaces have phases.
// No defaulting, validation or admission: tests give whole objects.
import { deepEqual, type KubeObject, type Resource } from '#machinery';

/** An object while it is being made. */
export interface LooseObject extends KubeObject {
  spec?: Record<string, unknown>;
  status?: Record<string, unknown>;
  [field: string]: unknown;
}

/** Kinds with a spec (or data) whose strategies keep no generation. */
const NO_GENERATION = new Set([
  'bindings',
  'certificatesigningrequests.certificates.k8s.io',
  'clusterrolebindings.rbac.authorization.k8s.io',
  'clusterroles.rbac.authorization.k8s.io',
  'configmaps',
  'controllerrevisions.apps',
  'csidrivers.storage.k8s.io',
  'csinodes.storage.k8s.io',
  'endpoints',
  'events',
  'events.events.k8s.io',
  'horizontalpodautoscalers.autoscaling',
  'leases.coordination.k8s.io',
  'limitranges',
  'namespaces',
  'nodes',
  'persistentvolumeclaims',
  'persistentvolumes',
  'resourceclaims.resource.k8s.io',
  'resourcequotas',
  'rolebindings.rbac.authorization.k8s.io',
  'roles.rbac.authorization.k8s.io',
  'runtimeclasses.node.k8s.io',
  'secrets',
  'serviceaccounts',
  'services',
  'storageclasses.storage.k8s.io',
  'volumeattachments.storage.k8s.io',
]);
/** Kinds that are created with the status they come with. */
const KEEPS_STATUS_ON_CREATE = new Set(['nodes']);

function qualified({ group, resource }: Resource): string {
  return group === '' ? resource : `${resource}.${group}`;
}

export function hasStatus(resource: Resource): boolean {
  return resource.subresources.some(({ name }) => name === 'status');
}

/** Changes a new object in place. */
export function prepareCreate(resource: Resource, object: LooseObject): void {
  const name = qualified(resource);
  if (!NO_GENERATION.has(name)) object.metadata.generation = 1;
  if (hasStatus(resource) && !KEEPS_STATUS_ON_CREATE.has(name)) delete object.status;
  if (name === 'pods') object.status = { phase: 'Pending' };
  if (name === 'persistentvolumeclaims' || name === 'persistentvolumes') object.status = { phase: 'Pending' };
  if (name === 'namespaces') {
    object.status = { phase: 'Active' };
    object.spec = { ...object.spec, finalizers: ['kubernetes'] };
    object.metadata.labels = { ...object.metadata.labels, 'kubernetes.io/metadata.name': object.metadata.name };
  }
}

/** What is stored when `next` is written over `old`; changes `next`. */
export function prepareUpdate(resource: Resource, subresource: string | undefined, old: LooseObject, next: LooseObject): LooseObject {
  keepSystemFields(old, next);
  if (subresource === 'status' || subresource === 'approval') {
    const merged: LooseObject = { ...old, metadata: statusMetadata(old, next) };
    if (next.status === undefined) delete merged.status;
    else merged.status = next.status;
    return merged;
  }
  if (subresource === 'finalize') {
    const finalizers = (next.spec as { finalizers?: unknown } | undefined)?.finalizers;
    return { ...old, spec: { ...old.spec, finalizers } };
  }
  if (subresource === 'resize' || subresource === 'ephemeralcontainers')
    return bumpGeneration(resource, old, { ...old, spec: next.spec ?? {} });
  if (hasStatus(resource)) {
    if (old.status === undefined) delete next.status;
    else next.status = old.status;
  }
  if (qualified(resource) === 'namespaces') next.spec = { ...next.spec, finalizers: old.spec?.['finalizers'] };
  return bumpGeneration(resource, old, next);
}

function keepSystemFields(old: LooseObject, next: LooseObject): void {
  const kept = ['uid', 'creationTimestamp', 'deletionTimestamp', 'deletionGracePeriodSeconds', 'generation', 'generateName'] as const;
  const from = old.metadata as unknown as Record<string, unknown>;
  const to = next.metadata as unknown as Record<string, unknown>;
  for (const field of kept) {
    if (from[field] === undefined) delete to[field];
    else to[field] = from[field];
  }
}

/** A status write may change labels, annotations and finalizers, not owners. */
function statusMetadata(old: LooseObject, next: LooseObject): LooseObject['metadata'] {
  const { ownerReferences: _, ...metadata } = next.metadata;
  return old.metadata.ownerReferences === undefined ? metadata : { ...metadata, ownerReferences: old.metadata.ownerReferences };
}

function bumpGeneration(resource: Resource, old: LooseObject, next: LooseObject): LooseObject {
  if (NO_GENERATION.has(qualified(resource)) || sameButMetadataAndStatus(old, next)) return next;
  return { ...next, metadata: { ...next.metadata, generation: (old.metadata.generation ?? 0) + 1 } };
}

function sameButMetadataAndStatus(old: LooseObject, next: LooseObject): boolean {
  const { metadata: _a, status: _b, ...left } = old;
  const { metadata: _c, status: _d, ...right } = next;
  return deepEqual(left, right);
}

/** The grace period a Pod's deletion gets, in seconds; others have none. */
export function graceOf(resource: Resource, object: LooseObject, asked: number | undefined): number {
  if (qualified(resource) !== 'pods') return 0;
  const { nodeName, terminationGracePeriodSeconds } = (object.spec ?? {}) as { nodeName?: string; terminationGracePeriodSeconds?: number };
  const phase = object.status?.['phase'];
  if (!nodeName || phase === 'Succeeded' || phase === 'Failed') return 0;
  const grace = asked ?? terminationGracePeriodSeconds ?? 30;
  return grace < 0 ? 1 : grace;
}
