// SPDX-License-Identifier: Apache-2.0
// The heartbeat by which servers of one cluster know each other: a Lease in kube-system per server, renewed every 10 s; those of servers
// that have been silent for an hour are swept away.
// @source upstream pkg/controlplane/apiserver/server.go, pkg/controlplane/controller/apiserverleasegc, KEP-1965
import { createHash, randomUUID } from 'node:crypto';
import { leases } from '#api';
import type { Lease } from '#api/coordination/v1';
import type { Client } from '#client';
import { type Clock, formatMicroTime, type Logger } from '#component';
import { type DeepReadonly, isNotFound } from '#machinery';

export interface IdentityLeaseOptions {
  readonly client: Client;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly hostname: string;
}

const NAMESPACE = 'kube-system';
const IDENTITY = 'apiserver.kubernetes.io/identity';
const COMPONENT = 'kube-apiserver';
const HOSTNAME = 'kubernetes.io/hostname';
const DURATION_SECONDS = 3600;
const RENEW_MS = 10_000;
const SWEEP_MS = 3_600_000;

/** `apiserver-` and a hash of who and where it is. @source upstream apiserver pkg/server/config.go */
export function identityOf(hostname: string): string {
  const parts = [hostname, COMPONENT].flatMap((text) => {
    const bytes = Buffer.from(text);
    return [Buffer.from([bytes.length >> 8, bytes.length & 255]), bytes];
  });
  const hash = createHash('sha256').update(Buffer.concat(parts)).digest().subarray(0, 16);
  return `apiserver-${base32(hash)}`;
}

const DIGITS = 'abcdefghijklmnopqrstuvwxyz234567';

function base32(bytes: Uint8Array): string {
  const bits = [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  return (bits.match(/.{1,5}/g) ?? []).map((five) => DIGITS[Number.parseInt(five.padEnd(5, '0'), 2)]).join('');
}

/** Renews until `signal`. A failure is logged, and mended by the next round. */
export async function keepIdentityLease(options: IdentityLeaseOptions, signal: AbortSignal): Promise<void> {
  const { clock, logger, hostname } = options;
  const holder = `${identityOf(hostname)}_${randomUUID()}`;
  let sweptAt = clock.now();
  while (!signal.aborted) {
    try {
      await renew(options, holder);
      if (clock.now() - sweptAt >= SWEEP_MS) {
        sweptAt = clock.now();
        await sweep(options);
      }
    } catch (error) {
      if (!signal.aborted) logger.warn({ error: String(error) }, 'Cannot renew the lease of this server');
    }
    await clock.sleep(RENEW_MS, signal).catch(() => undefined);
  }
}

async function renew({ client, clock, hostname }: IdentityLeaseOptions, holderIdentity: string): Promise<void> {
  const ref = { namespace: NAMESPACE, name: identityOf(hostname) };
  const spec = { holderIdentity, leaseDurationSeconds: DURATION_SECONDS, renewTime: formatMicroTime(clock.now()) };
  const labels = { [IDENTITY]: COMPONENT, [HOSTNAME]: hostname };
  const found = await findLease(client, ref);
  if (found === undefined) await client.create(leases, { metadata: { ...ref, labels }, spec });
  else await client.update(leases, { ...found, metadata: { ...found.metadata, labels: { ...found.metadata.labels, ...labels } }, spec });
}

async function findLease(client: Client, ref: { namespace: string; name: string }): Promise<DeepReadonly<Lease> | undefined> {
  return client.get(leases, ref).catch((error: unknown) => {
    if (isNotFound(error)) return undefined;
    throw error;
  });
}

async function sweep({ client, clock }: IdentityLeaseOptions): Promise<void> {
  const { items } = await client.list(leases, { namespace: NAMESPACE, labelSelector: `${IDENTITY}=${COMPONENT}` });
  for (const { metadata, spec } of items) {
    const { renewTime, leaseDurationSeconds } = spec ?? {};
    const isExpired = !renewTime || !leaseDurationSeconds || Date.parse(renewTime) + leaseDurationSeconds * 1000 < clock.now();
    if (!isExpired) continue;
    await client.delete(leases, metadata).catch((error: unknown) => {
      if (!isNotFound(error)) throw error;
    });
  }
}
