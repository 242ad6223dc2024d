// SPDX-License-Identifier: Apache-2.0
// Feeds the cache and the queue from informers, and turns changes into the events that wake waiting Pods. What cannot help anybody
// (heartbeats, statuses) wakes nobody.
import type { Node, Pod } from '#api/core/v1';
import { namespaces, nodes, persistentvolumeclaims, persistentvolumes, pods, storageclasses } from '#api/resources';
import type { InformerFactory } from '#client';
import { type DeepReadonly, deepEqual, keyOf } from '#machinery';
import type { SchedulerCache } from './cache/cache.ts';
import { type PodInfo, podInfoOf } from './cache/pod-info.ts';
import { isGated } from './plugins/scheduling-gates.ts';
import type { Nominations } from './preemption/nominations.ts';
import type { SchedulingQueue } from './queue/scheduling-queue.ts';

export interface FeedParts {
  readonly informers: InformerFactory;
  readonly cache: SchedulerCache;
  readonly queue: SchedulingQueue;
  readonly nominations: Nominations;
  /** Pods that ask for another scheduler are not ours. */
  readonly schedulerName: string;
}

type ReadPod = DeepReadonly<Pod>;

/** @source upstream: ended Pods take nothing and are not watched */
const LIVE = 'status.phase!=Succeeded,status.phase!=Failed';

export function feed(parts: FeedParts): void {
  const { informers, queue } = parts;
  feedNodes(parts);
  feedPods(parts);
  const volumes = {
    add: () => queue.onEvent({ resource: 'Volume', action: 'add' }),
    update: () => queue.onEvent({ resource: 'Volume', action: 'update' }),
    delete: () => queue.onEvent({ resource: 'Volume', action: 'delete' }),
  };
  for (const resource of [persistentvolumeclaims, persistentvolumes, storageclasses])
    informers.informer(resource as typeof persistentvolumes).addHandler(volumes);
  informers.informer(namespaces).addHandler({
    update(before, after) {
      if (!deepEqual(before.metadata.labels, after.metadata.labels)) queue.onEvent({ resource: 'Namespace', action: 'update' });
    },
  });
}

function feedNodes({ informers, cache, queue }: FeedParts): void {
  informers.informer(nodes).addHandler({
    add(node) {
      cache.setNode(node);
      queue.onEvent({ resource: 'Node', action: 'add', node });
    },
    update(before, node) {
      if (!matters(before, node)) return;
      cache.setNode(node);
      queue.onEvent({ resource: 'Node', action: 'update', node, before });
    },
    delete(node) {
      cache.removeNode(node.metadata.name);
      queue.onEvent({ resource: 'Node', action: 'delete', node });
    },
  });
}

function matters(before: DeepReadonly<Node>, after: DeepReadonly<Node>): boolean {
  return !(
    deepEqual(before.status?.allocatable, after.status?.allocatable) &&
    deepEqual(before.metadata.labels, after.metadata.labels) &&
    deepEqual(before.spec, after.spec) &&
    deepEqual(before.status?.images, after.status?.images)
  );
}

function feedPods(parts: FeedParts): void {
  parts.informers.informer(pods, { fieldSelector: LIVE }).addHandler({
    add: (pod) => onAdd(pod, parts),
    update(before, after) {
      if (before.spec.nodeName) onAssignedUpdate(before, after, parts);
      else if (after.spec.nodeName) onAdd(after, parts);
      else onWaitingUpdate(before, after, parts);
    },
    delete: (pod) => onDelete(pod, parts),
  });
}

function onAdd(pod: ReadPod, { cache, queue, nominations, schedulerName }: FeedParts): void {
  if (!pod.spec.nodeName) {
    if (pod.spec.schedulerName !== schedulerName && (pod.spec.schedulerName ?? '') !== '') return;
    if (pod.metadata.deletionTimestamp !== undefined || isGated(pod)) return;
    const info = podInfoOf(pod);
    if (pod.status?.nominatedNodeName) nominations.set(info, pod.status.nominatedNodeName);
    queue.add(info);
    return;
  }
  const known = cache.isAssumed(keyOf(pod.metadata)) ? cache.findPod(keyOf(pod.metadata)) : undefined;
  // The one that was scheduled: its requests are worked out already.
  const info: PodInfo = known === undefined || known.uid !== pod.metadata.uid ? podInfoOf(pod) : { ...known, pod };
  cache.setPod(info);
  queue.delete(info.key);
  nominations.delete(info.key);
  queue.onEvent({ resource: 'Pod', action: 'add', pod: info });
}

function onAssignedUpdate(before: ReadPod, after: ReadPod, { cache, queue }: FeedParts): void {
  const known = cache.findPod(keyOf(after.metadata));
  const sameSpec =
    known !== undefined &&
    known.uid === after.metadata.uid &&
    deepEqual(before.spec, after.spec) &&
    deepEqual(before.metadata.labels, after.metadata.labels);
  const info = sameSpec ? { ...known, pod: after } : podInfoOf(after);
  cache.setPod(info);
  const isGoing = before.metadata.deletionTimestamp === undefined && after.metadata.deletionTimestamp !== undefined;
  if (!sameSpec || isGoing) queue.onEvent({ resource: 'Pod', action: 'update', pod: info });
}

function onWaitingUpdate(before: ReadPod, after: ReadPod, parts: FeedParts): void {
  const { queue, schedulerName } = parts;
  if (after.spec.schedulerName !== schedulerName && (after.spec.schedulerName ?? '') !== '') return;
  if (after.metadata.deletionTimestamp !== undefined) {
    onDelete(after, parts);
    return;
  }
  if (isGated(after)) {
    queue.delete(keyOf(after.metadata));
    return;
  }
  const mayHelp = !deepEqual(before.spec, after.spec) || !deepEqual(before.metadata.labels, after.metadata.labels);
  queue.update(podInfoOf(after), { mayHelp });
}

function onDelete(pod: ReadPod, { cache, queue, nominations }: FeedParts): void {
  const key = keyOf(pod.metadata);
  queue.delete(key);
  const wasPromised = nominations.delete(key);
  const info = cache.removePod(key);
  if (info !== undefined) queue.onEvent({ resource: 'Pod', action: 'delete', pod: info });
  else if (wasPromised) queue.onEvent({ resource: 'Pod', action: 'delete', pod: podInfoOf(pod) });
}
