// SPDX-License-Identifier: Apache-2.0
// replicaset-controller and replicationcontroller-controller: keep as many Pods as `spec.replicas` says.
// Pods tell their owner (or, without one, every set that selects them) that something changed.
import type { Pod } from '#api/core/v1';
import type { Informer } from '#client';
import { type DeepReadonly, keyOf } from '#machinery';
import { type ControllerContext, type ControllerEntry, controllerOf, KeyQueue, ownerKeyOf, type Run } from '../context.ts';
import { isActive, isReady } from '../pods/conditions.ts';
import { Expectations } from '../pods/expectations.ts';
import { PodControl } from '../pods/pod-control.ts';
import { PodIndex } from '../pods/pod-index.ts';
import { REPLICA_SET, REPLICATION_CONTROLLER, type ReplicaKind, type ReplicaOwner } from './kinds.ts';
import { reconcile } from './reconcile.ts';

const OWNER = 'owner';

function create(context: ControllerContext, kind: ReplicaKind): Run {
  const { informers, client, clock } = context;
  const owners = informers.informer(kind.resource);
  const pods = new PodIndex(informers);
  const expectations = new Expectations(clock);
  const work = new KeyQueue(context, kind.controller);
  owners.addIndex(OWNER, (owner) => [controllerOf(owner)?.uid ?? '']);
  work.follow(owners);
  owners.addHandler({ delete: ({ metadata }) => expectations.forget(keyOf(metadata)) });
  pods.informer.addHandler(podHandler(kind, { owners, expectations, work }));
  const control = new PodControl(context);
  const related = (owner: DeepReadonly<ReplicaOwner>) => {
    const above = controllerOf(owner)?.uid;
    const siblings = above === undefined ? [owner] : owners.lister.byIndex(OWNER, above);
    return siblings.flatMap(({ metadata }) => pods.ownedBy(metadata.uid)).filter(isActive);
  };
  const deps = { kind, client, clock, owners: owners.lister, pods, control, expectations, related };
  return work.run({ reconcile: (key) => reconcile(key, deps) });
}

interface HandlerParts {
  readonly owners: Informer<ReplicaOwner>;
  readonly expectations: Expectations;
  readonly work: KeyQueue;
}

function podHandler(kind: ReplicaKind, { owners, expectations, work }: HandlerParts) {
  const ownerOf = (pod: DeepReadonly<Pod>) => ownerKeyOf(pod, kind.resource.kind);
  const addSelecting = (pod: DeepReadonly<Pod>) => {
    if (controllerOf(pod) !== undefined || pod.metadata.labels === undefined) return;
    for (const owner of owners.lister.list(pod.metadata.namespace)) if (kind.selectorOf(owner).matches(pod.metadata.labels)) work.add(owner);
  };
  const addOwner = (pod: DeepReadonly<Pod>) => {
    const owner = ownerOf(pod);
    if (owner !== undefined) work.addKey(owner);
  };
  const seenGoing = (pod: DeepReadonly<Pod>) => {
    const owner = ownerOf(pod);
    if (owner === undefined) return;
    expectations.deleted(owner, keyOf(pod.metadata));
    work.addKey(owner);
  };
  return {
    add(pod: DeepReadonly<Pod>, initial: boolean) {
      if (pod.metadata.deletionTimestamp !== undefined) return seenGoing(pod);
      const owner = ownerOf(pod);
      if (owner === undefined) return addSelecting(pod);
      if (!initial) expectations.created(owner);
      work.addKey(owner);
    },
    update(before: DeepReadonly<Pod>, after: DeepReadonly<Pod>) {
      if (after.metadata.deletionTimestamp !== undefined && before.metadata.deletionTimestamp === undefined) seenGoing(after);
      if (ownerOf(before) !== ownerOf(after)) addOwner(before);
      addOwner(after);
      const isNewlyFree = controllerOf(before) !== undefined || before.metadata.labels !== after.metadata.labels || isReady(before) !== isReady(after);
      if (isNewlyFree) addSelecting(after);
    },
    delete: seenGoing,
  };
}

export const replicaSet: ControllerEntry = {
  name: 'replicaset-controller',
  account: 'replicaset-controller',
  create: (context) => create(context, REPLICA_SET),
};

export const replicationController: ControllerEntry = {
  name: 'replicationcontroller-controller',
  account: 'replication-controller',
  eventSource: 'replication-controller',
  create: (context) => create(context, REPLICATION_CONTROLLER),
};
