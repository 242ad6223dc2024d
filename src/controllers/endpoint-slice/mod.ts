// SPDX-License-Identifier: Apache-2.0
// endpointslice-controller: the EndpointSlices of every Service with a selector. Topology hints are not given.
import type { EndpointSlice } from '#api/discovery/v1';
import { endpointslices, nodes, services as serviceResource } from '#api/resources';
import { DONE } from '#client';
import { type DeepReadonly, type Draft, deepCopy, isConflict, isForbidden, isNotFound, keyOf } from '#machinery';
import { type ControllerEntry, controllerReference, KeyQueue } from '../context.ts';
import { HEADLESS, isHeadless, type ReadService } from '../endpoints/service-pods.ts';
import { watchServices } from '../endpoints/watch-services.ts';
import { planSlices, type SliceContent } from './plan.ts';

export const SERVICE_NAME = 'kubernetes.io/service-name';
export const MANAGED_BY = 'endpointslice.kubernetes.io/managed-by';
const CONTROLLER = 'endpointslice-controller.k8s.io';
const SERVICE = 'service';

/** Slices by `namespace/service`, whoever made them. */
export function serviceKeyOf({ metadata }: DeepReadonly<EndpointSlice>): string {
  return keyOf({ namespace: metadata.namespace, name: metadata.labels?.[SERVICE_NAME] ?? '' });
}

export const endpointSlice: ControllerEntry = {
  name: 'endpointslice-controller',
  account: 'endpointslice-controller',
  create(context) {
    const { client, informers, recorder } = context;
    const work = new KeyQueue(context, 'endpointslice-controller');
    const { services, podsOf } = watchServices(context, work);
    const all = informers.informer(endpointslices);
    const allNodes = informers.informer(nodes);
    all.addIndex(SERVICE, (slice) => [serviceKeyOf(slice)]);
    const isOurs = ({ metadata }: DeepReadonly<EndpointSlice>) => metadata.labels?.[MANAGED_BY] === CONTROLLER;
    const seen = new Map<string, string>();
    const addService = (slice: DeepReadonly<EndpointSlice>) => {
      // Our own writes come back here; only others' changes need another look.
      if (isOurs(slice) && seen.get(slice.metadata.uid) !== slice.metadata.resourceVersion) work.addKey(serviceKeyOf(slice));
    };
    all.addHandler({
      update: (_, after) => addService(after),
      delete(slice) {
        seen.delete(slice.metadata.uid);
        if (isOurs(slice)) work.addKey(serviceKeyOf(slice));
      },
    });
    /** Slices made here that the cache may not show yet. */
    const fresh = new Map<string, DeepReadonly<EndpointSlice>>();
    all.addHandler({ add: ({ metadata }) => void fresh.delete(metadata.uid), delete: ({ metadata }) => void fresh.delete(metadata.uid) });
    const remember = (slice: DeepReadonly<EndpointSlice>) => seen.set(slice.metadata.uid, slice.metadata.resourceVersion);

    function slicesOf(key: string): DeepReadonly<EndpointSlice>[] {
      const cached = all.lister.byIndex(SERVICE, key).filter(isOurs);
      const known = new Set(cached.map(({ metadata }) => metadata.uid));
      const unseen = [...fresh.values()].filter((slice) => serviceKeyOf(slice) === key && !known.has(slice.metadata.uid));
      return [...cached, ...unseen].filter(({ metadata }) => metadata.deletionTimestamp === undefined);
    }

    async function apply(service: ReadService, key: string): Promise<void> {
      const labels = labelsFor(service);
      const plan = planSlices({
        service,
        pods: podsOf(service),
        slices: slicesOf(key),
        findNode: (name) => allNodes.lister.find(name),
        labels,
      });
      for (const content of plan.create) {
        const made = await client.create(endpointslices, draftOf(service, content, labels));
        remember(made);
        if (all.lister.find(keyOf(made.metadata)) === undefined) fresh.set(made.metadata.uid, made);
      }
      for (const { slice, content } of plan.update) {
        const next = {
          ...slice,
          ...(deepCopy(content) as Pick<EndpointSlice, 'endpoints' | 'ports'>),
          metadata: { ...slice.metadata, labels },
        };
        remember(await client.update(endpointslices, next));
      }
      for (const { metadata } of plan.remove) {
        await client.delete(endpointslices, metadata).catch((error: unknown) => {
          if (!isNotFound(error)) throw error;
        });
      }
    }

    return work.run({
      async reconcile(key) {
        const service = services.find(key);
        // The slices of a Service that is gone have it as owner and go with it.
        if (
          service?.spec.selector === undefined ||
          service.spec.type === 'ExternalName' ||
          service.metadata.deletionTimestamp !== undefined
        )
          return DONE;
        try {
          await apply(service, key);
        } catch (error) {
          if (isForbidden(error)) return DONE; // The namespace is going.
          if (isConflict(error)) throw error; // The cache is behind.
          recorder.event(
            service,
            'Warning',
            'FailedToUpdateEndpointSlices',
            `Error updating Endpoint Slices for Service ${key}: ${error instanceof Error ? error.message : String(error)}`,
          );
          throw error;
        }
        return DONE;
      },
    });
  },
};

function labelsFor(service: ReadService): Record<string, string> {
  const { [HEADLESS]: _, ...own } = service.metadata.labels ?? {};
  return { ...own, ...(isHeadless(service) ? { [HEADLESS]: '' } : {}), [SERVICE_NAME]: service.metadata.name, [MANAGED_BY]: CONTROLLER };
}

function draftOf(service: ReadService, content: SliceContent, labels: Record<string, string>): Draft<EndpointSlice> {
  const { namespace, name } = service.metadata;
  return {
    metadata: { namespace, generateName: `${name}-`, labels, ownerReferences: [controllerReference(service, serviceResource)] },
    ...(deepCopy(content) as Pick<EndpointSlice, 'addressType' | 'endpoints' | 'ports'>),
  };
}
