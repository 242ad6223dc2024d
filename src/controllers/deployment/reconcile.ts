// SPDX-License-Identifier: Apache-2.0
// Moves one Deployment forward: pause and resume, scaling, Recreate or RollingUpdate, status. Each pass does the next step only;
// the change it makes to a ReplicaSet brings the next pass.
import type { Deployment } from '#api/apps/v1';
import type { Pod } from '#api/core/v1';
import { deployments } from '#api/resources';
import { DONE, type Lister, type Result, requeueAfter } from '#client';
import { type DeepReadonly, selectorOf, semanticEqual } from '#machinery';
import { DESIRED_REPLICAS, readNumber } from './annotations.ts';
import {
  calculateStatus,
  deadlineIn,
  findCondition,
  hasDeadline,
  isComplete,
  makeCondition,
  type ReadStatus,
  rolloutConditions,
  TIMED_OUT,
  withCondition,
} from './conditions.ts';
import {
  byCreation,
  isRolling,
  newSetReplicas,
  planProportional,
  planScaleDown,
  type ReadDeployment,
  type ReadSet,
  replicasOf,
} from './counts.ts';
import { allSets, claimSets, type DeploymentDeps, type Rollout, removeOldSets, scaleSet, splitSets, syncNewSet } from './sets.ts';

export interface ReconcileDeps extends DeploymentDeps {
  readonly deployments: Lister<Deployment>;
  /** All Pods of a ReplicaSet, ended and going ones too. */
  readonly podsOf: (set: ReadSet) => readonly DeepReadonly<Pod>[];
}

/** @throws {ApiError} On any API failure. */
export async function reconcile(key: string, deps: ReconcileDeps): Promise<Result> {
  const deployment = deps.deployments.find(key);
  if (deployment === undefined) return DONE;
  if (selectorOf(deployment.spec.selector as Parameters<typeof selectorOf>[0]).isEmpty) return await refuseEmptySelector(deployment, deps);
  const rollout = splitSets(deployment, await claimSets(deployment, deps));
  if (deployment.metadata.deletionTimestamp !== undefined) {
    await writeStatus(rollout, currentStatus(rollout, deps), deps);
    return DONE;
  }
  await notePause(rollout, deps);
  if (deployment.spec.paused === true || isScaled(rollout)) return await syncScale(rollout, deps);
  return isRolling(deployment) ? await rollingUpdate(rollout, deps) : await recreate(rollout, deps);
}

async function refuseEmptySelector(deployment: ReadDeployment, { client, recorder }: DeploymentDeps): Promise<Result> {
  recorder.event(deployment, 'Warning', 'SelectingAll', 'This deployment is selecting all pods. A non-empty selector is required.');
  const { generation } = deployment.metadata;
  if (generation !== undefined && (deployment.status?.observedGeneration ?? 0) < generation) {
    await client.update(
      deployments,
      { ...deployment, status: { ...deployment.status, observedGeneration: generation } },
      { subresource: 'status' },
    );
  }
  return DONE;
}

/** A pause stops the clock of the deadline, resuming starts it anew. */
async function notePause(rollout: Rollout, { client, clock }: DeploymentDeps): Promise<void> {
  const { deployment } = rollout;
  if (!hasDeadline(deployment)) return;
  const current = findCondition(deployment.status?.conditions, 'Progressing');
  if (current?.reason === TIMED_OUT) return;
  const isPaused = deployment.spec.paused === true;
  const wasPaused = current?.reason === 'DeploymentPaused';
  if (isPaused === wasPaused) return;
  const text = isPaused
    ? { reason: 'DeploymentPaused', message: 'Deployment is paused' }
    : { reason: 'DeploymentResumed', message: 'Deployment is resumed' };
  const conditions = withCondition(deployment.status?.conditions ?? [], makeCondition('Progressing', 'Unknown', text, clock.now()));
  rollout.deployment = await client.update(
    deployments,
    { ...deployment, status: { ...deployment.status, conditions } },
    { subresource: 'status' },
  );
}

/** Whether `spec.replicas` changed since the sets were last scaled. */
function isScaled(rollout: Rollout): boolean {
  const active = allSets(rollout).filter((set) => replicasOf(set) > 0);
  return active.some(
    (set) =>
      set.metadata.annotations?.[DESIRED_REPLICAS] !== undefined && readNumber(set, DESIRED_REPLICAS) !== replicasOf(rollout.deployment),
  );
}

async function syncScale(rollout: Rollout, deps: DeploymentDeps): Promise<Result> {
  await syncNewSet(rollout, deps, { create: false });
  await scale(rollout, deps);
  if (rollout.deployment.spec.paused === true) await removeOldSets(rollout, deps);
  await writeStatus(rollout, currentStatus(rollout, deps), deps);
  return DONE;
}

