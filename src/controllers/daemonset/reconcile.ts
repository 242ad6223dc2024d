// SPDX-License-Identifier: Apache-2.0
// Moves one DaemonSet forward: its revision, one Pod on each node it is for, the next step of a rolling update, the status.
import type { DaemonSet } from '#api/apps/v1';
import type { Node, Pod } from '#api/core/v1';
import { daemonsets } from '#api/resources';
import { DONE, type Lister, type Result, requeueAfter } from '#client';
import { type Draft, deepCopy, isNotFound, keyOf, selectorOf, semanticEqual } from '#machinery';
import { type ControllerContext, controllerReference } from '../context.ts';
import { claimPods } from '../pods/claim.ts';
import { availableIn } from '../pods/conditions.ts';
import type { Expectations } from '../pods/expectations.ts';
import { isNamespaceTerminating, type PodControl, podFromTemplate, slowStart } from '../pods/pod-control.ts';
import type { PodIndex } from '../pods/pod-index.ts';
import {
  HashCollisionError,
  type History,
  type HistoryDeps,
  hashOf,
  REVISION_HASH,
  syncHistory,
  truncateHistory,
} from '../revisions/history.ts';
import {
  type DaemonInput,
  type DaemonPlan,
  daemonTolerations,
  isOfRevision,
  observeDaemons,
  planDaemons,
  planRollingUpdate,
  type ReadDaemonSet,
  type ReadPod,
} from './plan.ts';

export interface DaemonDeps extends HistoryDeps, Pick<ControllerContext, 'client' | 'clock' | 'recorder'> {
  readonly sets: Lister<DaemonSet>;
  readonly nodes: Lister<Node>;
  readonly pods: PodIndex;
  readonly control: PodControl;
  readonly expectations: Expectations;
}

/** @source upstream: Pods made or removed in one pass */
const BURST = 250;
const TEMPLATE_GENERATION = 'deprecated.daemonset.template.generation';

/** @throws {ApiError} On any API failure, after the status was written. */
export async function reconcile(key: string, deps: DaemonDeps): Promise<Result> {
  const set = deps.sets.find(key);
  if (set === undefined) {
    deps.expectations.forget(key);
    return DONE;
  }
  const selector = selectorOf(set.spec.selector as Parameters<typeof selectorOf>[0]);
  if (selector.isEmpty) {
    deps.recorder.event(set, 'Warning', 'SelectingAll', 'This daemon set is selecting all pods. A non-empty selector is required.');
    return DONE;
  }
  if (set.metadata.deletionTimestamp !== undefined) return DONE;
  const history = await historyOf(set, deps);
  if (history === undefined) return DONE; // The collision was counted; that brings the next pass.
  const reference = controllerReference(set, daemonsets);
  const { namespace, name } = set.metadata;
  const readPods = () =>
    claimPods({
      owner: set,
      reference,
      selector,
      pods: deps.pods,
      control: deps.control,
      readOwner: () => deps.client.get(daemonsets, { namespace, name }),
    });
  const input: DaemonInput = {
    set,
    nodes: deps.nodes.list(),
    pods: await readPods(),
    hash: hashOf(history.current),
    now: deps.clock.now(),
  };
  const failure = deps.expectations.satisfied(key) ? await act(key, input, deps) : undefined;
  await truncateHistory(deps, history, {
    limit: set.spec.revisionHistoryLimit ?? 10,
    inUse: (revision) => input.pods.some((pod) => isOfRevision(pod, hashOf(revision))),
  });
  await writeStatus(input, deps);
  if (failure !== undefined && !isNamespaceTerminating(failure)) throw failure;
  return nextLook(input);
}

async function historyOf(set: ReadDaemonSet, deps: DaemonDeps): Promise<History | undefined> {
  const { template } = set.spec;
  const collisionCount = set.status?.collisionCount;
  try {
    return await syncHistory(deps, { owner: set, resource: daemonsets, template, labels: template.metadata?.labels ?? {}, collisionCount });
  } catch (error) {
    if (!(error instanceof HashCollisionError)) throw error;
    await deps.client.update(
      daemonsets,
      { ...set, status: { ...set.status, collisionCount: (collisionCount ?? 0) + 1 } },
      { subresource: 'status' },
    );
    return undefined;
  }
}

