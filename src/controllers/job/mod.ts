// SPDX-License-Identifier: Apache-2.0
// job-controller: runs Pods until enough have succeeded, by count or by policy, or too many failed.
import { jobs } from '#api/resources';
import { keyOf, selectorOf } from '#machinery';
import { type ControllerEntry, KeyQueue } from '../context.ts';
import { Expectations } from '../pods/expectations.ts';
import { PodControl } from '../pods/pod-control.ts';
import { PodIndex } from '../pods/pod-index.ts';
import { watchOwned } from '../pods/watch-owned.ts';
import { releaseOrphan, watchOrphans } from './orphans.ts';
import { reconcile } from './reconcile.ts';

export const job: ControllerEntry = {
  name: 'job-controller',
  account: 'job-controller',
  create(context) {
    const { client, clock, recorder, informers } = context;
    const all = informers.informer(jobs);
    const pods = new PodIndex(informers);
    const expectations = new Expectations(clock);
    const work = new KeyQueue(context, 'job-controller');
    work.follow(all);
    all.addHandler({ delete: ({ metadata }) => expectations.forget(keyOf(metadata)) });
    watchOwned({
      kind: 'Job',
      owners: all,
      selectorOf: ({ spec }) => selectorOf(spec.selector as Parameters<typeof selectorOf>[0]),
      pods,
      work,
      expectations,
    });
    const deps = { client, clock, recorder, jobs: all.lister, pods, control: new PodControl(context), expectations };
    const orphans = new KeyQueue(context, 'job-controller-orphans');
    watchOrphans(orphans, all, pods);
    const runs = [
      work.run({ reconcile: (key) => reconcile(key, deps) }),
      orphans.run({ workers: 1, reconcile: (key) => releaseOrphan(key, deps) }),
    ];
    return async (signal) => {
      await Promise.all(runs.map((run) => run(signal)));
    };
  },
};
