// SPDX-License-Identifier: Apache-2.0
// Deletion: preconditions, grace periods, finalizers and propagation policies, until nothing is left to wait for.
// @source upstream apiserver registry/generic/registry/store.go Delete and registry/rest/delete.go BeforeDelete
import { type Clock, formatTime } from '#component';
import { conflict, type DeepReadonly, deepCopy, type Resource } from '#machinery';
import { CachedObject } from '../../cacher/cached-object.ts';
import type { MutableObject, Strategy } from '../strategy.ts';
import type { GenericStore } from './generic-store.ts';
import type { StorageTraits } from './storage-traits.ts';

export interface DeletionRequest {
  readonly gracePeriodSeconds?: number | undefined;
  readonly propagationPolicy?: string | undefined;
  readonly orphanDependents?: boolean | undefined;
  readonly preconditions?: { readonly uid?: string | undefined; readonly resourceVersion?: string | undefined } | undefined;
  readonly dryRun: boolean;
}

export interface DeletionOutcome {
  readonly cached: CachedObject;
  /** False: it waits for finalizers or its grace period. */
  readonly gone: boolean;
}

const ORPHAN = 'orphan';
const FOREGROUND = 'foregroundDeletion';

export interface Deletion {
  readonly store: GenericStore;
  readonly clock: Clock;
  readonly request: DeletionRequest;
  /** As it was asked for. @default as it is stored */
  readonly resource?: Resource;
  /** Validating admission with the object to be deleted. */
  readonly admit: (object: DeepReadonly<MutableObject>) => Promise<void> | void;
}

/** Deletes one object, or marks it. Repeats after a lost race. @throws {ApiError} 400, 404, 409, admission's. */
export async function deleteObject(deletion: Deletion, namespace: string, name: string): Promise<DeletionOutcome> {
  const { store, request } = deletion;
  let marked: CachedObject | undefined;
  for (;;) {
    const current = await store.lookup(namespace, name);
    if (current === undefined) {
      if (marked !== undefined) return { cached: marked, gone: true }; // Somebody else has finished what was begun here.
      throw store.missing(name, deletion.resource ?? store.strategy.resource);
    }
    const refusal = store.strategy.refuseDelete?.(current.object);
    if (refusal !== undefined) throw refusal;
    // What was meant has been marked here: its new version is the one that is meant now.
    if (marked === undefined || current.revision !== marked.revision)
      checkPreconditions(store, current.object.metadata, request.preconditions);
    const outcome = await tryDelete(deletion, current);
    if (outcome === undefined) await store.cacher.fresh();
    else if (outcome.next !== 'remove') return outcome;
    else marked = outcome.cached;
  }
}

/** `remove`: it was marked as one that is given no time, and goes in a second write, as upstream's watchers see it. */
interface Step extends DeletionOutcome {
  readonly next?: 'remove';
}

async function tryDelete({ store, clock, request, admit }: Deletion, current: CachedObject): Promise<Step | undefined> {
  const { strategy, traits } = store;
  const now = clock.now();
  const next = deepCopy(current.object as MutableObject);
  const own = traits.markForDeletion?.(next, request, now) ?? 'usual';
  if (own === 'waits') return { cached: current, gone: false };
  const grace = own === 'marked' ? 'immediate' : planGrace(strategy, next, request.gracePeriodSeconds, now);
  if (grace === 'pending') return { cached: current, gone: false };
  await admit(current.object);
  if (own === 'marked') return mark(store, current, next, request.dryRun);
  planFinalizers(next, request, traits.dependents);
  const waits = (next.metadata.finalizers?.length ?? 0) > 0;
  if (waits && grace !== 'graceful') markAsDeleting(next, now);
  if (waits || (grace === 'graceful' && (next.metadata.deletionGracePeriodSeconds ?? 0) > 0))
    return mark(store, current, next, request.dryRun);
  if (grace === 'immediate' || request.dryRun) return remove(store, current, next, request.dryRun);
  const marked = await mark(store, current, next, false);
  return marked === undefined ? undefined : { ...marked, next: 'remove' };
}

async function remove(
  store: GenericStore,
  current: CachedObject,
  next: MutableObject,
  dryRun: boolean,
): Promise<DeletionOutcome | undefined> {
  if (dryRun) return { cached: new CachedObject(current.key, current.revision, next), gone: true };
  const revision = await store.remove(current);
  if (revision === undefined) return undefined;
  next.metadata.resourceVersion = String(revision);
  return { cached: new CachedObject(current.key, revision, next), gone: true };
}

