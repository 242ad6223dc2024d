// SPDX-License-Identifier: Apache-2.0
// ttl-after-finished-controller: deletes Jobs `ttlSecondsAfterFinished` after they ended. The Job is read live before, since its time may
// have been prolonged in a change the cache has not shown yet.
import type { Job } from '#api/batch/v1';
import { jobs } from '#api/resources';
import { DONE, requeueAfter } from '#client';
import { type DeepReadonly, isNotFound, refOf, timeMs } from '#machinery';
import { type ControllerEntry, KeyQueue } from '../context.ts';

/** When a Job is to go; undefined where it has not ended or has no such time. */
export function expiryOf({ spec, status, metadata }: DeepReadonly<Job>): number | undefined {
  if (spec.ttlSecondsAfterFinished === undefined || metadata.deletionTimestamp !== undefined) return undefined;
  const ended = status?.conditions?.find(({ type, status: is }) => is === 'True' && (type === 'Complete' || type === 'Failed'));
  return ended === undefined ? undefined : timeMs(ended.lastTransitionTime) + spec.ttlSecondsAfterFinished * 1000;
}

export const ttlAfterFinished: ControllerEntry = {
  name: 'ttl-after-finished-controller',
  account: 'ttl-after-finished-controller',
  create(context) {
    const { client, clock, informers } = context;
    const all = informers.informer(jobs);
    const work = new KeyQueue(context, 'ttl-after-finished-controller');
    const add = (job: DeepReadonly<Job>) => expiryOf(job) !== undefined && work.add(job);
    all.addHandler({ add, update: (_, after) => add(after) });
    return work.run({
      async reconcile(key) {
        const expiry = mapOptional(all.lister.find(key), expiryOf);
        if (expiry === undefined) return DONE;
        if (expiry > clock.now()) return requeueAfter(expiry - clock.now());
        try {
          const fresh = await client.get(jobs, refOf(key));
          const freshExpiry = expiryOf(fresh);
          if (freshExpiry === undefined) return DONE;
          if (freshExpiry > clock.now()) return requeueAfter(freshExpiry - clock.now());
          const { uid } = fresh.metadata;
          await client.delete(jobs, refOf(key), { propagationPolicy: 'Foreground', preconditions: { uid } });
        } catch (error) {
          if (!isNotFound(error)) throw error;
        }
        return DONE;
      },
    });
  },
};

function mapOptional<T, R>(value: T | undefined, map: (value: T) => R): R | undefined {
  return value === undefined ? undefined : map(value);
}
