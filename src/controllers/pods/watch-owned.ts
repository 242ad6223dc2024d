// SPDX-License-Identifier: Apache-2.0
// Tells the owners of Pods about them: by controller reference, or, for Pods without one, every owner whose selector takes them.
// Expectations are lowered as Pods are seen to come and go.
import type { Pod } from '#api/core/v1';
import type { Informer } from '#client';
import { type DeepReadonly, type KubeObject, keyOf, type Selector } from '#machinery';
import { controllerOf, type KeyQueue, ownerKeyOf } from '../context.ts';
import type { Expectations } from './expectations.ts';
import type { PodIndex } from './pod-index.ts';

export interface WatchOwnedOptions<T extends KubeObject> {
  readonly kind: string;
  readonly owners: Informer<T>;
  readonly selectorOf: (owner: DeepReadonly<T>) => Selector;
  readonly pods: PodIndex;
  readonly work: KeyQueue;
  readonly expectations?: Expectations;
}

export function watchOwned<T extends KubeObject>({ kind, owners, selectorOf, pods, work, expectations }: WatchOwnedOptions<T>): void {
  type ReadPod = DeepReadonly<Pod>;
  const ownerOf = (pod: ReadPod) => ownerKeyOf(pod, kind);
  const addSelecting = (pod: ReadPod) => {
    if (controllerOf(pod) !== undefined || pod.metadata.labels === undefined) return;
    for (const owner of owners.lister.list(pod.metadata.namespace)) {
      const selector = selectorOf(owner);
      if (!selector.isEmpty && selector.matches(pod.metadata.labels)) work.add(owner as unknown as DeepReadonly<KubeObject>);
    }
  };
  const addOwner = (pod: ReadPod) => {
    const owner = ownerOf(pod);
    if (owner !== undefined) work.addKey(owner);
  };
  const seenGoing = (pod: ReadPod) => {
    const owner = ownerOf(pod);
    if (owner === undefined) return;
    expectations?.deleted(owner, keyOf(pod.metadata));
    work.addKey(owner);
  };
  pods.informer.addHandler({
    add(pod, initial) {
      if (pod.metadata.deletionTimestamp !== undefined) return seenGoing(pod);
      const owner = ownerOf(pod);
      if (owner === undefined) return addSelecting(pod);
      if (!initial) expectations?.created(owner);
      work.addKey(owner);
    },
    update(before, after) {
      if (after.metadata.deletionTimestamp !== undefined && before.metadata.deletionTimestamp === undefined) seenGoing(after);
      if (ownerOf(before) !== ownerOf(after)) addOwner(before);
      addOwner(after);
      if (controllerOf(before) !== undefined || before.metadata.labels !== after.metadata.labels) addSelecting(after);
    },
    delete: seenGoing,
  });
}
