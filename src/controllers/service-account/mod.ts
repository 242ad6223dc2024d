// SPDX-License-Identifier: Apache-2.0
// serviceaccount-controller: every Namespace that is not going has a ServiceAccount `default`.

import { namespaces, serviceaccounts } from '#api/resources';
import { DONE } from '#client';
import { isAlreadyExists, isForbidden } from '#machinery';
import { type ControllerEntry, KeyQueue } from '../context.ts';

const NAME = 'default';

export const serviceAccount: ControllerEntry = {
  name: 'serviceaccount-controller',
  account: 'service-account-controller',
  create(context) {
    const { client, informers } = context;
    const all = informers.informer(namespaces);
    const accounts = informers.informer(serviceaccounts);
    const work = new KeyQueue(context, 'serviceaccount-controller');
    const add = (object: { metadata: { name: string } }) => work.addKey(object.metadata.name);
    all.addHandler({ add, update: (_, after) => add(after) });
    accounts.addHandler({ delete: ({ metadata }) => metadata.name === NAME && work.addKey(metadata.namespace ?? '') });
    return work.run({
      async reconcile(namespace) {
        const found = all.lister.find(namespace);
        if (found?.status?.phase !== 'Active' || accounts.lister.find(`${namespace}/${NAME}`) !== undefined) return DONE;
        try {
          await client.create(serviceaccounts, { metadata: { namespace, name: NAME } });
        } catch (error) {
          // The namespace may have begun to go in the meantime.
          if (!isAlreadyExists(error) && !isForbidden(error)) throw error;
        }
        return DONE;
      },
    });
  },
};
