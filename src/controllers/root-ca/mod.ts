// SPDX-License-Identifier: Apache-2.0
// root-ca-certificate-publisher-controller: every Namespace has the ConfigMap `kube-root-ca.crt` with the cluster's authority,
// which Pods get with their token. A changed or deleted one is put right.

import { configmaps, namespaces } from '#api/resources';
import { DONE } from '#client';
import { isAlreadyExists, isForbidden, isNotFound } from '#machinery';
import { type ControllerEntry, KeyQueue } from '../context.ts';

const NAME = 'kube-root-ca.crt';
const DESCRIPTION = 'kubernetes.io/description';
const TEXT =
  'Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. ' +
  'No other usage is guaranteed across distributions of Kubernetes clusters.';

export const rootCa: ControllerEntry = {
  name: 'root-ca-certificate-publisher-controller',
  account: 'root-ca-cert-publisher',
  create(context) {
    const { client, informers, settings } = context;
    if (settings.rootCa === '') return undefined;
    const all = informers.informer(namespaces);
    const maps = informers.informer(configmaps);
    const work = new KeyQueue(context, 'root-ca-certificate-publisher-controller');
    const ofMap = ({ metadata }: { metadata: { name: string; namespace?: string } }) =>
      metadata.name === NAME && work.addKey(metadata.namespace ?? '');
    all.addHandler({ add: work.add, update: (_, after) => work.add(after) });
    maps.addHandler({ update: (_, after) => ofMap(after), delete: ofMap });
    const wanted = { annotations: { [DESCRIPTION]: TEXT }, data: { 'ca.crt': settings.rootCa } };

    async function publish(namespace: string): Promise<void> {
      const found = maps.lister.find(`${namespace}/${NAME}`);
      if (found === undefined) {
        await client.create(configmaps, { metadata: { namespace, name: NAME, annotations: wanted.annotations }, data: wanted.data });
        return;
      }
      const { annotations } = found.metadata;
      const isRight =
        found.data?.['ca.crt'] === settings.rootCa && Object.keys(found.data).length === 1 && annotations?.[DESCRIPTION] === TEXT;
      if (isRight) return;
      const metadata = { ...found.metadata, annotations: { ...annotations, ...wanted.annotations } };
      await client.update(configmaps, { ...found, metadata, data: wanted.data });
    }

    return work.run({
      async reconcile(namespace) {
        if (all.lister.find(namespace)?.status?.phase !== 'Active') return DONE;
        try {
          await publish(namespace);
        } catch (error) {
          if (!isAlreadyExists(error) && !isForbidden(error) && !isNotFound(error)) throw error;
        }
        return DONE;
      },
    });
  },
};
