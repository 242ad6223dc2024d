// SPDX-License-Identifier: Apache-2.0
// endpointslice-mirroring-controller: the EndpointSlices of Endpoints that somebody made for a Service without a selector, so that what
// reads slices only sees those too.
import type { Endpoints } from '#api/core/v1';
import type { EndpointSlice } from '#api/discovery/v1';
import { endpointslices, endpoints as endpointsResource, services } from '#api/resources';
import { DONE } from '#client';
import { type DeepReadonly, deepCopy, isForbidden, isNotFound } from '#machinery';
import { type ControllerEntry, controllerReference, KeyQueue } from '../context.ts';
import { MANAGED_BY, SERVICE_NAME, serviceKeyOf } from '../endpoint-slice/mod.ts';
import { type MirrorContent, type MirrorMarks, planMirror } from './plan.ts';

const CONTROLLER = 'endpointslicemirroring-controller.k8s.io';
const SKIP = 'endpointslice.kubernetes.io/skip-mirror';
const LEADER = 'control-plane.alpha.kubernetes.io/leader';
const NOT_COPIED = new Set(['endpoints.kubernetes.io/last-change-trigger-time', 'kubectl.kubernetes.io/last-applied-configuration']);
const MIRRORED = 'mirrored';

export const endpointSliceMirroring: ControllerEntry = {
  name: 'endpointslice-mirroring-controller',
  account: 'endpointslicemirroring-controller',
  create(context) {
    const { client, informers } = context;
    const work = new KeyQueue(context, 'endpointslice-mirroring-controller');
    const all = informers.informer(endpointsResource);
    const allServices = informers.informer(services);
    const slices = informers.informer(endpointslices);
    const isOurs = ({ metadata }: DeepReadonly<EndpointSlice>) => metadata.labels?.[MANAGED_BY] === CONTROLLER;
    slices.addIndex(MIRRORED, (slice) => (isOurs(slice) ? [serviceKeyOf(slice)] : []));
    work.follow(all);
    work.follow(allServices);
    const look = (slice: DeepReadonly<EndpointSlice>) => isOurs(slice) && work.addKey(serviceKeyOf(slice));
    slices.addHandler({ update: (_, after) => look(after), delete: look });
    /** Written here and maybe not shown by the cache yet: nothing is made twice. */
    const pending = new Map<string, Map<string, DeepReadonly<EndpointSlice>>>();

    function slicesOf(key: string): DeepReadonly<EndpointSlice>[] {
      const unseen = pending.get(key);
      const cached = slices.lister.byIndex(MIRRORED, key);
      for (const { metadata } of cached) unseen?.delete(metadata.uid);
      if (unseen?.size === 0) pending.delete(key);
      return [...cached, ...(unseen?.values() ?? [])];
    }

    async function remove(key: string, { metadata }: DeepReadonly<EndpointSlice>): Promise<void> {
      pending.get(key)?.delete(metadata.uid);
      try {
        await client.delete(endpointslices, metadata);
      } catch (error) {
        if (!isNotFound(error)) throw error;
      }
    }

    async function create(key: string, endpoints: DeepReadonly<Endpoints>, content: MirrorContent, marks: MirrorMarks): Promise<void> {
      const { namespace, name } = endpoints.metadata;
      const ownerReferences = [controllerReference(endpoints, endpointsResource)];
      const made = await client.create(endpointslices, {
        metadata: { namespace, generateName: `${name}-`, ...deepCopy(marks), ownerReferences },
        ...(deepCopy(content) as Pick<EndpointSlice, 'addressType' | 'endpoints' | 'ports'>),
      });
      const unseen = pending.get(key) ?? new Map<string, DeepReadonly<EndpointSlice>>();
      pending.set(key, unseen.set(made.metadata.uid, made));
    }

    return work.run({
      async reconcile(key) {
        const endpoints = all.lister.find(key);
        const service = allServices.lister.find(key);
        const mirrors = slicesOf(key);
        if (endpoints === undefined || service === undefined || !isMirrored(endpoints) || service.spec.selector !== undefined) {
          for (const slice of mirrors) await remove(key, slice);
          return DONE;
        }
        const marks = marksOf(endpoints);
        const plan = planMirror(endpoints, mirrors, marks);
        try {
          for (const content of plan.create) await create(key, endpoints, content, marks);
          for (const { slice, content } of plan.update) {
            const { addressType: _, ...parts } = content;
            const metadata = { ...slice.metadata, ...marks };
            await client.update(endpointslices, { ...slice, ...(parts as Pick<EndpointSlice, 'endpoints' | 'ports'>), metadata });
          }
        } catch (error) {
          if (!isForbidden(error)) throw error; // The namespace is going.
        }
        for (const slice of plan.remove) await remove(key, slice);
        return DONE;
      },
    });
  },
};

/** Not what other controllers keep slices for, nor the locks of old leader elections. */
function isMirrored({ metadata }: DeepReadonly<Endpoints>): boolean {
  return metadata.deletionTimestamp === undefined && metadata.labels?.[SKIP] !== 'true' && metadata.annotations?.[LEADER] === undefined;
}

function marksOf({ metadata }: DeepReadonly<Endpoints>): MirrorMarks {
  const annotations = Object.entries(metadata.annotations ?? {}).filter(([name]) => !NOT_COPIED.has(name));
  return {
    labels: { ...metadata.labels, [SERVICE_NAME]: metadata.name, [MANAGED_BY]: CONTROLLER },
    annotations: Object.fromEntries(annotations),
  };
}
