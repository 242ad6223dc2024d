// SPDX-License-Identifier: Apache-2.0
// Removes the finalizer by which a Job keeps a Pod until it has counted it. A Pod that is gone, or another by its name, is no failure.
import { pods } from '#api/resources';
import type { Client } from '#client';
import { isNotFound } from '#machinery';
import { type ReadPod, TRACKING } from './plan.ts';

/** @throws {ApiError} Unless the Pod is let go of, or gone. */
export async function stopTracking({ metadata }: ReadPod, client: Client): Promise<void> {
  const { namespace, name, uid } = metadata;
  try {
    await client.patch(pods, { namespace, name }, 'strategic', {
      metadata: { uid, '$deleteFromPrimitiveList/finalizers': [TRACKING] },
    });
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}
