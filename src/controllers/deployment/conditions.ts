// SPDX-License-Identifier: Apache-2.0
// The status of a Deployment: counts over its ReplicaSets, Available and Progressing with upstream's reasons and messages. Pure.
import type { DeploymentCondition, DeploymentStatus } from '#api/apps/v1';
import { formatTime } from '#component';
import { type DeepReadonly, timeMs } from '#machinery';
import { maxUnavailableOf, type ReadDeployment, type ReadSet, replicasOf, sumReplicas, sumStatus } from './counts.ts';

export type ReadCondition = DeepReadonly<DeploymentCondition>;
export type ReadStatus = DeepReadonly<DeploymentStatus>;

export const NEW_SET_AVAILABLE = 'NewReplicaSetAvailable';
export const TIMED_OUT = 'ProgressDeadlineExceeded';
const NO_DEADLINE = 2 ** 31 - 1;

export function findCondition(conditions: readonly ReadCondition[] | undefined, type: string): ReadCondition | undefined {
  return conditions?.find((condition) => condition.type === type);
}

/** With `next` in place; kept as it is if status and reason stay, with its time if the status does. */
export function withCondition(conditions: readonly ReadCondition[], next: ReadCondition): readonly ReadCondition[] {
  const old = findCondition(conditions, next.type);
  if (old?.status === next.status && old.reason === next.reason) return conditions;
  const lastTransitionTime = old?.status === next.status ? (old.lastTransitionTime ?? '') : (next.lastTransitionTime ?? '');
  return [...withoutCondition(conditions, next.type), { ...next, lastTransitionTime }];
}

export function withoutCondition(conditions: readonly ReadCondition[], type: string): readonly ReadCondition[] {
  return conditions.filter((condition) => condition.type !== type);
}

export function makeCondition(
  type: string,
  status: 'True' | 'False' | 'Unknown',
  text: { reason: string; message: string },
  now: number,
): ReadCondition {
  const time = formatTime(now);
  return { type, status, lastUpdateTime: time, lastTransitionTime: time, ...text };
}

export function hasDeadline({ spec }: ReadDeployment): boolean {
  return spec.progressDeadlineSeconds !== undefined && spec.progressDeadlineSeconds !== NO_DEADLINE;
}

/** The status as the sets make it, with Available; Progressing is a rollout's matter. */
export function calculateStatus(deployment: ReadDeployment, all: readonly ReadSet[], newSet: ReadSet | undefined, now: number): ReadStatus {
  const available = sumStatus(all, 'availableReplicas');
  const isAvailable = available >= replicasOf(deployment) - maxUnavailableOf(deployment);
  const condition = isAvailable
    ? makeCondition('Available', 'True', { reason: 'MinimumReplicasAvailable', message: 'Deployment has minimum availability.' }, now)
    : makeCondition(
        'Available',
        'False',
        { reason: 'MinimumReplicasUnavailable', message: 'Deployment does not have minimum availability.' },
        now,
      );
  const { collisionCount, conditions = [] } = deployment.status ?? {};
  return {
    ...(deployment.metadata.generation === undefined ? {} : { observedGeneration: deployment.metadata.generation }),
    replicas: sumStatus(all, 'replicas'),
    updatedReplicas: newSet?.status?.replicas ?? 0,
    readyReplicas: sumStatus(all, 'readyReplicas'),
    availableReplicas: available,
    unavailableReplicas: Math.max(0, sumReplicas(all) - available),
    terminatingReplicas: sumStatus(all, 'terminatingReplicas'),
    ...(collisionCount === undefined ? {} : { collisionCount }),
    conditions: withCondition(conditions, condition),
  };
}

/** All replicas are of the new template, available, and the status is about this generation. */
export function isComplete(deployment: ReadDeployment, status: ReadStatus): boolean {
  const wanted = replicasOf(deployment);
  const { updatedReplicas = 0, replicas = 0, availableReplicas = 0, observedGeneration = 0 } = status;
  return (
    updatedReplicas === wanted &&
    replicas === wanted &&
    availableReplicas === wanted &&
    observedGeneration >= (deployment.metadata.generation ?? 0)
  );
}

