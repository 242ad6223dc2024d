// SPDX-License-Identifier: Apache-2.0
// Deletes all objects of one resource in a namespace, and notes what is left and why.
import type { Client } from '#client';
import type { Clock } from '#component';
import { type DeepReadonly, isNotFound, type KubeObject, qualifiedResource, type Resource, timeMs } from '#machinery';
import type { Outcome } from './conditions.ts';

export interface ContentOptions {
  readonly client: Client;
  readonly clock: Clock;
  readonly resource: Resource;
  readonly namespace: string;
  readonly outcome: Outcome;
}

/** @returns Milliseconds until what is left must have stopped; 0 where nothing is known to stop. */
export async function emptyResource(options: ContentOptions): Promise<number> {
  const { client, resource, namespace, outcome } = options;
  try {
    const before = await client.list(resource, { namespace });
    if (before.items.length === 0) return 0;
    await remove(options, before.items);
    const after = await client.list(resource, { namespace });
    return note(options, after.items);
  } catch (error) {
    if (isNotFound(error)) return 0;
    outcome.deleteFailures.push(error instanceof Error ? error.message : String(error));
    return 0;
  }
}

async function remove({ client, resource, namespace }: ContentOptions, items: readonly DeepReadonly<KubeObject>[]): Promise<void> {
  if (resource.verbs.includes('deletecollection')) {
    await client.deleteCollection(resource, { namespace, propagationPolicy: 'Background' });
    return;
  }
  for (const { metadata } of items) {
    await client.delete(resource, { namespace, name: metadata.name }, { propagationPolicy: 'Background' }).catch((error: unknown) => {
      if (!isNotFound(error)) throw error;
    });
  }
}

function note({ clock, resource, outcome }: ContentOptions, items: readonly DeepReadonly<KubeObject>[]): number {
  if (items.length === 0) return 0;
  outcome.remaining.set(qualifiedResource(resource), items.length);
  for (const { metadata } of items) {
    for (const finalizer of metadata.finalizers ?? []) outcome.finalizers.set(finalizer, (outcome.finalizers.get(finalizer) ?? 0) + 1);
  }
  const last = Math.max(...items.map(({ metadata }) => timeMs(metadata.deletionTimestamp)).filter((ms) => !Number.isNaN(ms)), 0);
  return Math.max(0, last - clock.now());
}
