// SPDX-License-Identifier: Apache-2.0
// deployment-controller: rolls a Pod template out through ReplicaSets. The deprecated rollback annotation is not acted upon: clients
// roll back by patching the template.
import type { Pod } from '#api/core/v1';
import { deployments, replicasets } from '#api/resources';
import { type DeepReadonly, selectorOf } from '#machinery';
import { type ControllerEntry, controllerOf, KeyQueue, ownerKeyOf } from '../context.ts';
import { PodIndex } from '../pods/pod-index.ts';
import type { ReadDeployment, ReadSet } from './counts.ts';
import { reconcile } from './reconcile.ts';

export const deployment: ControllerEntry = {
  name: 'deployment-controller',
  account: 'deployment-controller',
  create(context) {
    const { informers, client, clock, recorder } = context;
    const all = informers.informer(deployments);
    const sets = informers.informer(replicasets);
    const pods = new PodIndex(informers);
    const work = new KeyQueue(context, 'deployment-controller');
    work.follow(all);
    const addOwner = (set: ReadSet) => {
      const owner = ownerKeyOf(set, 'Deployment');
      if (owner !== undefined) return work.addKey(owner);
      if (controllerOf(set) === undefined && set.metadata.deletionTimestamp === undefined)
        for (const found of selecting(all.lister.list(set.metadata.namespace), set)) work.add(found);
    };
    sets.addHandler({
      add: addOwner,
      update(before, after) {
        if (controllerOf(before)?.uid !== controllerOf(after)?.uid) addOwner(before);
        addOwner(after);
      },
      delete: addOwner,
    });
    // Recreate waits until the last old Pod is gone.
    pods.informer.addHandler({
      delete(pod: DeepReadonly<Pod>) {
        const set = ownerKeyOf(pod, 'ReplicaSet');
        const owner = set === undefined ? undefined : sets.lister.find(set);
        const key = owner === undefined ? undefined : ownerKeyOf(owner, 'Deployment');
        if (key !== undefined && all.lister.find(key)?.spec.strategy?.type === 'Recreate') work.addKey(key);
      },
    });
    const deps = {
      client,
      clock,
      recorder,
      deployments: all.lister,
      sets: sets.lister,
      podsOf: (set: ReadSet) => pods.ownedBy(set.metadata.uid),
    };
    return work.run({ reconcile: (key) => reconcile(key, deps) });
  },
};

function selecting(candidates: readonly ReadDeployment[], { metadata }: ReadSet): readonly ReadDeployment[] {
  return candidates.filter(({ spec }) => {
    const selector = selectorOf(spec.selector as Parameters<typeof selectorOf>[0]);
    return !selector.isEmpty && selector.matches(metadata.labels);
  });
}
