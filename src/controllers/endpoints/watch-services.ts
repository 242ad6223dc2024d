// SPDX-License-Identifier: Apache-2.0
// Adds the keys of Services whose endpoints may change: the Service itself, its Pods, its slices or Endpoints.
import { services } from '#api/resources';
import type { ControllerContext, KeyQueue } from '../context.ts';
import { PodIndex } from '../pods/pod-index.ts';
import { endpointChanged, type ReadPod, type ReadService, selects } from './service-pods.ts';

/** @returns The informer of Services and the Pods, for reading. */
export function watchServices({ informers }: ControllerContext, work: KeyQueue) {
  const all = informers.informer(services);
  const pods = new PodIndex(informers);
  work.follow(all);
  const addSelecting = (pod: ReadPod) => {
    for (const service of all.lister.list(pod.metadata.namespace)) if (selects(service, pod.metadata.labels)) work.add(service);
  };
  pods.informer.addHandler({
    add: addSelecting,
    update(before, after) {
      if (!endpointChanged(before, after)) return;
      addSelecting(after);
      if (before.metadata.labels !== after.metadata.labels) addSelecting(before);
    },
    delete: addSelecting,
  });
  const podsOf = (service: ReadService) =>
    pods.in(service.metadata.namespace ?? '').filter(({ metadata }) => selects(service, metadata.labels));
  return { services: all.lister, podsOf };
}
