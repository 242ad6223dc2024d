// SPDX-License-Identifier: Apache-2.0
// Moves one ReplicaSet (or ReplicationController) toward `spec.replicas`: claim Pods, create or delete what differs, write the status.
// Level-based: safe to repeat. A pass acts only when the cache has shown everything the last one did.
import type { Pod } from '#api/core/v1';
import { DONE, type Lister, type Result, requeueAfter } from '#client';
import { formatTime } from '#component';
import { type DeepReadonly, isConflict, isNotFound, keyOf, semanticEqual } from '#machinery';
import { type ControllerContext, controllerReference } from '../context.ts';
import { claimPods } from '../pods/claim.ts';
import { isActive } from '../pods/conditions.ts';
import type { Expectations } from '../pods/expectations.ts';
import { isNamespaceTerminating, messageOf, type PodControl, podFromTemplate, slowStart } from '../pods/pod-control.ts';
import type { PodIndex } from '../pods/pod-index.ts';
import type { ReplicaCondition, ReplicaKind, ReplicaOwner } from './kinds.ts';
import { type ObservedReplicas, observeReplicas, planReplicas } from './plan.ts';

export interface ReplicaDeps extends Pick<ControllerContext, 'client' | 'clock'> {
  readonly kind: ReplicaKind;
  readonly owners: Lister<ReplicaOwner>;
  readonly pods: PodIndex;
  readonly control: PodControl;
  readonly expectations: Expectations;
  /** Active Pods of the sets that share this one's owner. */
  readonly related: (owner: DeepReadonly<ReplicaOwner>) => readonly DeepReadonly<Pod>[];
}

type ReadOwner = DeepReadonly<ReplicaOwner>;

/** @throws {ApiError} On any API failure, after the status was written. */
export async function reconcile(key: string, deps: ReplicaDeps): Promise<Result> {
  const { owners, expectations, clock } = deps;
  const owner = owners.find(key);
  if (owner === undefined) {
    expectations.forget(key);
    return DONE; // The garbage collector removes its Pods.
  }
  const mayAct = expectations.satisfied(key);
  const claimed = await claim(owner, deps);
  const active = claimed.filter(isActive);
  const failure = mayAct && owner.metadata.deletionTimestamp === undefined ? await manage(key, owner, active, deps) : undefined;
  const observed = observeReplicas(claimed, owner.spec.template?.metadata?.labels ?? {}, owner.spec.minReadySeconds ?? 0, clock.now());
  const conditions = failureConditions(
    owner.status?.conditions ?? [],
    failure,
    (owner.spec.replicas ?? 0) - active.length,
    formatTime(clock.now()),
  );
  await writeStatus(owner, observed, conditions, deps);
  if (failure !== undefined && !isNamespaceTerminating(failure)) throw failure;
  return observed.nextAvailableInMs === undefined ? DONE : requeueAfter(observed.nextAvailableInMs);
}

function claim(owner: ReadOwner, { kind, pods, control, client }: ReplicaDeps): Promise<readonly DeepReadonly<Pod>[]> {
  const { namespace, name } = owner.metadata;
  return claimPods({
    owner,
    reference: controllerReference(owner, kind.resource),
    selector: kind.selectorOf(owner),
    pods,
    control,
    readOwner: () => client.get(kind.resource, { namespace, name }),
  });
}

/** @returns The first failure, if there was one. */
async function manage(key: string, owner: ReadOwner, active: readonly DeepReadonly<Pod>[], deps: ReplicaDeps): Promise<unknown> {
  const plan = planReplicas({ replicas: owner.spec.replicas ?? 1, active, related: deps.related(owner), now: deps.clock.now() });
  switch (plan.action) {
    case 'none':
      return undefined;
    case 'create':
      return await createPods(key, owner, plan.count, deps);
    case 'delete':
      return await deletePods(key, owner, plan.pods, deps);
  }
}

async function createPods(key: string, owner: ReadOwner, count: number, { kind, control, expectations }: ReplicaDeps): Promise<unknown> {
  const { template } = owner.spec;
  if (template === undefined) return undefined;
  const draft = podFromTemplate(owner, controllerReference(owner, kind.resource), template);
  expectations.expectCreations(key, count);
  const { done, error } = await slowStart(count, () => control.create(owner, draft));
  // What was not created will never be seen.
  expectations.created(key, count - done);
  return error;
}

async function deletePods(
  key: string,
  owner: ReadOwner,
  doomed: readonly DeepReadonly<Pod>[],
  { control, expectations }: ReplicaDeps,
): Promise<unknown> {
  expectations.expectDeletions(
    key,
    doomed.map(({ metadata }) => keyOf(metadata)),
  );
  const results = await Promise.allSettled(
    doomed.map(async (pod) => {
      try {
        await control.delete(owner, pod);
      } catch (error) {
        expectations.deleted(key, keyOf(pod.metadata));
        throw error;
      }
    }),
  );
  return results.find((result) => result.status === 'rejected')?.reason;
}

/** @param missing How many Pods were too few (or, negative, too many) before the failure. */
function failureConditions(
  before: readonly DeepReadonly<ReplicaCondition>[],
  failure: unknown,
  missing: number,
  now: string,
): readonly DeepReadonly<ReplicaCondition>[] {
  const present = before.find(({ type }) => type === 'ReplicaFailure');
  const others = before.filter(({ type }) => type !== 'ReplicaFailure');
  if (failure === undefined) return present === undefined ? before : others;
  if (present !== undefined) return before;
  const reason = missing < 0 ? 'FailedDelete' : 'FailedCreate';
  return [...others, { type: 'ReplicaFailure', status: 'True', reason, message: messageOf(failure), lastTransitionTime: now }];
}

async function writeStatus(
  owner: ReadOwner,
  observed: ObservedReplicas,
  conditions: readonly DeepReadonly<ReplicaCondition>[],
  { kind, client }: ReplicaDeps,
): Promise<void> {
  const { nextAvailableInMs: _, terminatingReplicas, ...counts } = observed;
  const statusFor = ({ metadata: { generation } }: ReadOwner) => ({
    ...counts,
    ...(kind.countsTerminating ? { terminatingReplicas } : {}),
    ...(generation === undefined ? {} : { observedGeneration: generation }),
    ...(conditions.length === 0 ? {} : { conditions }),
  });
  const status = statusFor(owner);
  if (sameStatus(owner.status, status)) return;
  try {
    await client.update(kind.resource, { ...owner, status }, { subresource: 'status' });
  } catch (error) {
    if (isNotFound(error)) return;
    if (!isConflict(error)) throw error;
    // Somebody changed the object meanwhile; its status is only ours.
    const { namespace, name } = owner.metadata;
    const fresh = await client.get(kind.resource, { namespace, name });
    if (fresh.metadata.uid === owner.metadata.uid) await client.update(kind.resource, { ...fresh, status }, { subresource: 'status' });
  }
}

/** Counts that are zero may be absent in what the server stored. */
function sameStatus(stored: unknown, next: Readonly<Record<string, unknown>>): boolean {
  const known = (stored ?? {}) as Record<string, unknown>;
  const keys = new Set([...Object.keys(known), ...Object.keys(next)]);
  return [...keys].every((name) => semanticEqual(known[name] ?? 0, next[name] ?? 0) || semanticEqual(known[name], next[name]));
}
