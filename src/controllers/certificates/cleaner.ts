// SPDX-License-Identifier: Apache-2.0
// certificatesigningrequest-cleaner-controller: removes requests that are done with: an hour after approval or denial, a day after they
// were made and nobody decided.
import type { CertificateSigningRequest } from '#api/certificates/v1';
import { certificatesigningrequests } from '#api/resources';
import { DONE, requeueAfter } from '#client';
import { type DeepReadonly, isNotFound, timeMs } from '#machinery';
import { type ControllerEntry, KeyQueue } from '../context.ts';

/** @source upstream csr cleaner */
const DECIDED_MS = 3600_000;
const PENDING_MS = 24 * 3600_000;

/** When a request may go. */
export function expiryOf({ metadata, status }: DeepReadonly<CertificateSigningRequest>): number {
  const decided = (status?.conditions ?? []).filter(({ type }) => type === 'Approved' || type === 'Denied' || type === 'Failed');
  const times = decided.map(({ lastUpdateTime }) => timeMs(lastUpdateTime) + DECIDED_MS).filter((ms) => !Number.isNaN(ms));
  return Math.min(timeMs(metadata.creationTimestamp) + PENDING_MS, ...times);
}

export const csrCleaner: ControllerEntry = {
  name: 'certificatesigningrequest-cleaner-controller',
  account: 'certificate-controller',
  create(context) {
    const { client, clock, informers } = context;
    const all = informers.informer(certificatesigningrequests);
    const work = new KeyQueue(context, 'certificatesigningrequest-cleaner-controller');
    all.addHandler({ add: work.add, update: (_, after) => work.add(after) });
    return work.run({
      workers: 1,
      async reconcile(name) {
        const request = all.lister.find(name);
        if (request === undefined) return DONE;
        const leftMs = expiryOf(request) - clock.now();
        if (leftMs > 0) return requeueAfter(leftMs);
        await client
          .delete(certificatesigningrequests, { name }, { preconditions: { uid: request.metadata.uid } })
          .catch((error: unknown) => {
            if (!isNotFound(error)) throw error;
          });
        return DONE;
      },
    });
  },
};
