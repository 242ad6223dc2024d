// SPDX-License-Identifier: Apache-2.0
// The rules of the aggregation layer that need no server: conditions, headers, priorities, what discovery and OpenAPI are made of.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RESOURCES } from '#api';
import type { APIService } from '#api/apiregistration/v1';
import type { KubeObject, Resource } from '#machinery';
import type { ObjectReader } from '../registry/strategy.ts';
import type { RemoteVersion } from './aggregator.ts';
import { authenticationData } from './authentication-config-map.ts';
import { serviceProblem, withAvailability } from './availability.ts';
import { builtInGroupPriority, customApiService, localApiService } from './priorities.ts';
import { aggregatedResources } from './remote-discovery.ts';
import { remoteHeaders } from './remote-headers.ts';
import { openApiSource, partOf } from './remote-openapi.ts';
import { remoteSource } from './remote-source.ts';

const SERVICE = { metadata: { name: 'svc' }, spec: { ports: [{ name: 'web', port: 443 }] } };
const API_SERVICE = { spec: { group: 'g', version: 'v1', service: { namespace: 'ns', name: 'svc', port: 443 } } } as unknown as APIService;

function problem(service: object | undefined, slices: readonly object[] = []): string | undefined {
  const reader = {
    find: () => service,
    list: ({ resource }: Resource) => (resource === 'endpointslices' ? slices : []) as KubeObject[],
  } as unknown as ObjectReader;
  const found = serviceProblem(API_SERVICE, reader);
  return found === undefined ? undefined : `${found.reason}: ${found.message}`;
}

test('serviceProblem() looks at the Service, its port and its endpoints', async (t) => {
  const slice = (ready: boolean) => ({
    metadata: { name: 's', labels: { 'kubernetes.io/service-name': 'svc' } },
    ports: [{ name: 'web', port: 8443 }],
    endpoints: [{ addresses: ['10.0.0.1'], conditions: { ready } }],
  });
  const otherPort = { ...SERVICE, spec: { ports: [{ name: 'web', port: 80 }] } };
  const cases: readonly (readonly [string, string | undefined, string | undefined])[] = [
    ['no Service', problem(undefined), 'ServiceNotFound: service/svc in "ns" is not present'],
    ['another port', problem(otherPort), 'ServicePortError: service/svc in "ns" is not listening on port 443'],
    ['no slices', problem(SERVICE), 'EndpointsNotFound: cannot find endpointslices for service/svc in "ns"'],
    [
      'nothing ready',
      problem(SERVICE, [slice(false)]),
      'MissingEndpoints: endpointslices for service/svc in "ns" have no addresses with port name "web"',
    ],
    ['all well', problem(SERVICE, [slice(true)]), undefined],
    ['an external name', problem({ ...SERVICE, spec: { type: 'ExternalName' } }), undefined],
  ];
  for (const [name, found, expected] of cases) await t.test(name, () => assert.equal(found, expected));
});

test('withAvailability() keeps the time of the last change of status', () => {
  const passed = { status: 'True', reason: 'Passed', message: 'all checks passed' } as const;
  const first = withAvailability([], passed, 't1');
  assert.deepEqual(first, [{ type: 'Available', ...passed, lastTransitionTime: 't1' }]);
  assert.equal(withAvailability(first, passed, 't2'), first);
  const other = withAvailability(first, { ...passed, message: 'still' }, 't2');
  assert.equal(other[0]?.lastTransitionTime, 't1');
  assert.equal(withAvailability(first, { ...passed, status: 'False' }, 't3')[0]?.lastTransitionTime, 't3');
});

test('remoteHeaders() says who asks, and escapes names that a header cannot hold', () => {
  assert.deepEqual(remoteHeaders({ name: 'a', uid: 'u', groups: ['x', 'y'], extra: { 'Acme.com/Project': ['p'], plain: ['q', 'r'] } }), {
    'x-remote-user': 'a',
    'x-remote-uid': 'u',
    'x-remote-group': ['x', 'y'],
    'x-remote-extra-acme.com%2Fproject': ['p'],
    'x-remote-extra-plain': ['q', 'r'],
  });
});

test('every built-in group has an APIService, but for the one that holds APIServices', () => {
  const missing = RESOURCES.filter((of) => localApiService(of) === undefined).map(({ group }) => group);
  assert.deepEqual([...new Set(missing)], ['apiregistration.k8s.io']);
  assert.deepEqual(localApiService({ group: '', version: 'v1' })?.spec, {
    version: 'v1',
    groupPriorityMinimum: 18_000,
    versionPriority: 1,
  });
  assert.equal(customApiService({ group: 'g', version: 'v1' }).metadata?.labels?.['kube-aggregator.kubernetes.io/automanaged'], 'true');
  assert.ok((builtInGroupPriority('apps') ?? 0) > (builtInGroupPriority('batch') ?? 0));
});

test('aggregatedResources() puts subresources under their resource', () => {
  const of = { group: 'g', version: 'v1' };
  const entries = [
    { name: 'fish', singularName: 'fish', namespaced: true, kind: 'Fish', verbs: ['get'], shortNames: ['f'] },
    { name: 'fish/scale', kind: 'Scale', group: 'autoscaling', version: 'v1', verbs: ['get'] },
  ];
  assert.deepEqual(aggregatedResources(entries, of), [
    {
      resource: 'fish',
      responseKind: { group: 'g', version: 'v1', kind: 'Fish' },
      scope: 'Namespaced',
      singularResource: 'fish',
      verbs: ['get'],
      shortNames: ['f'],
      subresources: [{ subresource: 'scale', responseKind: { group: 'autoscaling', version: 'v1', kind: 'Scale' }, verbs: ['get'] }],
    },
  ]);
});

test('remoteSource() orders versions by their priority and lists a silent server as stale', () => {
  const remote = (version: string, versionPriority: number) =>
    ({ name: `${version}.g`, group: 'g', version, groupPriority: 100, versionPriority, discovered: undefined }) as unknown as RemoteVersion;
  const { groups, aggregated } = remoteSource([remote('v1', 1), remote('v2', 5)]);
  assert.deepEqual(groups, [{ name: 'g', versions: ['v2', 'v1'], preferred: 'v2', priority: 100 }]);
  assert.deepEqual(aggregated?.get('g/v1'), { version: 'v1', resources: [], freshness: 'Stale' });
});

test('partOf() takes the paths of a group and the definitions they need', () => {
  const document = {
    paths: { '/apis/g/v1/fish': { get: { schema: { $ref: '#/definitions/Fish' } } }, '/apis/other/v1/x': {} },
    definitions: { Fish: { properties: { fin: { $ref: '#/definitions/Fin' } } }, Fin: {}, Other: {} },
  };
  const part = partOf(document as never, 'apis/g/v1', 'e');
  assert.deepEqual([Object.keys(part.paths), Object.keys(part.definitions)], [['/apis/g/v1/fish'], ['Fin', 'Fish']]);
  const source = openApiSource([{ path: 'apis/g/v1', url: 'u', v3: { openapi: '3.0.0' } as never, ...part }]);
  assert.deepEqual([...source.documents.keys()], ['apis/g/v1']);
  assert.deepEqual(Object.keys(source.v2().definitions), ['Fin', 'Fish']);
});

test('authenticationData() leaves out what is not configured', () => {
  assert.deepEqual(authenticationData({ clientCa: 'pem', requestHeader: undefined }), { 'client-ca-file': 'pem' });
});
