// SPDX-License-Identifier: Apache-2.0
// statefulset-controller: Pods with fixed names and claims of their own, made and updated in order or in parallel.
import { controllerrevisions, persistentvolumeclaims, statefulsets } from '#api/resources';
import { selectorOf } from '#machinery';
import { type ControllerEntry, KeyQueue } from '../context.ts';
import { PodControl } from '../pods/pod-control.ts';
import { PodIndex } from '../pods/pod-index.ts';
import { watchOwned } from '../pods/watch-owned.ts';
import { reconcile } from './reconcile.ts';

export const statefulSet: ControllerEntry = {
  name: 'statefulset-controller',
  account: 'statefulset-controller',
  create(context) {
    const { client, clock, recorder, informers } = context;
    const sets = informers.informer(statefulsets);
    const revisions = informers.informer(controllerrevisions);
    const claims = informers.informer(persistentvolumeclaims);
    const pods = new PodIndex(informers);
    const work = new KeyQueue(context, 'statefulset-controller');
    work.follow(sets);
    watchOwned({
      kind: 'StatefulSet',
      owners: sets,
      selectorOf: ({ spec }) => selectorOf(spec.selector as Parameters<typeof selectorOf>[0]),
      pods,
      work,
    });
    const deps = {
      client,
      clock,
      recorder,
      sets: sets.lister,
      revisions: revisions.lister,
      claims: claims.lister,
      pods,
      control: new PodControl(context),
    };
    return work.run({ reconcile: (key) => reconcile(key, deps) });
  },
};
