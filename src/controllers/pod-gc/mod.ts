// SPDX-License-Identifier: Apache-2.0
// pod-garbage-collector-controller: removes ended Pods beyond a threshold, Pods on nodes that have been gone for 40 s, Pods that were
// deleted before they had a node, and terminating Pods on nodes declared out of service. Acts on events, with one timer per vanished node.
import { nodes, pods } from '#api/resources';
import { DONE, type Result } from '#client';
import { formatTime } from '#component';
import { isConflict, isNotFound, keyOf } from '#machinery';
import { type ControllerContext, type ControllerEntry, KeyQueue } from '../context.ts';
import { nodeCondition } from '../nodes/node-fit.ts';
import { isTerminal } from '../pods/conditions.ts';
import { PodIndex } from '../pods/pod-index.ts';
import { isOrphaned, isUnscheduledTerminating, surplus } from './plan.ts';

/** @source upstream: how long a node must be missing */
const QUARANTINE_MS = 40_000;
const SURPLUS = '*';
const OUT_OF_SERVICE = 'node.kubernetes.io/out-of-service';

type ReadPod = NonNullable<ReturnType<PodIndex['find']>>;

export const podGc: ControllerEntry = {
  name: 'pod-garbage-collector-controller',
  account: 'pod-garbage-collector',
  create(context) {
    const { client, informers, settings } = context;
    const all = informers.informer(nodes);
    const podIndex = new PodIndex(informers);
    const work = new KeyQueue(context, 'pod-garbage-collector-controller');
    const hasNode = (name: string) => all.lister.find(name) !== undefined;
    const looksDead = (pod: ReadPod) => isUnscheduledTerminating(pod) || isOrphaned(pod, hasNode);
    const see = (pod: ReadPod) => {
      if (isTerminal(pod) && podIndex.informer.lister.size > settings.terminatedPodGcThreshold) work.addAfter(SURPLUS, 1000);
      if (isUnscheduledTerminating(pod)) work.add(pod);
      else if (isOrphaned(pod, hasNode)) work.addAfter(keyOf(pod.metadata), QUARANTINE_MS);
    };
    podIndex.informer.addHandler({ add: see, update: (_, after) => see(after) });
    all.addHandler({
      delete({ metadata }) {
        for (const pod of podIndex.onNode(metadata.name)) work.addAfter(keyOf(pod.metadata), QUARANTINE_MS);
      },
      update: (_, node) =>
        node.spec.taints?.some(({ key }) => key === OUT_OF_SERVICE) && podIndex.onNode(node.metadata.name).forEach(work.add),
    });

    /** The cache may not know a node yet that the server has. */
    async function nodeIsGone(name: string): Promise<boolean> {
      try {
        await client.get(nodes, { name });
        return false;
      } catch (error) {
        if (isNotFound(error)) return true;
        throw error;
      }
    }

    const isOutOfService = ({ spec, metadata }: ReadPod) => {
      const node = all.lister.find(spec.nodeName ?? '');
      if (node === undefined || metadata.deletionTimestamp === undefined) return false;
      return nodeCondition(node, 'Ready')?.status !== 'True' && (node.spec.taints ?? []).some(({ key }) => key === OUT_OF_SERVICE);
    };

    async function reconcile(key: string): Promise<Result> {
      if (key === SURPLUS) {
        for (const pod of surplus(podIndex.informer.lister.list(), settings.terminatedPodGcThreshold))
          await remove(pod, undefined, context);
        return DONE;
      }
      const pod = podIndex.find(key);
      if (pod === undefined || !(looksDead(pod) || isOutOfService(pod))) return DONE;
      if (!isUnscheduledTerminating(pod) && !isOutOfService(pod) && !(await nodeIsGone(pod.spec.nodeName ?? ''))) return DONE;
      await remove(pod, isUnscheduledTerminating(pod) ? undefined : 'PodGC: node no longer exists', context);
      return DONE;
    }

    return work.run({ workers: 2, reconcile });
  },
};

/** @param reason Why it is disrupted; the Pod is marked as failed first, so that its controller knows. */
async function remove(pod: ReadPod, reason: string | undefined, { client, clock }: ControllerContext): Promise<void> {
  const { namespace, name, uid } = pod.metadata;
  try {
    if (reason !== undefined && !isTerminal(pod)) {
      const condition = {
        type: 'DisruptionTarget',
        status: 'True',
        reason: 'DeletionByPodGC',
        message: reason,
        lastTransitionTime: formatTime(clock.now()),
      };
      await client.patch(
        pods,
        { namespace, name },
        'strategic',
        { metadata: { uid }, status: { phase: 'Failed', conditions: [condition] } },
        { subresource: 'status' },
      );
    }
    await client.delete(pods, { namespace, name }, { gracePeriodSeconds: 0, preconditions: { uid } });
  } catch (error) {
    if (!isNotFound(error) && !isConflict(error)) throw error;
  }
}
