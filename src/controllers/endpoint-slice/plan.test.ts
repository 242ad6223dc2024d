// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pod, Service } from '#api/core/v1';
import type { EndpointSlice } from '#api/discovery/v1';
import { planSlices, type SliceContent } from './plan.ts';

const service = {
  metadata: { namespace: 'd', name: 's' },
  spec: { selector: { a: 'b' }, ports: [{ port: 80, targetPort: 'web', protocol: 'TCP' }], clusterIP: '10.0.0.1' },
} as unknown as Service;
const pod = (index: number, ready = true) =>
  ({
    metadata: { namespace: 'd', name: `p${index}`, uid: `u${index}` },
    spec: { nodeName: 'n', containers: [{ name: 'c', ports: [{ name: 'web', containerPort: 8080, protocol: 'TCP' }] }] },
    status: {
      phase: 'Running',
      podIP: `10.1.${index >> 8}.${index & 255}`,
      conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }],
    },
  }) as unknown as Pod;
const pods = (count: number) => Array.from({ length: count }, (_, index) => pod(index));
const asSlice = (content: SliceContent, name: string) => ({ metadata: { name, labels: {} }, ...content }) as unknown as EndpointSlice;
const plan = (list: readonly Pod[], slices: readonly EndpointSlice[] = []) =>
  planSlices({ service, pods: list, slices, findNode: () => undefined, labels: {} });

test('planSlices() makes slices of at most 100 endpoints, with the named port resolved', () => {
  const { create } = plan(pods(250));

  assert.deepEqual(
    create.map(({ endpoints }) => endpoints.length),
    [100, 100, 50],
  );
  assert.deepEqual(create[0]?.ports, [{ name: '', port: 8080, protocol: 'TCP' }]);
});

test('planSlices() changes nothing when nothing changed', () => {
  const slices = plan(pods(150)).create.map((content, index) => asSlice(content, `s${index}`));

  assert.deepEqual(plan(pods(150), slices), { create: [], update: [], remove: [] });
});

test('planSlices() writes only the slice with the changed endpoint, and a new one where there is room', () => {
  const slices = plan(pods(150)).create.map((content, index) => asSlice(content, `s${index}`));
  const changed = plan([...pods(150).slice(1), pod(0, false)], slices);
  const grown = plan(pods(151), slices);

  assert.deepEqual(
    changed.update.map(({ slice }) => slice.metadata.name),
    ['s0'],
  );
  assert.deepEqual(
    grown.update.map(({ slice, content }) => [slice.metadata.name, content.endpoints.length]),
    [['s1', 51]],
  );
  assert.equal(grown.create.length, 0);
});

test('planSlices() keeps one empty slice for a Service without Pods', () => {
  const slices = plan(pods(150)).create.map((content, index) => asSlice(content, `s${index}`));
  const emptied = plan([], slices);

  assert.deepEqual(plan([]).create, [{ addressType: 'IPv4', ports: [], endpoints: [] }]);
  assert.equal(emptied.update.length + emptied.create.length, 1);
  assert.equal(emptied.remove.length, 1);
});

test('a Pod that is going serves but is not ready', () => {
  const going = { ...pod(1), metadata: { ...pod(1).metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } };

  assert.deepEqual(plan([going]).create[0]?.endpoints[0]?.conditions, { ready: false, serving: true, terminating: true });
});
