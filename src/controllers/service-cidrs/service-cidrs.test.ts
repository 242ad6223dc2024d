// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ipaddresses, servicecidrs } from '#api/resources';
import { Lab } from '../_harness.ts';

const FINALIZER = 'networking.k8s.io/service-cidr-finalizer';

async function labWith(cidrs: Readonly<Record<string, readonly string[]>>, addresses: readonly string[] = []): Promise<Lab> {
  const lab = new Lab(['service-cidr-controller']);
  for (const [name, list] of Object.entries(cidrs)) await lab.api.create(servicecidrs, { metadata: { name }, spec: { cidrs: [...list] } });
  for (const name of addresses) {
    await lab.api.create(ipaddresses, {
      metadata: { name, labels: { 'ipaddress.kubernetes.io/managed-by': 'ipallocator.k8s.io' } },
      spec: { parentRef: { resource: 'services', namespace: 'default', name: 's' } },
    });
  }
  await lab.settle();
  return lab;
}

const readyOf = (lab: Lab, name: string) =>
  lab.api
    .peekAll(servicecidrs)
    .find(({ metadata }) => metadata.name === name)
    ?.status?.conditions?.find(({ type }) => type === 'Ready');
const namesIn = (lab: Lab) => lab.api.peekAll(servicecidrs).map(({ metadata }) => metadata.name);

test('a ServiceCIDR gets its finalizer and is Ready', async () => {
  await using lab = await labWith({ a: ['10.1.0.0/24'] });

  const [cidr] = lab.api.peekAll(servicecidrs);

  assert.deepEqual(cidr?.metadata.finalizers, [FINALIZER]);
  assert.deepEqual([readyOf(lab, 'a')?.status, readyOf(lab, 'a')?.message], ['True', 'Kubernetes Service CIDR is ready']);
});

test('one whose addresses are in use stays until they are gone, and the grace period is over', async () => {
  await using lab = await labWith({ a: ['10.1.0.0/24'] }, ['10.1.0.9']);
  await lab.api.delete(servicecidrs, { name: 'a' });
  await lab.settle(20_000);
  assert.deepEqual([readyOf(lab, 'a')?.status, readyOf(lab, 'a')?.reason], ['False', 'Terminating']);

  await lab.api.delete(ipaddresses, { name: '10.1.0.9' });
  await lab.settle();

  assert.deepEqual(namesIn(lab), []);
});

test('one that nobody uses goes after the grace period, not before', async () => {
  await using lab = await labWith({ a: ['10.1.0.0/24'] });
  await lab.api.delete(servicecidrs, { name: 'a' });
  await lab.settle(5_000);
  assert.deepEqual(namesIn(lab), ['a']);

  await lab.settle(6_000);

  assert.deepEqual(namesIn(lab), []);
});

test('one is let go when another range covers it, or has all of its addresses', async () => {
  await using lab = await labWith({ a: ['10.1.0.0/24'], wide: ['10.1.0.0/16'], b: ['10.2.0.0/24'] }, ['10.1.0.9', '10.2.0.9']);
  await lab.api.delete(servicecidrs, { name: 'a' });
  await lab.api.delete(servicecidrs, { name: 'b' });
  await lab.settle(20_000);
  assert.deepEqual(namesIn(lab).sort(), ['b', 'wide']);

  await lab.api.create(servicecidrs, { metadata: { name: 'half' }, spec: { cidrs: ['10.2.0.0/28'] } });
  await lab.settle(20_000);

  assert.deepEqual(namesIn(lab).sort(), ['half', 'wide']);
});
