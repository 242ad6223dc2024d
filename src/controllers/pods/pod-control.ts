// SPDX-License-Identifier: Apache-2.0
// Creates and deletes the Pods of a controller, with upstream's events, and adopts or releases them by owner references.
import type { Pod, PodTemplateSpec } from '#api/core/v1';
import { pods } from '#api/resources';
import { ApiError, type DeepReadonly, type Draft, isInvalid, isNotFound, type KubeObject, type OwnerReference } from '#machinery';
import type { ControllerContext } from '../context.ts';

export class PodControl {
  readonly #context: Pick<ControllerContext, 'client' | 'recorder'>;

  constructor(context: Pick<ControllerContext, 'client' | 'recorder'>) {
    this.#context = context;
  }

  /** @throws {ApiError} After a FailedCreate event, unless the namespace is going. */
  async create(owner: DeepReadonly<KubeObject>, draft: Draft<Pod>): Promise<void> {
    const { client, recorder } = this.#context;
    try {
      const made = await client.create(pods, draft);
      recorder.event(owner, 'Normal', 'SuccessfulCreate', `Created pod: ${made.metadata.name}`);
    } catch (error) {
      if (!isNamespaceTerminating(error)) recorder.event(owner, 'Warning', 'FailedCreate', `Error creating: ${messageOf(error)}`);
      throw error;
    }
  }

  /** @throws {ApiError} After a FailedDelete event. A Pod that is gone is no failure. */
  async delete(owner: DeepReadonly<KubeObject>, { metadata: { namespace, name, uid } }: DeepReadonly<Pod>): Promise<void> {
    const { client, recorder } = this.#context;
    try {
      await client.delete(pods, { namespace, name }, { preconditions: { uid } });
    } catch (error) {
      if (isNotFound(error)) return;
      recorder.event(owner, 'Warning', 'FailedDelete', `Error deleting: ${messageOf(error)}`);
      throw error;
    }
    recorder.event(owner, 'Normal', 'SuccessfulDelete', `Deleted pod: ${name}`);
  }

  async adopt(pod: DeepReadonly<Pod>, owner: OwnerReference, finalizers: readonly string[] = []): Promise<void> {
    const { namespace, name, uid } = pod.metadata;
    const kept = finalizers.length === 0 ? {} : { finalizers };
    await this.#context.client.patch(pods, { namespace, name }, 'strategic', { metadata: { uid, ownerReferences: [owner], ...kept } });
  }

  /** Removes the owner reference; a Pod that is gone or changed hands is no failure. */
  async release(pod: DeepReadonly<Pod>, ownerUid: string, finalizers: readonly string[] = []): Promise<void> {
    const { namespace, name, uid } = pod.metadata;
    const freed = finalizers.length === 0 ? {} : { '$deleteFromPrimitiveList/finalizers': finalizers };
    try {
      await this.#context.client.patch(pods, { namespace, name }, 'strategic', {
        metadata: { uid, ownerReferences: [{ $patch: 'delete', uid: ownerUid }], ...freed },
      });
    } catch (error) {
      if (!isNotFound(error) && !isInvalid(error)) throw error;
    }
  }
}

/** The Pod that a template makes for its controller. */
export function podFromTemplate(
  owner: DeepReadonly<KubeObject>,
  reference: OwnerReference,
  { metadata, spec }: DeepReadonly<PodTemplateSpec>,
): Draft<Pod> {
  const { labels, annotations, finalizers } = metadata ?? {};
  return {
    metadata: {
      namespace: owner.metadata.namespace,
      generateName: `${owner.metadata.name}-`,
      ...(labels === undefined ? {} : { labels: { ...labels } }),
      ...(annotations === undefined ? {} : { annotations: { ...annotations } }),
      ...(finalizers === undefined ? {} : { finalizers: [...finalizers] }),
      ownerReferences: [reference],
    },
    // A template's spec is a Pod's; what is handed to the client is never changed.
    spec: spec as Draft<Pod['spec']>,
  };
}

/** The server refuses what is new in a namespace that is being deleted: trying again cannot help. */
export function isNamespaceTerminating(error: unknown): boolean {
  return error instanceof ApiError && (error.status.details?.causes ?? []).some(({ reason }) => reason === 'NamespaceTerminating');
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/**
 * Runs `one` for 0..count-1 in batches of 1, 2, 4, ... and stops after a batch with a failure, so that what cannot succeed (a quota)
 * is not tried a thousand times.
 *
 * @returns How many succeeded, and the first error.
 */
export async function slowStart(count: number, one: (index: number) => Promise<void>): Promise<{ done: number; error: unknown }> {
  let next = 0;
  for (let size = 1; next < count; size *= 2) {
    const batch = Math.min(size, count - next);
    const first = next;
    const results = await Promise.allSettled(Array.from({ length: batch }, (_, index) => one(first + index)));
    next += batch;
    const failed = results.filter((result) => result.status === 'rejected');
    if (failed.length > 0) return { done: next - failed.length, error: failed[0]?.reason };
  }
  return { done: next, error: undefined };
}
