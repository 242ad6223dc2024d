// SPDX-License-Identifier: Apache-2.0
// Addresses of Services as clients of a server see them.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { ipaddresses, servicecidrs, services } from '#api';
import type { KubeObject, Resource } from '#machinery';
import { startTestServer, type TestServer } from '../../_test-server.ts';

const SERVICES = '/api/v1/namespaces/default/services';
const CIDRS = '/apis/networking.k8s.io/v1/servicecidrs';
const ADDRESSES = '/apis/networking.k8s.io/v1/ipaddresses';

const service = (name: string, spec: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name },
  spec: { ports: [{ port: 80 }], ...spec },
});

let server: TestServer;
before(async () => {
  server = await startTestServer();
});
after(() => server[Symbol.asyncDispose]());

const post = (path: string, body: object, query = '') => server.send('POST', path, { body, query });

/** Deletes an object, and gives it with what takes its place. */
async function replaced<T extends KubeObject>(resource: Resource<T>, path: string) {
  const { body: old } = await server.send('GET', path);
  const { name, resourceVersion } = old.metadata;
  const watch = server.client.watch(resource, { resourceVersion, fieldSelector: `metadata.name=${name}` });
  await server.send('DELETE', path);
  for await (const { type, object } of watch) if (type === 'ADDED') return { old, made: object };
  throw new Error('the watch ended');
}

describe('a further ServiceCIDR', () => {
  test('gives addresses until it is not ready', async () => {
    assert.equal((await post(SERVICES, service('early', { clusterIP: '10.200.0.7' }))).status, 422);
    await post(CIDRS, {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'ServiceCIDR',
      metadata: { name: 'more' },
      spec: { cidrs: ['10.200.0.0/28'] },
    });

    assert.equal((await post(SERVICES, service('in-more', { clusterIP: '10.200.0.7' }))).status, 201);

    const condition = { type: 'Ready', status: 'False', reason: 'Terminating', message: '', lastTransitionTime: '2026-01-01T00:00:00Z' };
    const headers = { 'content-type': 'application/merge-patch+json' };
    const marked = await server.send('PATCH', `${CIDRS}/more/status`, { headers, body: { status: { conditions: [condition] } } });
    assert.equal(marked.status, 200);
    const late = await post(SERVICES, service('late', { clusterIP: '10.200.0.8' }));
    assert.equal(
      late.body.message,
      'Service "late" is invalid: spec.clusterIPs: Invalid value: ["10.200.0.8"]: failed to allocate IP 10.200.0.8: the provided network does not match the current range',
    );
  });
});

test('a dry run takes no address and no port', async () => {
  const { body } = await post(SERVICES, service('dry', { type: 'NodePort' }), 'dryRun=All');

  assert.deepEqual([body.spec.clusterIP, body.spec.ports[0].nodePort], ['10.96.0.0', 32_769]);
  assert.equal((await server.send('GET', `${ADDRESSES}/10.96.0.0`)).status, 404);
});

test('an IPAddress that somebody deletes comes back while its Service has it', async () => {
  await post(SERVICES, service('kept', { clusterIP: '10.96.0.77' }));

  const { old, made } = await replaced(ipaddresses, `${ADDRESSES}/10.96.0.77`);

  assert.notEqual(made.metadata.uid, old.metadata.uid);
  assert.deepEqual(made.spec, old.spec);
});

test('the kubernetes Service and the default ServiceCIDR come back', async () => {
  const service = await replaced(services, `${SERVICES}/kubernetes`);
  assert.equal(service.made.spec.clusterIP, service.old.spec.clusterIP);

  const range = await replaced(servicecidrs, `${CIDRS}/kubernetes`);
  assert.deepEqual(range.made.spec, range.old.spec);
});

test('metrics tell what is given and left', async () => {
  const { text } = await server.send('GET', '/metrics');

  assert.match(text, /^kube_apiserver_clusterip_allocator_available_ips\{cidr="10\.96\.0\.0\/24"\} 2\d\d$/m);
  assert.match(text, /^kube_apiserver_clusterip_allocator_allocation_total\{cidr="10\.96\.0\.0\/24",scope="static"\} \d+$/m);
  assert.match(text, /^kube_apiserver_nodeport_allocator_available_ports 101$/m);
});
