// SPDX-License-Identifier: Apache-2.0
// garbage-collector-controller: removes what has lost its owners, waits in foreground deletions, and orphans on request. Watches every
// built-in resource that can be listed, watched and deleted, and those of CustomResourceDefinitions as they come; resources of
// aggregated API servers are not watched, so their objects are not collected.
import { RESOURCES } from '#api/resources';
import { DONE, type Informer } from '#client';
import { apiVersionOf, type DeepReadonly, type KubeObject, qualifiedResource, type Resource } from '#machinery';
import { type ControllerEntry, KeyQueue } from '../context.ts';
import { AbsentOwners, examine, orphan } from './collector.ts';
import { OwnerGraph } from './graph.ts';

const IGNORED = new Set(['events', 'events.events.k8s.io']);

export const garbageCollector: ControllerEntry = {
  name: 'garbage-collector-controller',
  account: 'generic-garbage-collector',
  create(context) {
    const { client, informers } = context;
    const deletions = new KeyQueue(context, 'garbage-collector-controller');
    const orphans = new KeyQueue(context, 'garbage-collector-controller');
    const graph = new OwnerGraph({ examine: ({ uid }) => deletions.addKey(uid), orphan: ({ uid }) => orphans.addKey(uid) });
    const kinds = new Map<string, Resource>();
    const deps = {
      client,
      graph,
      absent: new AbsentOwners(),
      findResource: (apiVersion: string, kind: string) => kinds.get(`${apiVersion}/${kind}`),
      examine: ({ uid }: { uid: string }) => deletions.addKey(uid),
    };
    const follow = (resource: Resource, informer: Informer<KubeObject>) => {
      kinds.set(`${apiVersionOf(resource)}/${resource.kind}`, resource);
      const set = (object: DeepReadonly<KubeObject>) => graph.set(resource, object);
      informer.addHandler({ add: set, update: (_, after) => set(after), delete: ({ metadata }) => graph.delete(metadata.uid) });
    };
    for (const resource of builtIns()) follow(resource, informers.informer(resource));
    for (const resource of RESOURCES)
      if (!kinds.has(`${apiVersionOf(resource)}/${resource.kind}`)) kinds.set(`${apiVersionOf(resource)}/${resource.kind}`, resource);
    context.customResources.follow({
      add(resource, informer) {
        follow(resource, informer);
        // Owners of this kind could not be looked up before.
        for (const node of graph.virtualNodes()) if (node.kind === resource.kind) deletions.addKey(node.uid);
      },
    });
    const run = deletions.run({
      workers: 20,
      async reconcile(uid) {
        const node = graph.find(uid);
        if (node !== undefined) await examine(node, deps);
        return DONE;
      },
    });
    const runOrphans = orphans.run({
      async reconcile(uid) {
        const node = graph.find(uid);
        if (node !== undefined) await orphan(node, deps);
        return DONE;
      },
    });
    return async (signal) => {
      await Promise.all([run(signal), runOrphans(signal)]);
    };
  },
};

/** One version of each, whose objects can be owned. */
function builtIns(): Resource[] {
  const seen = new Set<string>();
  return RESOURCES.filter((resource) => {
    const name = qualifiedResource(resource);
    const isUsable = ['list', 'watch', 'delete'].every((verb) => resource.verbs.includes(verb));
    if (!isUsable || seen.has(name) || IGNORED.has(name)) return false;
    seen.add(name);
    return true;
  });
}
