// SPDX-License-Identifier: Apache-2.0
// resourcequota-controller: works out what is used of each ResourceQuota anew when it changes and when something it counts goes; what
// comes is added by the server's admission. Counts custom resources too, not those of aggregated API servers.
import type { Pod } from '#api/core/v1';
import { pods, RESOURCES, resourcequotas } from '#api/resources';
import { DONE, type Informer } from '#client';
import { type DeepReadonly, isNotFound, type KubeObject, keyOf, qualifiedResource, semanticEqual } from '#machinery';
import { type ControllerEntry, KeyQueue } from '../context.ts';
import { isTerminal } from '../pods/conditions.ts';
import { usageFor } from './usage.ts';

/** Removals come in crowds: count once for all of them. */
const SETTLE_MS = 100;
/** Admission counts what is refused later too: look again when it has counted. */
const RECOUNT_MS = 5000;
const IGNORED = new Set(['events', 'events.events.k8s.io']);

export const resourceQuota: ControllerEntry = {
  name: 'resourcequota-controller',
  account: 'resourcequota-controller',
  create(context) {
    const { client, informers } = context;
    const all = informers.informer(resourcequotas);
    const work = new KeyQueue(context, 'resourcequota-controller');
    all.addHandler({
      add: work.add,
      update(before, after) {
        if (!semanticEqual(before.spec, after.spec)) work.add(after);
        else if (!semanticEqual(before.status, after.status)) work.addAfter(keyOf(after.metadata), RECOUNT_MS);
      },
    });
    const addNamespace = (namespace: string | undefined) => {
      for (const quota of all.lister.list(namespace)) work.addAfter(`${namespace}/${quota.metadata.name}`, SETTLE_MS);
    };
    const addLimiting = (name: string) => {
      for (const quota of all.lister.list()) if (quota.spec.hard?.[name] !== undefined) work.add(quota);
    };
    const counted = new Map<string, Informer<KubeObject>>();
    const count = (name: string, informer: Informer<KubeObject>) => {
      counted.set(name, informer);
      informer.addHandler({ delete: ({ metadata }) => addNamespace(metadata.namespace) });
    };
    for (const resource of RESOURCES) {
      const name = qualifiedResource(resource);
      const isUsable = resource.namespaced && ['list', 'watch', 'delete'].every((verb) => resource.verbs.includes(verb));
      if (!isUsable || IGNORED.has(name) || counted.has(name)) continue;
      count(name, informers.informer(resource));
    }
    context.customResources.follow({
      add: (resource, informer) => resource.namespaced && count(qualifiedResource(resource), informer),
      remove: (resource) => counted.delete(qualifiedResource(resource)),
      // Quotas may have been made before the resource.
      synced: (resource) => addLimiting(`count/${qualifiedResource(resource)}`),
    });
    const ended = (before: DeepReadonly<Pod>, after: DeepReadonly<Pod>) => isTerminal(after) && !isTerminal(before);
    informers.informer(pods).addHandler({ update: (before, after) => ended(before, after) && addNamespace(after.metadata.namespace) });
    return work.run({
      async reconcile(key) {
        const quota = all.lister.find(key);
        if (quota === undefined) return DONE;
        const used = usageFor(quota, (resource) => {
          const informer = counted.get(resource);
          return informer?.hasSynced ? informer.lister.list(quota.metadata.namespace ?? '') : undefined;
        });
        const status = { hard: { ...quota.spec.hard }, used };
        if (semanticEqual(quota.status, status)) return DONE;
        await client.update(resourcequotas, { ...quota, status }, { subresource: 'status' }).catch((error: unknown) => {
          if (!isNotFound(error)) throw error;
        });
        return DONE;
      },
    });
  },
};