async function mark(
  store: GenericStore,
  current: CachedObject,
  next: MutableObject,
  dryRun: boolean,
): Promise<DeletionOutcome | undefined> {
  if (JSON.stringify(next) === JSON.stringify(current.object)) return { cached: current, gone: false };
  if (dryRun) return { cached: new CachedObject(current.key, current.revision, next), gone: false };
  const written = await store.replace(current, next);
  return written === undefined ? undefined : { cached: written, gone: false };
}

/** @throws {ApiError} 409 where an object is not the one, or not in the state, that is meant. */
export function checkPreconditions(
  { strategy: { resource }, traits }: Pick<GenericStore, 'strategy' | 'traits'>,
  { name, uid, resourceVersion }: DeepReadonly<MutableObject['metadata']>,
  preconditions: DeletionRequest['preconditions'],
): void {
  const refuse = (what: string, asked: string, found: string, since: string): never => {
    if (traits.markForDeletion !== undefined)
      throw conflict(resource, name, `Precondition failed: ${what} in precondition: ${asked}, ${what} in object meta: ${found}`);
    const why = `the ${what} in the precondition (${asked}) does not match the ${what} in record (${found}). ${since}`;
    throw conflict({ group: resource.group, resource: resource.kind }, name, why);
  };
  const { uid: wantedUid, resourceVersion: wantedVersion } = preconditions ?? {};
  if (wantedUid !== undefined && wantedUid !== uid) refuse('UID', wantedUid, uid, 'The object might have been deleted and then recreated');
  if (wantedVersion !== undefined && wantedVersion !== resourceVersion)
    refuse('ResourceVersion', wantedVersion, resourceVersion ?? '', 'The object might have been modified');
}

/** Sets deletionTimestamp and grace for kinds that go gracefully. `pending`: it is on its way already, nothing changes. */
function planGrace(strategy: Strategy, next: MutableObject, given: number | undefined, now: number): 'immediate' | 'graceful' | 'pending' {
  const { metadata } = next;
  const asked = given !== undefined && given < 0 ? 1 : given;
  if (strategy.gracefulDeletion === undefined) return 'immediate';
  if (metadata.deletionTimestamp !== undefined) {
    const present = metadata.deletionGracePeriodSeconds;
    if (present === undefined || present === 0) return 'immediate';
    if (asked === undefined || asked >= present) return 'pending';
    const shortened = Date.parse(metadata.deletionTimestamp) - (present - asked) * 1000;
    metadata.deletionTimestamp = formatTime(shortened);
    metadata.deletionGracePeriodSeconds = asked;
    return 'graceful';
  }
  const { graceful, gracePeriodSeconds } = strategy.gracefulDeletion(next, asked);
  if (!graceful) return 'immediate';
  metadata.deletionTimestamp = formatTime(now + gracePeriodSeconds * 1000);
  metadata.deletionGracePeriodSeconds = gracePeriodSeconds;
  if ((metadata.generation ?? 0) > 0) metadata.generation = (metadata.generation ?? 0) + 1;
  return 'graceful';
}

/** Adds or takes away the garbage collector's finalizers, by what is asked, what was before, and what is usual for the kind. */
function planFinalizers({ metadata }: MutableObject, request: DeletionRequest, usual: StorageTraits['dependents']): void {
  const present = metadata.finalizers ?? [];
  const chosen = chosenFinalizer(present, request, usual);
  const wanted = present.filter((name) => name !== ORPHAN && name !== FOREGROUND);
  if (chosen !== undefined) wanted.push(chosen);
  if (wanted.length === present.length && wanted.every((name) => present.includes(name))) return;
  if (wanted.length === 0) delete metadata.finalizers;
  else metadata.finalizers = wanted;
}

/** @source upstream store.go shouldOrphanDependents, shouldDeleteDependents */
function chosenFinalizer(
  present: readonly string[],
  { propagationPolicy: policy, orphanDependents }: DeletionRequest,
  usual: StorageTraits['dependents'],
): string | undefined {
  if (usual === 'none') return undefined;
  if (orphanDependents !== undefined) return orphanDependents ? ORPHAN : undefined;
  if (policy !== undefined) return policy === 'Orphan' ? ORPHAN : policy === 'Foreground' ? FOREGROUND : undefined;
  return present.find((name) => name === ORPHAN || name === FOREGROUND) ?? (usual === 'orphaned' ? ORPHAN : undefined);
}

function markAsDeleting({ metadata }: MutableObject, now: number): void {
  const { deletionTimestamp: since, generation = 0 } = metadata;
  if (since === undefined && generation > 0) metadata.generation = generation + 1;
  if (since === undefined || Date.parse(since) > now) metadata.deletionTimestamp = formatTime(now);
  metadata.deletionGracePeriodSeconds = 0;
}
