// SPDX-License-Identifier: Apache-2.0
// Deletion: preconditions, grace periods, finalizers and propagation policies, until nothing is left to wait for.
// @source upstream apiserver registry/generic/registry/store.go Delete and registry/rest/delete.go BeforeDelete
import { type Clock, formatTime } from '#component';
import { conflict, type DeepReadonly, deepCopy, notFound } from '#machinery';
import { CachedObject } from '../../cacher/cached-object.ts';
import type { MutableObject, Strategy } from '../strategy.ts';
import type { GenericStore } from './generic-store.ts';

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
  /** Validating admission with the object to be deleted. */
  readonly admit: (object: DeepReadonly<MutableObject>) => Promise<void> | void;
}

/** Deletes one object, or marks it. Repeats after a lost race. @throws {ApiError} 404, 409, admission's. */
export async function deleteObject(deletion: Deletion, namespace: string, name: string): Promise<DeletionOutcome> {
  const { store, request } = deletion;
  for (;;) {
    const current = await store.lookup(namespace, name);
    if (current === undefined) throw notFound(store.strategy.resource, name);
    checkPreconditions(store.strategy, current.object.metadata, request.preconditions);
    await deletion.admit(current.object);
    const outcome = await tryDelete(deletion, current);
    if (outcome !== undefined) return outcome;
    await store.cacher.fresh();
  }
}

async function tryDelete({ store, clock, request }: Deletion, current: CachedObject): Promise<DeletionOutcome | undefined> {
  const { strategy } = store;
  const refusal = strategy.refuseDelete?.(current.object);
  if (refusal !== undefined) throw refusal;
  const next = deepCopy(current.object as MutableObject);
  if (store.traits.markForDeletion?.(next, clock.now()) === true) return mark(store, current, next, request.dryRun);
  const mayGo = store.traits.startDeletion?.(next, clock.now()) ?? true;
  const grace = planGrace(strategy, next, request.gracePeriodSeconds, clock.now());
  if (grace === 'pending') return { cached: current, gone: false };
  planFinalizers(next, request);
  const waits = (next.metadata.finalizers?.length ?? 0) > 0;
  if (waits && grace !== 'graceful') markAsDeleting(next, clock.now());
  const remains = waits || !mayGo || (grace === 'graceful' && (next.metadata.deletionGracePeriodSeconds ?? 0) > 0);
  if (!remains) return remove(store, current, next, request.dryRun);
  return mark(store, current, next, request.dryRun);
}

async function remove(
  store: GenericStore,
  current: CachedObject,
  next: MutableObject,
  dryRun: boolean,
): Promise<DeletionOutcome | undefined> {
  const last = new CachedObject(current.key, current.revision, next);
  if (dryRun) return { cached: last, gone: true };
  return (await store.remove(current)) ? { cached: last, gone: true } : undefined;
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
  { resource }: Strategy,
  { name, uid, resourceVersion }: DeepReadonly<MutableObject['metadata']>,
  preconditions: DeletionRequest['preconditions'],
): void {
  const of = { group: resource.group, resource: resource.kind };
  if (preconditions?.uid !== undefined && preconditions.uid !== uid) {
    const why = `the UID in the precondition (${preconditions.uid}) does not match the UID in record (${uid}). The object might have been deleted and then recreated`;
    throw conflict(of, name, why);
  }
  if (preconditions?.resourceVersion !== undefined && preconditions.resourceVersion !== resourceVersion) {
    const why = `the ResourceVersion in the precondition (${preconditions.resourceVersion}) does not match the ResourceVersion in record (${resourceVersion}). The object might have been modified`;
    throw conflict(of, name, why);
  }
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

/** Adds or takes away the garbage collector's finalizers as the propagation policy says. @returns Whether they changed. */
function planFinalizers({ metadata }: MutableObject, { propagationPolicy, orphanDependents }: DeletionRequest): boolean {
  const present = metadata.finalizers ?? [];
  const wanted = new Set(present);
  const policy = propagationPolicy ?? (orphanDependents === undefined ? undefined : orphanDependents ? 'Orphan' : 'Background');
  if (policy === undefined) return false; // What was decided before stays; nothing is orphaned by default.
  wanted.delete(ORPHAN);
  wanted.delete(FOREGROUND);
  if (policy === 'Orphan') wanted.add(ORPHAN);
  if (policy === 'Foreground') wanted.add(FOREGROUND);
  if (wanted.size === present.length && present.every((name) => wanted.has(name))) return false;
  if (wanted.size === 0) delete metadata.finalizers;
  else metadata.finalizers = [...wanted];
  return true;
}

function markAsDeleting({ metadata }: MutableObject, now: number): void {
  const generation = metadata.generation ?? 0;
  if (metadata.deletionGracePeriodSeconds === undefined && generation > 0) metadata.generation = generation + 1;
  metadata.deletionTimestamp ??= formatTime(now);
  metadata.deletionGracePeriodSeconds = 0;
}
