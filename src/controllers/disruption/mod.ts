// SPDX-License-Identifier: Apache-2.0
// disruption-controller: keeps the status of PodDisruptionBudgets, from which the server grants evictions. Controllers that it asks for
// their wanted counts: the built-in workloads; Pods of others make a budget by percentage or maxUnavailable fail closed.
import type { PodDisruptionBudget } from '#api/policy/v1';
import { deployments, poddisruptionbudgets, replicasets, replicationcontrollers, statefulsets } from '#api/resources';
import { DONE, type Result, requeueAfter } from '#client';
import { formatTime } from '#component';
import { type DeepReadonly, isNotFound, keyOf, selectorOf, semanticEqual } from '#machinery';
import { type ControllerContext, type ControllerEntry, controllerOf, KeyQueue } from '../context.ts';
import { PodIndex } from '../pods/pod-index.ts';
import { type Counts, countBudget } from './plan.ts';

type ReadBudget = DeepReadonly<PodDisruptionBudget>;
type ReadPod = NonNullable<ReturnType<PodIndex['find']>>;

export const disruption: ControllerEntry = {
  name: 'disruption-controller',
  account: 'disruption-controller',
  eventSource: 'controllermanager',
  create(context) {
    const { clock, informers, recorder } = context;
    const all = informers.informer(poddisruptionbudgets);
    const pods = new PodIndex(informers);
    const work = new KeyQueue(context, 'disruption-controller');
    work.follow(all);
    const addTaking = (pod: ReadPod) => {
      for (const budget of all.lister.list(pod.metadata.namespace)) if (takes(budget, pod)) work.add(budget);
    };
    pods.informer.addHandler({ add: addTaking, update: (_, after) => addTaking(after), delete: addTaking });
    const wantedOf = scaleReader(context, (namespace) => all.lister.list(namespace).forEach(work.add));
    async function reconcile(key: string): Promise<Result> {
      const budget = all.lister.find(key);
      if (budget === undefined) return DONE;
      const taken = pods.in(budget.metadata.namespace ?? '').filter((pod) => takes(budget, pod));
      const counts = countBudget({ budget, pods: taken, wanted: wantedOf(taken), now: clock.now() });
      if (counts === undefined) {
        recorder.event(
          budget,
          'Warning',
          'CalculateExpectedPodCountFailed',
          'Failed to calculate the number of expected pods: found no controllers for some pods',
        );
      } else if (taken.length === 0) recorder.event(budget, 'Normal', 'NoPods', 'No matching pods found');
      await write(budget, counts, context);
      return counts?.nextLookMs === undefined ? DONE : requeueAfter(counts.nextLookMs);
    }
    return work.run({ workers: 1, reconcile });
  },
};

function takes({ spec, metadata }: ReadBudget, pod: ReadPod): boolean {
  return (
    metadata.namespace === pod.metadata.namespace &&
    selectorOf(spec.selector as Parameters<typeof selectorOf>[0]).matches(pod.metadata.labels)
  );
}

/** The sum of what the controllers of some Pods want; a ReplicaSet of a Deployment stands for the whole Deployment. */
function scaleReader({ informers }: ControllerContext, onChange: (namespace: string) => void) {
  const sets = informers.informer(replicasets);
  const rollouts = informers.informer(deployments);
  const stateful = informers.informer(statefulsets);
  const controllers = informers.informer(replicationcontrollers);
  const follow = {
    update: (before: { spec: { replicas?: number } }, after: { spec: { replicas?: number }; metadata: { namespace?: string } }) =>
      before.spec.replicas !== after.spec.replicas && onChange(after.metadata.namespace ?? ''),
  };
  rollouts.addHandler(follow);
  sets.addHandler(follow);
  stateful.addHandler(follow);
  controllers.addHandler(follow);
  return (pods: readonly ReadPod[]): number | undefined => {
    const wanted = new Map<string, number>();
    for (const pod of pods) {
      const owner = controllerOf(pod);
      if (owner === undefined) return undefined;
      const key = keyOf({ namespace: pod.metadata.namespace, name: owner.name });
      const set = owner.kind === 'ReplicaSet' ? sets.lister.find(key) : undefined;
      const above = set === undefined ? undefined : controllerOf(set);
      const rollout =
        above?.kind === 'Deployment' ? rollouts.lister.find(keyOf({ namespace: pod.metadata.namespace, name: above.name })) : undefined;
      const found =
        rollout ??
        set ??
        (owner.kind === 'StatefulSet'
          ? stateful.lister.find(key)
          : owner.kind === 'ReplicationController'
            ? controllers.lister.find(key)
            : undefined);
      if (found === undefined) return undefined;
      wanted.set(found.metadata.uid, found.spec.replicas ?? 1);
    }
    return [...wanted.values()].reduce((sum, count) => sum + count, 0);
  };
}

async function write(budget: ReadBudget, counts: Counts | undefined, { client, clock }: ControllerContext): Promise<void> {
  const { nextLookMs: _, ...numbers } = counts ?? {
    ...budget.status,
    currentHealthy: budget.status?.currentHealthy ?? 0,
    desiredHealthy: budget.status?.desiredHealthy ?? 0,
    expectedPods: budget.status?.expectedPods ?? 0,
    disruptionsAllowed: 0,
    nextLookMs: undefined,
  };
  const isAllowed = numbers.disruptionsAllowed > 0;
  const reason = counts === undefined ? 'SyncFailed' : isAllowed ? 'SufficientPods' : 'InsufficientPods';
  const old = budget.status?.conditions?.find(({ type }) => type === 'DisruptionAllowed');
  const status = isAllowed ? ('True' as const) : ('False' as const);
  const now = formatTime(clock.now());
  const { generation = 0 } = budget.metadata;
  const lastTransitionTime = old?.status === status ? (old.lastTransitionTime ?? now) : now;
  const message = counts === undefined ? 'found no controllers for some pods' : '';
  const condition = { type: 'DisruptionAllowed', status, reason, message, observedGeneration: generation, lastTransitionTime };
  const next = { ...numbers, observedGeneration: generation, conditions: [condition] };
  if (semanticEqual(budget.status ?? {}, next)) return;
  try {
    await client.update(poddisruptionbudgets, { ...budget, status: next as ReadBudget['status'] }, { subresource: 'status' });
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}
