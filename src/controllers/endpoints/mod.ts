// SPDX-License-Identifier: Apache-2.0
// endpoints-controller: the Endpoints object of every Service with a selector, for what still reads the older form.
import { endpoints } from '#api/resources';
import { DONE } from '#client';
import { deepEqual, isAlreadyExists, isConflict, isForbidden, isNotFound, semanticEqual } from '#machinery';
import { type ControllerEntry, KeyQueue } from '../context.ts';
import { planSubsets } from './plan.ts';
import { HEADLESS, isHeadless, type ReadService } from './service-pods.ts';
import { watchServices } from './watch-services.ts';

const MANAGED_BY = 'endpoints.kubernetes.io/managed-by';
const CONTROLLER = 'endpoint-controller';
const OVER_CAPACITY = 'endpoints.kubernetes.io/over-capacity';

export const endpointsController: ControllerEntry = {
  name: 'endpoints-controller',
  account: 'endpoint-controller',
  create(context) {
    const { client, informers, recorder } = context;
    const work = new KeyQueue(context, 'endpoints-controller');
    const { services, podsOf } = watchServices(context, work);
    const all = informers.informer(endpoints);
    all.addHandler({ delete: work.add });

    async function write(service: ReadService): Promise<void> {
      const { namespace, name } = service.metadata;
      const found = all.lister.find(`${namespace}/${name}`);
      const { subsets, isCut } = planSubsets(service, podsOf(service));
      const labels: Record<string, string> = { ...service.metadata.labels, [MANAGED_BY]: CONTROLLER };
      if (isHeadless(service)) labels[HEADLESS] = '';
      const { [OVER_CAPACITY]: wasCut, ...kept } = found?.metadata.annotations ?? {};
      const annotations: Record<string, string> = { ...kept, ...(isCut ? { [OVER_CAPACITY]: 'truncated' } : {}) };
      if (found === undefined) {
        await client.create(endpoints, { metadata: { namespace, name, labels, annotations }, subsets });
        return;
      }
      const sameCut = (wasCut !== undefined) === isCut;
      if (sameCut && deepEqual(found.metadata.labels ?? {}, labels) && semanticEqual(found.subsets, subsets)) return;
      await client.update(endpoints, { ...found, metadata: { ...found.metadata, labels, annotations }, subsets });
    }

    return work.run({
      async reconcile(key) {
        const service = services.find(key);
        if (service === undefined) {
          const found = all.lister.find(key);
          // Only what was made here is removed here; others' objects of that name stay.
          if (found?.metadata.labels?.[MANAGED_BY] === CONTROLLER) await ignoreGone(client.delete(endpoints, found.metadata));
          return DONE;
        }
        if (service.spec.selector === undefined || service.spec.type === 'ExternalName') return DONE;
        try {
          await write(service);
        } catch (error) {
          if (isAlreadyExists(error) || isNotFound(error) || isConflict(error)) throw error; // The cache is behind.
          if (isForbidden(error)) return DONE; // The namespace is going.
          recorder.event(
            service,
            'Warning',
            'FailedToUpdateEndpoint',
            `Failed to update endpoint ${key}: ${error instanceof Error ? error.message : String(error)}`,
          );
          throw error;
        }
        return DONE;
      },
    });
  },
};

async function ignoreGone(deletion: Promise<void>): Promise<void> {
  try {
    await deletion;
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}
