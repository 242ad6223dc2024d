// SPDX-License-Identifier: Apache-2.0
// The ReplicaSets of one Deployment: claims them, finds or makes the one of the present template, scales them, removes old ones.
import type { ReplicaSet } from '#api/apps/v1';
import { deployments, replicasets } from '#api/resources';
import type { Lister } from '#client';
import { type Draft, deepCopy, isAlreadyExists, isNotFound, selectorOf, semanticEqual } from '#machinery';
import { type ControllerContext, controllerOf, controllerReference } from '../context.ts';
import { messageOf } from '../pods/pod-control.ts';
import { annotationsFor, countsDiffer, maxRevision, REVISION, revisionOf, withCounts } from './annotations.ts';
import { findCondition, hasDeadline, makeCondition, type ReadCondition, withCondition } from './conditions.ts';
import { maxSurgeOf, newSetReplicas, type ReadDeployment, type ReadSet, replicasOf } from './counts.ts';
import { findNewSet, HASH_LABEL, sameTemplate, templateHash } from './template.ts';

export interface DeploymentDeps extends Pick<ControllerContext, 'client' | 'clock' | 'recorder'> {
  readonly sets: Lister<ReplicaSet>;
}

/** One Deployment while it is being worked on. Sets are replaced by what the server answers. */
export interface Rollout {
  deployment: ReadDeployment;
  newSet: ReadSet | undefined;
  old: ReadSet[];
}

export function allSets({ newSet, old }: Rollout): ReadSet[] {
  return newSet === undefined ? old : [...old, newSet];
}

/** Adopts matching sets without a controller, releases own ones that no longer match. */
export async function claimSets(deployment: ReadDeployment, { client, sets }: DeploymentDeps): Promise<ReadSet[]> {
  const { namespace, name, uid } = deployment.metadata;
  const selector = selectorOf(deployment.spec.selector as Parameters<typeof selectorOf>[0]);
  const claimed: ReadSet[] = [];
  for (const set of sets.list(namespace)) {
    const owner = controllerOf(set);
    const matches = selector.matches(set.metadata.labels);
    const ref = { namespace, name: set.metadata.name };
    if (owner?.uid === uid) {
      if (matches || deployment.metadata.deletionTimestamp !== undefined) claimed.push(set);
      else
        await client.patch(replicasets, ref, 'strategic', {
          metadata: { uid: set.metadata.uid, ownerReferences: [{ $patch: 'delete', uid }] },
        });
    } else if (
      owner === undefined &&
      matches &&
      deployment.metadata.deletionTimestamp === undefined &&
      set.metadata.deletionTimestamp === undefined
    ) {
      const fresh = await client.get(deployments, { namespace, name });
      if (fresh.metadata.uid !== uid)
        throw new Error(`original Deployment ${namespace}/${name} is gone: got uid ${fresh.metadata.uid}, wanted ${uid}`);
      if (fresh.metadata.deletionTimestamp !== undefined)
        throw new Error(`${namespace}/${name} has just been deleted at ${fresh.metadata.deletionTimestamp}`);
      claimed.push(
        await client.patch(replicasets, ref, 'strategic', {
          metadata: { uid: set.metadata.uid, ownerReferences: [controllerReference(deployment, deployments)] },
        }),
      );
    }
  }
  return claimed;
}

export function splitSets(deployment: ReadDeployment, sets: readonly ReadSet[]): Rollout {
  const newSet = findNewSet(deployment, sets);
  return { deployment, newSet, old: sets.filter((set) => set !== newSet) };
}

/** Brings the revision and annotations of the new set up to date, and makes the set if asked to. */
export async function syncNewSet(rollout: Rollout, deps: DeploymentDeps, { create }: { create: boolean }): Promise<void> {
  const revision = maxRevision(rollout.old) + 1;
  if (rollout.newSet !== undefined) return await syncExisting(rollout, rollout.newSet, revision, deps);
  if (create) await createNewSet(rollout, revision, deps);
}

