// SPDX-License-Identifier: Apache-2.0
// namespace-controller: empties a Namespace that is being deleted, then gives up its finalizer, so that the server removes it.
//
// Flow: discover every namespaced resource that can be listed and deleted (built-in or not); delete its collection; list what stays;
// write the conditions; finalize when nothing is left, else look again when the slowest Pod must be gone. Nothing else is touched while
// Pods remain: they may still read what is there (KEP-5080).

import { namespaces } from '#api/resources';
import { DONE, requeueAfter } from '#client';
import { formatTime } from '#component';
import { isConflict, isNotFound, type Resource } from '#machinery';
import { type ControllerEntry, KeyQueue } from '../context.ts';
import { conditionsOf, type Outcome } from './conditions.ts';
import { emptyResource } from './content.ts';
import { discoverNamespaced } from './discovery.ts';

const FINALIZER = 'kubernetes';
/** What else is left has finalizers of its own: look now and then. */
const RETRY_MS = 5000;

export const namespace: ControllerEntry = {
  name: 'namespace-controller',
  account: 'namespace-controller',
  create(context) {
    const { client, informers, clock } = context;
    const all = informers.informer(namespaces);
    const work = new KeyQueue(context, 'namespace-controller');
    const addDying = (object: Parameters<typeof work.add>[0]) => {
      if (object.metadata.deletionTimestamp !== undefined) work.add(object);
    };
    all.addHandler({ add: addDying, update: (_, after) => addDying(after) });

    async function reconcile(name: string, signal: AbortSignal) {
      const cached = all.lister.find(name);
      if (cached?.metadata.deletionTimestamp === undefined || !cached.spec.finalizers?.includes(FINALIZER)) return DONE;
      const { resources, failures } = await discoverNamespaced(client, signal);
      const outcome: Outcome = {
        discoveryFailures: failures,
        contentFailures: [],
        deleteFailures: [],
        remaining: new Map(),
        finalizers: new Map(),
      };
      let graceMs = 0;
      for (const resource of podsFirst(resources)) {
        graceMs = Math.max(graceMs, await emptyResource({ client, clock, resource, namespace: name, outcome }));
        if (isPods(resource) && outcome.remaining.size > 0) break;
      }
      await finish(name, outcome);
      const isEmpty = outcome.remaining.size === 0 && outcome.deleteFailures.length === 0 && outcome.contentFailures.length === 0;
      if (isEmpty && failures.length === 0) return DONE;
      return requeueAfter(outcome.remaining.size > 0 && graceMs > 0 ? Math.min(graceMs + 500, RETRY_MS) : 1000);
    }

    async function finish(name: string, outcome: Outcome): Promise<void> {
      const now = formatTime(clock.now());
      try {
        const live = await client.get(namespaces, { name });
        const { conditions, changed } = conditionsOf(live.status?.conditions ?? [], outcome, now);
        const latest = changed
          ? await client.update(
              namespaces,
              { ...live, status: { ...live.status, phase: 'Terminating', conditions } },
              { subresource: 'status' },
            )
          : live;
        const { discoveryFailures, deleteFailures, contentFailures, remaining } = outcome;
        if (discoveryFailures.length + deleteFailures.length + contentFailures.length + remaining.size > 0) return;
        const finalizers = (latest.spec.finalizers ?? []).filter((finalizer) => finalizer !== FINALIZER);
        await client.update(namespaces, { ...latest, spec: { ...latest.spec, finalizers } }, { subresource: 'finalize' });
      } catch (error) {
        if (!isNotFound(error)) throw error;
      }
    }

    return work.run({
      workers: 10,
      async reconcile(name, signal) {
        try {
          return await reconcile(name, signal);
        } catch (error) {
          if (isConflict(error)) return requeueAfter(50);
          throw error;
        }
      },
    });
  },
};

function isPods({ group, resource }: Resource): boolean {
  return group === '' && resource === 'pods';
}

function podsFirst(resources: readonly Resource[]): readonly Resource[] {
  return [...resources.filter(isPods), ...resources.filter((resource) => !isPods(resource))];
}
