// SPDX-License-Identifier: Apache-2.0
// The node's heartbeat: a Lease in kube-node-lease, renewed each quarter of its duration. @source KEP-589

import type { Lease } from '#api/coordination/v1';
import { leases } from '#api/resources';
import type { Client } from '#client';
import { type Clock, formatMicroTime, type Logger } from '#component';
import { type DeepReadonly, isAlreadyExists, isConflict, isNotFound } from '#machinery';
import type { NodeView } from './node-status.ts';

interface Deps {
  readonly client: Client;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly nodeName: string;
  readonly durationSeconds: number;
  node(): NodeView | undefined;
}

const NAMESPACE = 'kube-node-lease';
const RETRY_MS = 200;
const RETRY_MAX_MS = 7000;

export async function runNodeLease(deps: Deps, signal: AbortSignal): Promise<void> {
  let lease: DeepReadonly<Lease> | undefined;
  let retryMs = RETRY_MS;
  while (!signal.aborted) {
    try {
      lease = lease === undefined ? await open(deps) : await renew(deps, lease);
      retryMs = RETRY_MS;
      await deps.clock.sleep((deps.durationSeconds * 1000) / 4, signal);
    } catch (error) {
      if (signal.aborted) return;
      if (isConflict(error) || isNotFound(error)) lease = undefined;
      deps.logger.debug({ err: String(error) }, 'Node lease was not renewed, will retry');
      await deps.clock.sleep(retryMs, signal).catch(() => {});
      retryMs = Math.min(retryMs * 2, RETRY_MAX_MS);
    }
  }
}

async function open(deps: Deps): Promise<DeepReadonly<Lease>> {
  const { client, clock, nodeName, durationSeconds } = deps;
  try {
    return await client.create(leases, {
      metadata: { name: nodeName, namespace: NAMESPACE, ...owner(deps.node()) },
      spec: { holderIdentity: nodeName, leaseDurationSeconds: durationSeconds, renewTime: formatMicroTime(clock.now()) },
    });
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
    return renew(deps, await client.get(leases, { namespace: NAMESPACE, name: nodeName }));
  }
}

function renew({ client, clock, nodeName, durationSeconds }: Deps, lease: DeepReadonly<Lease>): Promise<DeepReadonly<Lease>> {
  const spec = { ...lease.spec, holderIdentity: nodeName, leaseDurationSeconds: durationSeconds, renewTime: formatMicroTime(clock.now()) };
  return client.update(leases, { ...lease, spec });
}

function owner(node: NodeView | undefined) {
  if (node === undefined) return {};
  return { ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name: node.metadata.name, uid: node.metadata.uid }] };
}
