// SPDX-License-Identifier: Apache-2.0
// Moves one StatefulSet forward. Names are fixed, so making a Pod twice is impossible and a cache that is behind does no harm.
import type { StatefulSet } from '#api/apps/v1';
import type { PersistentVolumeClaim } from '#api/core/v1';
import { persistentvolumeclaims, pods as podResource, statefulsets } from '#api/resources';
import { DONE, type Lister, type Result, requeueAfter } from '#client';
import { isAlreadyExists, isNotFound, selectorOf, semanticEqual } from '#machinery';
import { type ControllerContext, controllerReference } from '../context.ts';
import { claimPods } from '../pods/claim.ts';
import { messageOf, type PodControl } from '../pods/pod-control.ts';
import type { PodIndex } from '../pods/pod-index.ts';
import { HashCollisionError, type HistoryDeps, syncHistory, truncateHistory } from '../revisions/history.ts';
import { claimsOf, ordinalOf, podNameOf, podOf, type ReadPod, type ReadRevision, type ReadSet, revisionOf } from './identity.ts';
import { nextAvailableIn, observeStateful, planStateful, type StatefulInput } from './plan.ts';

export interface StatefulDeps extends HistoryDeps, Pick<ControllerContext, 'client' | 'clock' | 'recorder'> {
  readonly sets: Lister<StatefulSet>;
  readonly claims: Lister<PersistentVolumeClaim>;
  readonly pods: PodIndex;
  readonly control: PodControl;
}

/** @throws {ApiError} On any API failure, after the status was written. */
export async function reconcile(key: string, deps: StatefulDeps): Promise<Result> {
  const set = deps.sets.find(key);
  if (set === undefined) return DONE;
  const selector = selectorOf(set.spec.selector as Parameters<typeof selectorOf>[0]);
  const { namespace, name, generation } = set.metadata;
  const pods = await claimPods({
    owner: set,
    reference: controllerReference(set, statefulsets),
    selector,
    pods: deps.pods,
    control: deps.control,
    readOwner: () => deps.client.get(statefulsets, { namespace, name }),
  });
  const { template } = set.spec;
  const collisionCount = set.status?.collisionCount;
  let history: Awaited<ReturnType<typeof syncHistory>>;
  try {
    history = await syncHistory(deps, {
      owner: set,
      resource: statefulsets,
      template,
      labels: template.metadata?.labels ?? {},
      collisionCount,
    });
  } catch (error) {
    if (!(error instanceof HashCollisionError)) throw error;
    await deps.client.update(
      statefulsets,
      { ...set, status: { ...set.status, collisionCount: (collisionCount ?? 0) + 1 } },
      { subresource: 'status' },
    );
    return DONE;
  }
  const update = history.current;
  const current = history.all.find(({ metadata }) => metadata.name === set.status?.currentRevision) ?? update;
  const input: StatefulInput = { set, pods, current, update, now: deps.clock.now() };
  let failure: unknown;
  if (set.metadata.deletionTimestamp === undefined) {
    try {
      await act(input, deps);
    } catch (error) {
      failure = error;
    }
  }
  await writeStatus(input, generation, deps);
  const used = new Set([...pods.map(revisionOf), current.metadata.name]);
  await truncateHistory(deps, history, {
    limit: set.spec.revisionHistoryLimit ?? 10,
    inUse: (revision) => used.has(revision.metadata.name),
  });
  if (failure !== undefined) throw failure;
  const wait = nextAvailableIn(input);
  return wait === undefined ? DONE : requeueAfter(wait);
}

async function act(input: StatefulInput, deps: StatefulDeps): Promise<void> {
  const { set } = input;
  const { create, remove, condemned } = planStateful(input);
  await Promise.all(create.map(({ ordinal, revision }) => createPod(set, { ordinal, revision }, deps)));
  await Promise.all(
    remove.map(async (pod) => {
      if (condemned.includes(pod)) await handOverClaims(set, pod, deps);
      await removePod(set, pod, deps);
    }),
  );
}