async function syncExisting(rollout: Rollout, set: ReadSet, revision: number, deps: DeploymentDeps): Promise<void> {
  const { deployment } = rollout;
  const annotations = annotationsFor(deployment, set, revision);
  const minReadySeconds = deployment.spec.minReadySeconds ?? 0;
  if (!semanticEqual(annotations, set.metadata.annotations) || (set.spec.minReadySeconds ?? 0) !== minReadySeconds) {
    const next = { ...set, metadata: { ...set.metadata, annotations }, spec: { ...set.spec, minReadySeconds } };
    rollout.newSet = await deps.client.update(replicasets, next);
    return await writeRevision(rollout, annotations[REVISION], undefined, deps);
  }
  const isNoted = findCondition(deployment.status?.conditions, 'Progressing') !== undefined || !hasDeadline(deployment);
  const condition = isNoted
    ? undefined
    : makeCondition(
        'Progressing',
        'True',
        { reason: 'FoundNewReplicaSet', message: `Found new replica set "${set.metadata.name}"` },
        deps.clock.now(),
      );
  await writeRevision(rollout, annotations[REVISION], condition, deps);
}

/** The Deployment bears the revision of its new set, and what just happened as a condition. */
async function writeRevision(
  rollout: Rollout,
  revision: string | undefined,
  condition: ReadCondition | undefined,
  { client }: DeploymentDeps,
): Promise<void> {
  const { deployment } = rollout;
  const isSame = revision === undefined || deployment.metadata.annotations?.[REVISION] === revision;
  if (isSame && condition === undefined) return;
  const annotations = { ...deployment.metadata.annotations, ...(revision === undefined ? {} : { [REVISION]: revision }) };
  const conditions =
    condition === undefined ? deployment.status?.conditions : withCondition(deployment.status?.conditions ?? [], condition);
  const status = { ...deployment.status, ...(conditions === undefined ? {} : { conditions }) };
  rollout.deployment = await client.update(
    deployments,
    { ...deployment, metadata: { ...deployment.metadata, annotations }, status },
    { subresource: 'status' },
  );
}

function draftOf(rollout: Rollout, revision: number): Draft<ReplicaSet> {
  const { deployment } = rollout;
  const { template, selector, minReadySeconds = 0 } = deployment.spec;
  const hash = templateHash(template, deployment.status?.collisionCount);
  const labels = { ...template.metadata?.labels, [HASH_LABEL]: hash };
  const wanted = replicasOf(deployment);
  return {
    metadata: {
      namespace: deployment.metadata.namespace,
      name: `${deployment.metadata.name}-${hash}`,
      labels,
      annotations: withCounts(annotationsFor(deployment, undefined, revision), wanted, wanted + maxSurgeOf(deployment)),
      ownerReferences: [controllerReference(deployment, deployments)],
    },
    spec: {
      replicas: newSetReplicas(deployment, rollout.old, 0),
      minReadySeconds,
      selector: deepCopy({ ...selector, matchLabels: { ...selector?.matchLabels, [HASH_LABEL]: hash } }),
      template: deepCopy({ ...template, metadata: { ...template.metadata, labels } }),
    },
  };
}

async function createNewSet(rollout: Rollout, revision: number, deps: DeploymentDeps): Promise<void> {
  const { client, recorder, clock } = deps;
  const draft = draftOf(rollout, revision);
  const { deployment } = rollout;
  let set: ReadSet;
  try {
    set = await client.create(replicasets, draft);
  } catch (error) {
    set = await afterFailedCreate(rollout, draft, error, deps);
  }
  rollout.newSet = set;
  const count = replicasOf(set);
  if (count > 0) recorder.event(deployment, 'Normal', 'ScalingReplicaSet', `Scaled up replica set ${set.metadata.name} from 0 to ${count}`);
  const condition = hasDeadline(deployment)
    ? makeCondition(
        'Progressing',
        'True',
        { reason: 'NewReplicaSetCreated', message: `Created new replica set "${set.metadata.name}"` },
        clock.now(),
      )
    : undefined;
  await writeRevision(rollout, String(revision), condition, deps);
}

