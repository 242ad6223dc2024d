// SPDX-License-Identifier: Apache-2.0
// Who owns which Pod (upstream's PodControllerRefManager): Pods that match the selector and have no controller are adopted, own ones
// that no longer match are released. The owner is read live before the first adoption, since a cached one may be gone.
import type { Pod } from '#api/core/v1';
import { type DeepReadonly, isNotFound, type KubeObject, type OwnerReference, type Selector } from '#machinery';
import { controllerOf } from '../context.ts';
import { isTerminal } from './conditions.ts';
import type { PodControl } from './pod-control.ts';
import type { PodIndex } from './pod-index.ts';

export interface ClaimOptions {
  readonly owner: DeepReadonly<KubeObject>;
  readonly reference: OwnerReference;
  readonly selector: Selector;
  readonly pods: PodIndex;
  readonly control: PodControl;
  /** What the owner keeps its Pods by: added on adoption, removed on release. */
  readonly finalizers?: readonly string[];
  /** The owner as the server has it now. */
  readonly readOwner: () => Promise<DeepReadonly<KubeObject>>;
}

/** @returns The Pods that are the owner's now, ended and going ones too. */
export async function claimPods(options: ClaimOptions): Promise<readonly DeepReadonly<Pod>[]> {
  const { owner, selector, pods } = options;
  const owned = pods.ownedBy(owner.metadata.uid);
  const strangers = owned.filter((pod) => !selector.matches(pod.metadata.labels));
  const isGoing = owner.metadata.deletionTimestamp !== undefined;
  const orphans = isGoing ? [] : pods.orphansIn(owner.metadata.namespace ?? '').filter((pod) => isAdoptable(pod, selector));
  if (strangers.length === 0 && orphans.length === 0) return owned;
  if (!isGoing) for (const pod of strangers) await options.control.release(pod, owner.metadata.uid, options.finalizers);
  const adopted = orphans.length === 0 ? [] : await adoptAll(options, orphans);
  return [...owned.filter((pod) => !strangers.includes(pod)), ...adopted];
}

function isAdoptable(pod: DeepReadonly<Pod>, selector: Selector): boolean {
  return (
    pod.metadata.deletionTimestamp === undefined &&
    !isTerminal(pod) &&
    controllerOf(pod) === undefined &&
    selector.matches(pod.metadata.labels)
  );
}

async function adoptAll(
  { owner, reference, control, finalizers, readOwner }: ClaimOptions,
  orphans: readonly DeepReadonly<Pod>[],
): Promise<DeepReadonly<Pod>[]> {
  const fresh = await readOwner();
  const { uid, deletionTimestamp, namespace, name } = fresh.metadata;
  if (uid !== owner.metadata.uid)
    throw new Error(`original ${reference.kind} ${namespace}/${name} is gone: got uid ${uid}, wanted ${owner.metadata.uid}`);
  if (deletionTimestamp !== undefined) throw new Error(`${namespace}/${name} has just been deleted at ${deletionTimestamp}`);
  const adopted: DeepReadonly<Pod>[] = [];
  for (const pod of orphans) {
    try {
      await control.adopt(pod, reference, finalizers);
      adopted.push(pod);
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }
  return adopted;
}
