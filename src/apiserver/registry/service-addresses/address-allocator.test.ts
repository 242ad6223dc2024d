// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Service } from '#api/core/v1';
import type { IPAddress } from '#api/networking/v1';
import { Metrics } from '#component';
import { ApiError, apiError } from '#machinery';
import { AllocationMetrics } from '../../metrics/allocation-metrics.ts';
import type { ObjectReader } from '../strategy.ts';
import { AddressAllocator } from './address-allocator.ts';
import { ServiceCidrs } from './service-cidrs.ts';

interface Cidr {
  readonly cidrs: readonly string[];
  readonly ready?: 'True' | 'False';
  readonly deleted?: boolean;
}

/** An allocator over these ServiceCIDRs, and the addresses taken by their names. */
function allocatorOver(...cidrs: readonly Cidr[]) {
  const taken = new Map<string, IPAddress>();
  const objects = cidrs.map(({ cidrs: list, ready, deleted }, index) => ({
    metadata: { name: `c${index}`, ...(deleted === true && { deletionTimestamp: '2026-01-01T00:00:00Z' }) },
    spec: { cidrs: list },
    ...(ready !== undefined && { status: { conditions: [{ type: 'Ready', status: ready }] } }),
  }));
  const reader = {
    find: (_: unknown, { name }: { name: string }) => taken.get(name),
    list: ({ resource }: { resource: string }) => (resource === 'servicecidrs' ? objects : [...taken.values()]),
  } as unknown as ObjectReader;
  const addresses = {
    async create(address: IPAddress) {
      if (taken.has(address.metadata.name)) throw apiError(409, 'AlreadyExists', 'taken');
      taken.set(address.metadata.name, address);
    },
    async remove(name: string) {
      taken.delete(name);
    },
  };
  const metrics = new AllocationMetrics(new Metrics());
  const allocator = new AddressAllocator({ cidrs: new ServiceCidrs(reader), addresses, reader, pick: () => 0, metrics });
  return { allocator, taken };
}

const service = { metadata: { namespace: 'n', name: 's' }, spec: { clusterIPs: [''] } } as unknown as Service;

async function refusal(call: () => unknown): Promise<string> {
  try {
    await call();
  } catch (error) {
    assert.ok(error instanceof ApiError);
    return error.status.details?.causes?.at(-1)?.message ?? error.message;
  }
  return 'none';
}

const lastPart = (text: string) => text.replace(/.*(allocate IP \S+|a serviceIP): /, '');

describe('take()', () => {
  test('gives addresses of ranges that are ready, and of the next one when one is full', async () => {
    const { allocator, taken } = allocatorOver(
      { cidrs: ['10.1.0.0/30'], ready: 'False' },
      { cidrs: ['10.2.0.0/30'], deleted: true },
      { cidrs: ['10.3.0.0/30', 'fd00::/126'], ready: 'True' },
      { cidrs: ['10.4.0.0/31', '10.5.0.0/30'] },
    );
    const given = [];
    for (let count = 0; count < 4; count++) given.push(await allocator.take(service, 'IPv4', ''));

    assert.deepEqual(given, ['10.3.0.1', '10.3.0.2', '10.5.0.1', '10.5.0.2']);
    assert.equal(await refusal(() => allocator.take(service, 'IPv4', '')), 'failed to allocate a serviceIP: range is full');
    assert.equal(await allocator.take(service, 'IPv6', ''), 'fd00::1');
    assert.deepEqual(taken.get('10.3.0.1'), {
      kind: 'IPAddress',
      apiVersion: 'networking.k8s.io/v1',
      metadata: {
        name: '10.3.0.1',
        labels: { 'ipaddress.kubernetes.io/ip-family': 'IPv4', 'ipaddress.kubernetes.io/managed-by': 'ipallocator.k8s.io' },
      },
      spec: { parentRef: { resource: 'services', namespace: 'n', name: 's' } },
    });
  });

  test('an address that is asked for is given if a ready range has it and nobody else', async () => {
    const { allocator } = allocatorOver({ cidrs: ['10.1.0.0/24'] }, { cidrs: ['10.2.0.0/24'], ready: 'False' });
    const answers = [];
    for (const asked of ['10.1.0.9', '10.1.0.9', '10.1.0.0', '10.1.0.255', '10.2.0.9', '10.9.0.1'])
      answers.push(lastPart(await refusal(() => allocator.take(service, 'IPv4', asked))));

    assert.deepEqual(answers, [
      'none',
      'provided IP is already allocated',
      ...new Array<string>(4).fill('the provided network does not match the current range'),
    ]);
  });

  test('a range of two ServiceCIDRs is ready as long as one of them is', async () => {
    const { allocator } = allocatorOver({ cidrs: ['10.1.0.0/24'], ready: 'True' }, { cidrs: ['10.1.0.0/24'], deleted: true });

    assert.equal(await allocator.take(service, 'IPv4', '10.1.0.9'), '10.1.0.9');
  });
});

describe('pretend()', () => {
  test('shows the address of the network, or the one that is asked for, taken or not', async () => {
    const { allocator, taken } = allocatorOver({ cidrs: ['10.1.0.0/24'] });
    await allocator.take(service, 'IPv4', '10.1.0.9');

    assert.equal(allocator.pretend(service, 'IPv4', ''), '10.1.0.0');
    assert.equal(allocator.pretend(service, 'IPv4', '10.1.0.9'), '10.1.0.9');
    assert.equal(taken.size, 1);
  });

  test('looks at one range only', async () => {
    const pretended = (...cidrs: readonly Cidr[]) => refusal(() => allocatorOver(...cidrs).allocator.pretend(service, 'IPv4', '10.2.0.9'));

    assert.match(
      await pretended({ cidrs: ['10.1.0.0/24'] }, { cidrs: ['10.2.0.0/24'] }),
      /the provided IP \(10\.2\.0\.9\) is not in the valid range\. The range of valid IPs is 10\.1\.0\.0\/24$/,
    );
    assert.equal(lastPart(await pretended({ cidrs: ['10.2.0.0/24'], ready: 'False' })), 'allocator not ready');
  });
});

test('counts what each range has given and has left', async () => {
  const { allocator } = allocatorOver({ cidrs: ['10.1.0.0/24', 'fd00::/120'] });
  await allocator.take(service, 'IPv4', '');

  assert.deepEqual(allocator.counts(), [
    { cidr: '10.1.0.0/24', allocated: 1, available: 253 },
    { cidr: 'fd00::/120', allocated: 0, available: 255 },
  ]);
});
