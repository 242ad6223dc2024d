// SPDX-License-Identifier: Apache-2.0
// daemonset-controller: one Pod on every node that a DaemonSet is for. Failed daemons are replaced at the pace of the work queue.
import { controllerrevisions, daemonsets, nodes } from '#api/resources';
import { deepEqual, keyOf, selectorOf } from '#machinery';
import { type ControllerEntry, KeyQueue } from '../context.ts';
import type { ReadNode } from '../nodes/node-fit.ts';
import { Expectations } from '../pods/expectations.ts';
import { PodControl } from '../pods/pod-control.ts';
import { PodIndex } from '../pods/pod-index.ts';
import { watchOwned } from '../pods/watch-owned.ts';
import { judgeNode } from './plan.ts';
import { reconcile } from './reconcile.ts';

export const daemonSet: ControllerEntry = {
  name: 'daemonset-controller',
  account: 'daemon-set-controller',
  eventSource: 'daemonset-controller',
  create(context) {
    const { client, clock, recorder, informers } = context;
    const sets = informers.informer(daemonsets);
    const allNodes = informers.informer(nodes);
    const revisions = informers.informer(controllerrevisions);
    const pods = new PodIndex(informers);
    const expectations = new Expectations(clock);
    const work = new KeyQueue(context, 'daemonset-controller');
    work.follow(sets);
    sets.addHandler({ delete: ({ metadata }) => expectations.forget(keyOf(metadata)) });
    watchOwned({
      kind: 'DaemonSet',
      owners: sets,
      selectorOf: ({ spec }) => selectorOf(spec.selector as Parameters<typeof selectorOf>[0]),
      pods,
      work,
      expectations,
    });
    const addAll = () => sets.lister.list().forEach(work.add);
    allNodes.addHandler({ add: addAll, delete: addAll, update: (before, after) => addAffected(before, after) });
    // Only the DaemonSets for which the change makes a difference.
    function addAffected(before: ReadNode, after: ReadNode): void {
      if (deepEqual(before.metadata.labels, after.metadata.labels) && deepEqual(before.spec, after.spec)) return;
      for (const set of sets.lister.list()) if (!deepEqual(judgeNode(set, before), judgeNode(set, after))) work.add(set);
    }
    const deps = {
      client,
      clock,
      recorder,
      sets: sets.lister,
      nodes: allNodes.lister,
      revisions: revisions.lister,
      pods,
      control: new PodControl(context),
      expectations,
    };
    return work.run({ reconcile: (key) => reconcile(key, deps) });
  },
};
