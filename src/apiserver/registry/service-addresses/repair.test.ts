// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { events, ipaddresses, servicecidrs, services } from '#api';
import type { Service } from '#api/core/v1';
import type { IPAddress } from '#api/networking/v1';
import { FakeApi } from '#client/testing';
import { FakeClock, silentLogger } from '#component';
import type { KubeObject, ObjectRef, Resource } from '#machinery';
import type { Cacher } from '../../cacher/cacher.ts';
import type { EventSink } from '../../cacher/resource-cache.ts';
import type { ObjectReader } from '../strategy.ts';
import { addressObject } from './address-allocator.ts';
import { ServiceAddressRepair } from './repair.ts';

const service = (name: string, clusterIP: string) =>
  ({ metadata: { namespace: 'ns', name }, spec: { clusterIP, clusterIPs: [clusterIP] } }) as unknown as Service;
const addressFor = (name: string, address: string) => addressObject(service(name, address), address, 'IPv4');

/** Runs a repair over what is there, until all is done that happens within `ms`. */
async function repaired(objects: { services?: readonly Service[]; addresses?: readonly IPAddress[] }, ms = 0) {
  const clock = new FakeClock();
  const client = new FakeApi({ clock });
  client.seed(servicecidrs, { metadata: { name: 'kubernetes' }, spec: { cidrs: ['10.96.0.0/24'] } });
  for (const one of objects.services ?? []) client.seed(services, one);
  for (const one of objects.addresses ?? []) client.seed(ipaddresses, one);
  const reader = {
    find: (resource: Resource<KubeObject>, ref: ObjectRef) => client.peek(resource, ref),
    list: (resource: Resource<KubeObject>) => client.peekAll(resource),
  } as unknown as ObjectReader;
  const cacher = { cache: () => ({ subscribe: (_: EventSink) => ({ [Symbol.dispose]() {} }) }) } as unknown as Cacher;
  const stop = new AbortController();
  const running = new ServiceAddressRepair({ cacher, reader, client, clock, logger: silentLogger }).run(stop.signal);
  await clock.advance(ms);
  await clock.advance(0);
  stop.abort();
  await clock.advance(0);
  await running;
  const owners = client.peekAll(ipaddresses).map(({ metadata, spec }) => `${metadata.name} ${spec?.parentRef?.name}`);
  return { owners, reasons: client.peekAll(events).map(({ reason }) => reason) };
}

test('an address without its object gets one', async () => {
  const { owners, reasons } = await repaired({ services: [service('a', '10.96.0.7')] });

  assert.deepEqual([owners, reasons], [['10.96.0.7 a'], ['ClusterIPNotAllocated']]);
});

test('an object that is in order stays, and nothing is said', async () => {
  const { owners, reasons } = await repaired({ services: [service('a', '10.96.0.7')], addresses: [addressFor('a', '10.96.0.7')] });

  assert.deepEqual([owners, reasons], [['10.96.0.7 a'], []]);
});

test('an object of a Service that is not there goes, but not while the Service may still be made', async () => {
  const leaked = { addresses: [addressFor('gone', '10.96.0.8')] };

  assert.deepEqual((await repaired(leaked, 59_000)).owners, ['10.96.0.8 gone']);
  const later = await repaired(leaked, 61_000);
  assert.deepEqual([later.owners, later.reasons], [[], ['IPAddressNotAllocated']]);
});

test('an object that names the wrong Service is made anew', async () => {
  const { owners } = await repaired({ services: [service('a', '10.96.0.7')], addresses: [addressFor('gone', '10.96.0.7')] });

  assert.deepEqual(owners, ['10.96.0.7 a']);
});

test('an object of an address that its Service has not goes', async () => {
  const both = [addressFor('a', '10.96.0.7'), addressFor('a', '10.96.0.9')];

  const { owners, reasons } = await repaired({ services: [service('a', '10.96.0.7')], addresses: both });

  assert.deepEqual([owners, reasons], [['10.96.0.7 a'], ['IPAddressWrongReference']]);
});

test('of two Services with one address the second is told, as is one outside of every range', async () => {
  const { owners, reasons } = await repaired({
    services: [service('a', '10.96.0.7'), service('b', '10.96.0.7'), service('c', '10.1.1.1')],
    addresses: [addressFor('a', '10.96.0.7')],
  });

  assert.deepEqual([owners, [...reasons].sort()], [['10.96.0.7 a'], ['ClusterIPAlreadyAllocated', 'ClusterIPOutOfRange']]);
});

test('an object of somebody else is left alone', async () => {
  const foreign = { ...addressFor('gone', '10.96.0.8'), metadata: { name: '10.96.0.8' } } as unknown as IPAddress;

  assert.deepEqual((await repaired({ addresses: [foreign] }, 120_000)).owners, ['10.96.0.8 gone']);
});
