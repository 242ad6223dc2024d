// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubeObject, Resource } from '#machinery';
import type { ObjectReader } from '../registry/strategy.ts';
import { createServiceResolver } from './service-resolver.ts';

const SERVICE = { clusterIP: '10.0.0.1', ports: [{ name: 'web', port: 443 }] };
const slice = (addresses: string[], ready = true, name = 'web') => ({
  metadata: { name: 's', labels: { 'kubernetes.io/service-name': 'svc' } },
  ports: [{ name, port: 8443 }],
  endpoints: [{ addresses, conditions: { ready } }],
});

function resolve(spec: object | undefined, slices: readonly object[] = [], port = 443) {
  const reader = {
    find: () => (spec === undefined ? undefined : { metadata: { name: 'svc' }, spec }),
    list: ({ resource }: Resource) => (resource === 'endpointslices' ? slices : []) as KubeObject[],
  } as unknown as ObjectReader;
  return createServiceResolver(reader, () => 1).resolve({ namespace: 'ns', name: 'svc', port });
}

test('resolve() finds where a Service answers', async (t) => {
  const cases: readonly (readonly [string, () => unknown, object])[] = [
    ['a ready endpoint', () => resolve(SERVICE, [slice(['10.1.0.1'])]), { host: '10.1.0.1', port: 8443 }],
    ['one of several', () => resolve(SERVICE, [slice(['10.1.0.1', '10.1.0.2'])]), { host: '10.1.0.2', port: 8443 }],
    ['the cluster IP where nobody made slices', () => resolve(SERVICE), { host: '10.0.0.1', port: 443 }],
    ['an external name', () => resolve({ type: 'ExternalName', externalName: 'x.example' }), { host: 'x.example', port: 443 }],
  ];
  for (const [name, ask, expected] of cases) await t.test(name, () => assert.deepEqual(ask(), expected));
});

test('resolve() says why there is nowhere to go', async (t) => {
  const cases: readonly (readonly [string, () => unknown, string])[] = [
    ['no Service', () => resolve(undefined), 'service "svc" not found'],
    ['no such port', () => resolve(SERVICE, [], 80), 'no service port 80 found for service "svc"'],
    ['nothing ready', () => resolve(SERVICE, [slice(['10.1.0.1'], false)]), 'no endpoints available for service "svc"'],
    ['another port', () => resolve(SERVICE, [slice(['10.1.0.1'], true, 'other')]), 'no endpoints available for service "svc"'],
    ['headless without slices', () => resolve({ ...SERVICE, clusterIP: 'None' }), 'no endpoints available for service "svc"'],
  ];
  for (const [name, ask, message] of cases) await t.test(name, () => assert.throws(ask, { message }));
});