/** The name is taken: by this very set, when the cache is behind, or by another template with the same hash. */
async function afterFailedCreate(rollout: Rollout, draft: Draft<ReplicaSet>, error: unknown, deps: DeploymentDeps): Promise<ReadSet> {
  const { client, recorder, clock } = deps;
  const { deployment } = rollout;
  if (isAlreadyExists(error)) {
    const found = await client.get(replicasets, { namespace: deployment.metadata.namespace, name: draft.metadata?.name ?? '' });
    if (controllerOf(found)?.uid === deployment.metadata.uid && sameTemplate(found.spec.template, deployment.spec.template)) return found;
    const collisionCount = (deployment.status?.collisionCount ?? 0) + 1;
    await client.update(deployments, { ...deployment, status: { ...deployment.status, collisionCount } }, { subresource: 'status' });
    throw error;
  }
  const message = `Failed to create new replica set "${draft.metadata?.name}": ${messageOf(error)}`;
  if (hasDeadline(deployment)) {
    const condition = makeCondition('Progressing', 'False', { reason: 'ReplicaSetCreateError', message }, clock.now());
    const conditions = withCondition(deployment.status?.conditions ?? [], condition);
    // The first failure is the one to report.
    await client
      .update(deployments, { ...deployment, status: { ...deployment.status, conditions } }, { subresource: 'status' })
      .catch(() => undefined);
  }
  recorder.event(deployment, 'Warning', 'ReplicaSetCreateError', message);
  throw error;
}

/** Sets the size of a set, with the counts that later scaling needs. @returns Whether its size changed. */
export async function scaleSet(rollout: Rollout, set: ReadSet, to: number, { client, recorder }: DeploymentDeps): Promise<boolean> {
  const { deployment } = rollout;
  const from = replicasOf(set);
  const wanted = replicasOf(deployment);
  const most = wanted + maxSurgeOf(deployment);
  if (from === to && !countsDiffer(set, wanted, most)) return false;
  const annotations = withCounts(set.metadata.annotations, wanted, most);
  const updated = await client.update(replicasets, {
    ...set,
    metadata: { ...set.metadata, annotations },
    spec: { ...set.spec, replicas: to },
  });
  if (rollout.newSet === set) rollout.newSet = updated;
  else rollout.old = rollout.old.map((other) => (other === set ? updated : other));
  if (from === to) return false;
  recorder.event(
    deployment,
    'Normal',
    'ScalingReplicaSet',
    `Scaled ${to > from ? 'up' : 'down'} replica set ${set.metadata.name} from ${from} to ${to}`,
  );
  return true;
}

/** Deletes the oldest sets beyond the history limit that have nothing left. */
export async function removeOldSets({ deployment, old }: Rollout, { client }: DeploymentDeps): Promise<void> {
  const limit = deployment.spec.revisionHistoryLimit;
  if (limit === undefined || limit === 2 ** 31 - 1) return;
  const present = old.filter(({ metadata }) => metadata.deletionTimestamp === undefined).sort((a, b) => revisionOf(a) - revisionOf(b));
  for (const { metadata, spec, status } of present.slice(0, Math.max(0, present.length - limit))) {
    const isUsed =
      (status?.replicas ?? 0) !== 0 || (spec.replicas ?? 0) !== 0 || (metadata.generation ?? 0) > (status?.observedGeneration ?? 0);
    if (isUsed) continue;
    const { namespace, name } = metadata;
    await client.delete(replicasets, { namespace, name }).catch((error: unknown) => {
      if (!isNotFound(error)) throw error;
    });
  }
}