async function createPod(
  set: ReadSet,
  { ordinal, revision }: { ordinal: number; revision: ReadRevision },
  deps: StatefulDeps,
): Promise<void> {
  const { client, recorder } = deps;
  const name = podNameOf(set, ordinal);
  const where = `in StatefulSet ${set.metadata.name}`;
  for (const claim of claimsOf(set, ordinal)) await createClaim(set, claim, { name, where }, deps);
  try {
    await client.create(podResource, podOf(set, revision, ordinal));
  } catch (error) {
    if (isAlreadyExists(error)) return;
    recorder.event(set, 'Warning', 'FailedCreate', `create Pod ${name} ${where} failed error: ${messageOf(error)}`);
    throw error;
  }
  recorder.event(set, 'Normal', 'SuccessfulCreate', `create Pod ${name} ${where} successful`);
}

async function createClaim(
  set: ReadSet,
  claim: ReturnType<typeof claimsOf>[number],
  { name, where }: { name: string; where: string },
  { client, claims, recorder }: StatefulDeps,
): Promise<void> {
  if (claims.find(`${set.metadata.namespace}/${claim.metadata.name}`) !== undefined) return;
  const what = `create Claim ${claim.metadata.name} Pod ${name} ${where}`;
  try {
    await client.create(persistentvolumeclaims, claim);
  } catch (error) {
    if (isAlreadyExists(error)) return;
    recorder.event(set, 'Warning', 'FailedCreate', `${what} failed error: ${messageOf(error)}`);
    throw error;
  }
  recorder.event(set, 'Normal', 'SuccessfulCreate', `${what} success`);
}

/** With `whenScaled: Delete` the claims of a Pod that is scaled away go with it. */
async function handOverClaims(set: ReadSet, pod: ReadPod, { client, claims }: StatefulDeps): Promise<void> {
  if (set.spec.persistentVolumeClaimRetentionPolicy?.whenScaled !== 'Delete') return;
  for (const { metadata } of claimsOf(set, ordinalOf(set, pod) ?? 0)) {
    const { namespace } = set.metadata;
    const claim = claims.find(`${namespace}/${metadata.name}`);
    if (claim === undefined || claim.metadata.ownerReferences?.some(({ uid }) => uid === pod.metadata.uid)) continue;
    const owner = { apiVersion: 'v1', kind: 'Pod', name: pod.metadata.name, uid: pod.metadata.uid };
    await client.patch(persistentvolumeclaims, { namespace, name: metadata.name }, 'merge', {
      metadata: { uid: claim.metadata.uid, ownerReferences: [owner] },
    });
  }
}

async function removePod(set: ReadSet, { metadata: { namespace, name, uid } }: ReadPod, { client, recorder }: StatefulDeps): Promise<void> {
  const where = `in StatefulSet ${set.metadata.name}`;
  try {
    await client.delete(podResource, { namespace, name }, { preconditions: { uid } });
  } catch (error) {
    if (isNotFound(error)) return;
    recorder.event(set, 'Warning', 'FailedDelete', `delete Pod ${name} ${where} failed error: ${messageOf(error)}`);
    throw error;
  }
  recorder.event(set, 'Normal', 'SuccessfulDelete', `delete Pod ${name} ${where} successful`);
}

async function writeStatus(input: StatefulInput, generation: number | undefined, { client }: StatefulDeps): Promise<void> {
  const { set } = input;
  const { collisionCount = 0 } = set.status ?? {};
  const status = {
    ...set.status,
    ...observeStateful(input),
    collisionCount,
    ...(generation === undefined ? {} : { observedGeneration: generation }),
  };
  const [before, after] = [(set.status ?? {}) as Readonly<Record<string, unknown>>, status as Readonly<Record<string, unknown>>];
  if (Object.keys(after).every((name) => semanticEqual(before[name] ?? 0, after[name] ?? 0))) return;
  try {
    await client.update(statefulsets, { ...set, status }, { subresource: 'status' });
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}
