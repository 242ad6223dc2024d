// SPDX-License-Identifier: Apache-2.0
// taint-eviction-controller: deletes Pods from nodes with NoExecute taints that they do not tolerate, or no longer: a toleration with
// seconds counts from when the taint was added (where it does not say: was first seen), or the Pod made, whichever was later.
import { nodes, pods } from '#api/resources';
import { DONE, type Result, requeueAfter } from '#client';
import { formatTime } from '#component';
import { isConflict, isNotFound, keyOf, timeMs } from '#machinery';
import { type ControllerContext, type ControllerEntry, KeyQueue } from '../context.ts';
import { evictionOf, type ReadNode, type ReadTaint } from '../nodes/node-fit.ts';
import { PodIndex } from '../pods/pod-index.ts';

type ReadPod = NonNullable<ReturnType<PodIndex['find']>>;

export const taintEviction: ControllerEntry = {
  name: 'taint-eviction-controller',
  account: 'node-controller',
  eventSource: 'taint-eviction-controller',
  create(context) {
    const { informers, clock } = context;
    const all = informers.informer(nodes);
    const podIndex = new PodIndex(informers);
    const work = new KeyQueue(context, 'taint-eviction-controller');
    const noExecute = (node: ReadNode | undefined) => (node?.spec.taints ?? []).filter(({ effect }) => effect === 'NoExecute');
    const addPods = (node: ReadNode) => podIndex.onNode(node.metadata.name).forEach(work.add);
    all.addHandler({
      add: (node) => noExecute(node).length > 0 && addPods(node),
      update: (before, after) => before.spec !== after.spec && noExecute(before).length + noExecute(after).length > 0 && addPods(after),
    });
    const addPod = (pod: ReadPod) => {
      if (pod.spec.nodeName && noExecute(all.lister.find(pod.spec.nodeName)).length > 0) work.add(pod);
    };
    podIndex.informer.addHandler({ add: addPod, update: (before, after) => before.spec !== after.spec && addPod(after) });

    /** By key, when a Pod was first seen beside taints that do not say since when they are there. */
    const since = new Map<string, number>();
    podIndex.informer.addHandler({ delete: ({ metadata }) => void since.delete(keyOf(metadata)) });

    async function reconcile(key: string): Promise<Result> {
      const pod = podIndex.find(key);
      if (pod === undefined || pod.metadata.deletionTimestamp !== undefined) return DONE;
      const taints = noExecute(all.lister.find(pod.spec.nodeName ?? ''));
      const eviction = evictionOf(pod, taints);
      if (taints.length === 0 || eviction.type === 'never') {
        since.delete(key);
        return DONE;
      }
      if (eviction.type === 'after') {
        const first = since.get(key) ?? clock.now();
        since.set(key, first);
        const leftMs = startOf(pod, taints, first) + eviction.seconds * 1000 - clock.now();
        if (leftMs > 0) return requeueAfter(leftMs);
      }
      await evict(pod, context);
      return DONE;
    }

    return work.run({ workers: 8, reconcile });
  },
};

function startOf({ metadata }: ReadPod, taints: readonly ReadTaint[], first: number): number {
  const added = taints.map(({ timeAdded }) => timeMs(timeAdded)).filter((ms) => !Number.isNaN(ms));
  return Math.max(added.length === 0 ? first : Math.min(...added), timeMs(metadata.creationTimestamp) || 0);
}

async function evict(pod: ReadPod, { client, clock, recorder }: ControllerContext): Promise<void> {
  const { namespace, name, uid } = pod.metadata;
  recorder.event(pod, 'Normal', 'TaintManagerEviction', `Marking for deletion Pod ${keyOf(pod.metadata)}`);
  const condition = {
    type: 'DisruptionTarget',
    status: 'True',
    reason: 'DeletionByTaintManager',
    message: 'Taint manager: deleting due to NoExecute taint',
    lastTransitionTime: formatTime(clock.now()),
  };
  try {
    await client.patch(
      pods,
      { namespace, name },
      'strategic',
      { metadata: { uid }, status: { conditions: [condition] } },
      { subresource: 'status' },
    );
    await client.delete(pods, { namespace, name }, { preconditions: { uid } });
  } catch (error) {
    if (!isNotFound(error) && !isConflict(error)) throw error;
  }
}