async function scale(rollout: Rollout, deps: DeploymentDeps): Promise<void> {
  const { deployment, newSet } = rollout;
  const wanted = replicasOf(deployment);
  const active = allSets(rollout).filter((set) => replicasOf(set) > 0);
  const only = active.length === 1 ? active[0] : active.length === 0 ? (newSet ?? [...rollout.old].sort(byCreation).at(-1)) : undefined;
  if (active.length <= 1) {
    if (only !== undefined && replicasOf(only) !== wanted) await scaleSet(rollout, only, wanted, deps);
    return;
  }
  if (newSet !== undefined && isSaturated(deployment, newSet)) {
    for (const set of rollout.old.filter((old) => replicasOf(old) > 0)) await scaleSet(rollout, set, 0, deps);
    return;
  }
  if (!isRolling(deployment)) return;
  for (const { set, to } of planProportional(deployment, active)) await scaleSet(rollout, set, to, deps);
}

function isSaturated(deployment: ReadDeployment, newSet: ReadSet): boolean {
  const wanted = replicasOf(deployment);
  return replicasOf(newSet) === wanted && readNumber(newSet, DESIRED_REPLICAS) === wanted && newSet.status?.availableReplicas === wanted;
}

async function rollingUpdate(rollout: Rollout, deps: DeploymentDeps): Promise<Result> {
  await syncNewSet(rollout, deps, { create: true });
  const { newSet } = rollout;
  if (newSet === undefined) return DONE;
  if (await scaleNew(rollout, newSet, deps)) return await syncRolloutStatus(rollout, deps);
  const scaling = planScaleDown(
    rollout.deployment,
    newSet,
    rollout.old.filter((set) => replicasOf(set) > 0),
  );
  for (const { set, to } of scaling) await scaleSet(rollout, set, to, deps);
  if (scaling.length === 0 && isComplete(rollout.deployment, rollout.deployment.status ?? {})) await removeOldSets(rollout, deps);
  return await syncRolloutStatus(rollout, deps);
}

function scaleNew(rollout: Rollout, newSet: ReadSet, deps: DeploymentDeps): Promise<boolean> {
  const wanted = replicasOf(rollout.deployment);
  const current = replicasOf(newSet);
  const to = current >= wanted ? wanted : newSetReplicas(rollout.deployment, allSets(rollout), current);
  return scaleSet(rollout, newSet, to, deps);
}

async function recreate(rollout: Rollout, deps: ReconcileDeps): Promise<Result> {
  await syncNewSet(rollout, deps, { create: false });
  let scaledDown = false;
  for (const set of rollout.old.filter((old) => replicasOf(old) > 0)) scaledDown = (await scaleSet(rollout, set, 0, deps)) || scaledDown;
  const oldRuns = rollout.old.some((set) =>
    deps.podsOf(set).some(({ status }) => status?.phase !== 'Failed' && status?.phase !== 'Succeeded'),
  );
  if (scaledDown || oldRuns) return await syncRolloutStatus(rollout, deps);
  if (rollout.newSet === undefined) await syncNewSet(rollout, deps, { create: true });
  if (rollout.newSet !== undefined) await scaleSet(rollout, rollout.newSet, replicasOf(rollout.deployment), deps);
  if (isComplete(rollout.deployment, rollout.deployment.status ?? {})) await removeOldSets(rollout, deps);
  return await syncRolloutStatus(rollout, deps);
}

function currentStatus(rollout: Rollout, { clock }: DeploymentDeps): ReadStatus {
  return calculateStatus(rollout.deployment, allSets(rollout), rollout.newSet, clock.now());
}

async function syncRolloutStatus(rollout: Rollout, deps: DeploymentDeps): Promise<Result> {
  const now = deps.clock.now();
  const status = currentStatus(rollout, deps);
  const conditions = rolloutConditions(rollout.deployment, status, { newSet: rollout.newSet, all: allSets(rollout), now });
  const changed = await writeStatus(rollout, { ...status, conditions }, deps);
  const deadlineMs = changed ? undefined : deadlineIn(rollout.deployment, status, now);
  return deadlineMs === undefined ? DONE : requeueAfter(deadlineMs);
}

/** @returns Whether there was anything to write. */
async function writeStatus(rollout: Rollout, status: ReadStatus, { client }: DeploymentDeps): Promise<boolean> {
  const { deployment } = rollout;
  if (sameStatus(deployment.status ?? {}, status)) return false;
  rollout.deployment = await client.update(deployments, { ...deployment, status }, { subresource: 'status' });
  return true;
}

/** Counts that are zero may be absent in what the server stored. */
function sameStatus(a: ReadStatus, b: ReadStatus): boolean {
  const [left, right] = [a as Readonly<Record<string, unknown>>, b as Readonly<Record<string, unknown>>];
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].every(
    (name) => (left[name] ?? 0) === (right[name] ?? 0) || semanticEqual(left[name], right[name]),
  );
}