function isProgressing({ status: old = {} }: ReadDeployment, next: ReadStatus): boolean {
  const oldOld = (old.replicas ?? 0) - (old.updatedReplicas ?? 0);
  const newOld = (next.replicas ?? 0) - (next.updatedReplicas ?? 0);
  return (
    (next.updatedReplicas ?? 0) > (old.updatedReplicas ?? 0) ||
    newOld < oldOld ||
    (next.readyReplicas ?? 0) > (old.readyReplicas ?? 0) ||
    (next.availableReplicas ?? 0) > (old.availableReplicas ?? 0)
  );
}

function hasTimedOut(deployment: ReadDeployment, status: ReadStatus, now: number): boolean {
  const condition = findCondition(status.conditions, 'Progressing');
  if (condition === undefined || condition.reason === NEW_SET_AVAILABLE) return false;
  if (condition.reason === TIMED_OUT) return true;
  return timeMs(condition.lastUpdateTime) + (deployment.spec.progressDeadlineSeconds ?? 0) * 1000 < now;
}

/** The conditions of a rollout: Progressing by what has changed since the last status, ReplicaFailure from the sets. */
export function rolloutConditions(
  deployment: ReadDeployment,
  status: ReadStatus,
  { newSet, all, now }: { newSet: ReadSet | undefined; all: readonly ReadSet[]; now: number },
): readonly ReadCondition[] {
  let conditions = status.conditions ?? [];
  if (!hasDeadline(deployment)) conditions = withoutCondition(conditions, 'Progressing');
  const current = findCondition(deployment.status?.conditions, 'Progressing');
  const wasComplete = (status.replicas ?? 0) === (status.updatedReplicas ?? 0) && current?.reason === NEW_SET_AVAILABLE;
  if (hasDeadline(deployment) && !wasComplete) conditions = withProgress(conditions, deployment, status, { newSet, current, now });
  const failure = failureOf(newSet, all);
  conditions = withoutCondition(conditions, 'ReplicaFailure');
  return failure === undefined ? conditions : [...conditions, failure];
}

interface ProgressInput {
  readonly newSet: ReadSet | undefined;
  readonly current: ReadCondition | undefined;
  readonly now: number;
}

function withProgress(
  conditions: readonly ReadCondition[],
  deployment: ReadDeployment,
  status: ReadStatus,
  { newSet, current, now }: ProgressInput,
): readonly ReadCondition[] {
  const subject = newSet === undefined ? `Deployment "${deployment.metadata.name}"` : `ReplicaSet "${newSet.metadata.name}"`;
  if (isComplete(deployment, status)) {
    return withCondition(
      conditions,
      makeCondition('Progressing', 'True', { reason: NEW_SET_AVAILABLE, message: `${subject} has successfully progressed.` }, now),
    );
  }
  if (isProgressing(deployment, status)) {
    const condition = makeCondition('Progressing', 'True', { reason: 'ReplicaSetUpdated', message: `${subject} is progressing.` }, now);
    const lastTransitionTime = current?.status === 'True' ? (current.lastTransitionTime ?? '') : (condition.lastTransitionTime ?? '');
    // The time of the update moves with every step: the deadline counts from it.
    return [...withoutCondition(conditions, 'Progressing'), { ...condition, lastTransitionTime }];
  }
  if (!hasTimedOut(deployment, status, now)) return conditions;
  return withCondition(
    conditions,
    makeCondition('Progressing', 'False', { reason: TIMED_OUT, message: `${subject} has timed out progressing.` }, now),
  );
}

function failureOf(newSet: ReadSet | undefined, all: readonly ReadSet[]): ReadCondition | undefined {
  const sets = newSet === undefined ? all : [newSet, ...all];
  const found = sets.flatMap(({ status }) => status?.conditions ?? []).find(({ type }) => type === 'ReplicaFailure');
  if (found === undefined) return undefined;
  const { status, reason = '', message = '', lastTransitionTime = '' } = found;
  return { type: 'ReplicaFailure', status, reason, message, lastTransitionTime, lastUpdateTime: lastTransitionTime };
}

/** Milliseconds until a rollout that does not move has timed out; undefined where it cannot. */
export function deadlineIn(deployment: ReadDeployment, status: ReadStatus, now: number): number | undefined {
  const current = findCondition(deployment.status?.conditions, 'Progressing');
  if (!hasDeadline(deployment) || current === undefined) return undefined;
  if (isComplete(deployment, status) || current.reason === TIMED_OUT || current.reason === NEW_SET_AVAILABLE) return undefined;
  return Math.max(0, timeMs(current.lastUpdateTime) + (deployment.spec.progressDeadlineSeconds ?? 0) * 1000 - now) + 1000;
}
