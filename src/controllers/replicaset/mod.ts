// SPDX-License-Identifier: Apache-2.0
// replicaset-controller and replicationcontroller-controller: keep as many Pods as `spec.replicas` says.
// Pods tell their owner (or, without one, every set that selects them) that something changed.
import { type DeepReadonly, keyOf } from '#machinery';
import { type ControllerContext, type ControllerEntry, controllerOf, KeyQueue, type Run } from '../context.ts';
import { isActive } from '../pods/conditions.ts';
import { Expectations } from '../pods/expectations.ts';
import { PodControl } from '../pods/pod-control.ts';
import { PodIndex } from '../pods/pod-index.ts';
import { watchOwned } from '../pods/watch-owned.ts';
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
  watchOwned({ kind: kind.resource.kind, owners, selectorOf: kind.selectorOf, pods, work, expectations });
  const control = new PodControl(context);
  const related = (owner: DeepReadonly<ReplicaOwner>) => {
    const above = controllerOf(owner)?.uid;
    const siblings = above === undefined ? [owner] : owners.lister.byIndex(OWNER, above);
    return siblings.flatMap(({ metadata }) => pods.ownedBy(metadata.uid)).filter(isActive);
  };
  const deps = { kind, client, clock, owners: owners.lister, pods, control, expectations, related };
  return work.run({ reconcile: (key) => reconcile(key, deps) });
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