async function act(key: string, input: DaemonInput, deps: DaemonDeps): Promise<unknown> {
  const plan = planDaemons(input);
  const failure = await apply(key, plan, input, deps);
  if (failure !== undefined || plan.create.length + plan.remove.length > 0) return failure;
  if ((input.set.spec.updateStrategy?.type ?? 'RollingUpdate') !== 'RollingUpdate') return undefined;
  return await apply(key, planRollingUpdate(input), input, deps);
}

/** @returns The first failure, if there was one. */
async function apply(
  key: string,
  { create, remove, ended }: DaemonPlan,
  input: DaemonInput,
  { control, expectations, recorder }: DaemonDeps,
): Promise<unknown> {
  const { set, hash } = input;
  if (create.length + remove.length === 0) return undefined;
  for (const pod of ended) report(set, pod, recorder);
  const names = create.slice(0, BURST);
  const doomed = remove.slice(0, BURST);
  expectations.expect(
    key,
    names.length,
    doomed.map(({ metadata }) => keyOf(metadata)),
  );
  const { done, error } = await slowStart(names.length, (index) => control.create(set, daemonOn(set, hash, names[index] ?? '')));
  expectations.created(key, names.length - done);
  const removals = await Promise.allSettled(
    doomed.map(async (pod) => {
      try {
        await control.delete(set, pod);
      } catch (reason) {
        expectations.deleted(key, keyOf(pod.metadata));
        throw reason;
      }
    }),
  );
  return error ?? removals.find((result) => result.status === 'rejected')?.reason;
}

function report(set: ReadDaemonSet, pod: ReadPod, recorder: DaemonDeps['recorder']): void {
  const where = `daemon pod ${keyOf(pod.metadata)} on node ${pod.spec.nodeName}`;
  if (pod.status?.phase === 'Failed') recorder.event(set, 'Warning', 'FailedDaemonPod', `Found failed ${where}, will try to kill it`);
  else recorder.event(set, 'Normal', 'SucceededDaemonPod', `Found succeeded ${where}, will try to delete it`);
}

/** The Pod for one node: pinned to it by affinity, so that the scheduler still decides whether it fits. */
function daemonOn(set: ReadDaemonSet, hash: string, node: string): Draft<Pod> {
  const draft = podFromTemplate(set, controllerReference(set, daemonsets), set.spec.template);
  const generation = set.metadata.annotations?.[TEMPLATE_GENERATION];
  const labels = {
    ...draft.metadata?.labels,
    [REVISION_HASH]: hash,
    ...(generation === undefined ? {} : { 'pod-template-generation': generation }),
  };
  const { affinity, ...spec } = deepCopy(set.spec.template.spec);
  const nodeSelectorTerms = [{ matchFields: [{ key: 'metadata.name', operator: 'In' as const, values: [node] }] }];
  const nodeAffinity = { ...affinity?.nodeAffinity, requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } };
  return {
    ...draft,
    metadata: { ...draft.metadata, labels },
    spec: { ...spec, affinity: { ...affinity, nodeAffinity }, tolerations: deepCopy(daemonTolerations(set)) },
  };
}

async function writeStatus(input: DaemonInput, { client }: DaemonDeps): Promise<void> {
  const { set } = input;
  const { collisionCount, conditions, ...counts } = set.status ?? {};
  const next = {
    ...observeDaemons(input),
    ...(set.metadata.generation === undefined ? {} : { observedGeneration: set.metadata.generation }),
  };
  const [before, after] = [counts as Readonly<Record<string, unknown>>, next as Readonly<Record<string, unknown>>];
  if (Object.keys(next).every((name) => semanticEqual(before[name] ?? 0, after[name] ?? 0))) return;
  const status = {
    ...next,
    ...(collisionCount === undefined ? {} : { collisionCount }),
    ...(conditions === undefined ? {} : { conditions }),
  };
  try {
    await client.update(daemonsets, { ...set, status }, { subresource: 'status' });
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}

/** When the next ready Pod becomes available. */
function nextLook({ set, pods, now }: DaemonInput): Result {
  const waits = pods.flatMap((pod) => availableIn(pod, set.spec.minReadySeconds ?? 0, now) ?? []).filter((wait) => wait > 0);
  return waits.length === 0 ? DONE : requeueAfter(Math.min(...waits));
}
