// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Endpoints, Service } from '#api/core/v1';
import { endpoints, endpointslices, services } from '#api/resources';
import type { Draft } from '#machinery';
import { Lab } from '../_harness.ts';

const KEY = { namespace: 'default', name: 'outside' };
const service = (spec: object) => ({ metadata: KEY, spec }) as unknown as Draft<Service>;
const subset = (ip: string, port = 80) => ({ addresses: [{ ip }], ports: [{ port, protocol: 'TCP' as const }] });
const of = (...subsets: object[]) => ({ metadata: KEY, subsets }) as unknown as Draft<Endpoints>;

function seen(lab: Lab): string[] {
  return lab.api
    .peekAll(endpointslices)
    .map(({ addressType, endpoints: list = [], ports = [] }) => {
      const from = list.map(({ addresses, conditions }) => `${addresses}${conditions?.ready ? '' : ' not ready'}`);
      return `${addressType} ${from.join(', ')} :${ports.map(({ port }) => port)}`;
    })
    .sort();
}

test('Endpoints of a Service without a selector are mirrored, changed and removed', async () => {
  await using lab = new Lab(['endpointslice-mirroring-controller']);
  lab.api.seed(services, service({}));
  lab.api.seed(endpoints, of({ ...subset('10.1.2.3'), notReadyAddresses: [{ ip: '10.1.2.4' }] }, subset('fd00::1')));
  await lab.settle();
  assert.deepEqual(seen(lab), ['IPv4 10.1.2.3, 10.1.2.4 not ready :80', 'IPv6 fd00::1 :80']);
  const [slice] = lab.api.peekAll(endpointslices);
  assert.equal(slice?.metadata.labels?.['endpointslice.kubernetes.io/managed-by'], 'endpointslicemirroring-controller.k8s.io');
  assert.equal(slice?.metadata.ownerReferences?.[0]?.kind, 'Endpoints');

  const uids = lab.api.peekAll(endpointslices).map(({ metadata }) => metadata.uid);
  await lab.api.patch(endpoints, KEY, 'merge', { subsets: [subset('10.2.3.4', 8080)] });
  await lab.settle();
  assert.deepEqual(seen(lab), ['IPv4 10.2.3.4 :8080']);
  assert.ok(uids.includes(lab.api.peekAll(endpointslices)[0]?.metadata.uid ?? ''), 'a slice is changed rather than made anew');

  await lab.api.delete(endpoints, KEY);
  await lab.settle();
  assert.deepEqual(seen(lab), []);
});

test('Endpoints of Services with a selector, without a Service or marked are not mirrored', async () => {
  await using lab = new Lab(['endpointslice-mirroring-controller']);
  lab.api.seed(services, service({ selector: { app: 'x' } }));
  lab.api.seed(endpoints, of(subset('10.1.2.3')), { ...of(subset('10.1.2.3')), metadata: { ...KEY, name: 'alone' } });
  lab.api.seed(services, { ...service({}), metadata: { ...KEY, name: 'marked' } });
  const labels = { 'endpointslice.kubernetes.io/skip-mirror': 'true' };
  lab.api.seed(endpoints, { ...of(subset('10.1.2.3')), metadata: { ...KEY, name: 'marked', labels } });
  await lab.settle();
  assert.deepEqual(seen(lab), []);
});
