// SPDX-License-Identifier: Apache-2.0
// Groups of several sources, and the order of versions.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Resource } from '#machinery';
import { encodeObject } from '../encoding/encoder.ts';
import type { ObjectResult, RequestContext } from '../request/context.ts';
import { Discovery } from './discovery.ts';
import { compareVersions } from './version-order.ts';

const resource = (group: string, version: string, name: string) =>
  ({
    group,
    version,
    resource: name,
    singular: '',
    kind: 'K',
    namespaced: true,
    verbs: ['get'],
    shortNames: [],
    categories: [],
    storageVersionHash: '',
    subresources: [],
  }) as Resource;
const at = (path: string, accept = '') =>
  ({
    info: { path },
    header: (name: string) => (name === 'accept' ? accept : ''),
    query: new URLSearchParams(),
  }) as unknown as RequestContext;
// biome-ignore lint/suspicious/noExplicitAny: documents as clients see them.
const read = (discovery: Discovery, path: string): any => (discovery.answer(at(path)) as { object?: unknown } | undefined)?.object;

test('compareVersions() puts stable versions first, then the newest', () => {
  const versions = ['v1alpha1', 'foo10', 'v1', 'v2beta1', 'v10', 'v2', 'foo1', 'v1beta2'];

  assert.deepEqual(versions.sort(compareVersions), ['v10', 'v2', 'v1', 'v2beta1', 'v1beta2', 'v1alpha1', 'foo1', 'foo10']);
});

test('sources add groups and versions, and take them away again', () => {
  const discovery = new Discovery([resource('apps', 'v1', 'deployments')], [{ name: 'apps', versions: ['v1'], preferred: 'v1' }]);
  const before = read(discovery, '/apis');
  discovery.set('custom', {
    resources: [resource('toys', 'v1', 'kites')],
    groups: [{ name: 'toys', versions: ['v1'], preferred: 'v1' }],
  });
  discovery.set('remote', { resources: [], groups: [{ name: 'toys', versions: ['v2'], preferred: 'v2' }] });

  const both = read(discovery, '/apis/toys');
  assert.deepEqual(
    both.versions.map(({ version }: { version: string }) => version),
    ['v2', 'v1'],
  );
  assert.equal(both.preferredVersion.version, 'v2');
  assert.equal(read(discovery, '/apis/toys/v1').resources[0].name, 'kites');
  // What another server answers for is not made up here.
  assert.equal(read(discovery, '/apis/toys/v2'), undefined);
  assert.ok(discovery.has('toys', 'v2'));

  discovery.remove('custom');
  discovery.remove('remote');
  assert.equal(read(discovery, '/apis/toys'), undefined);
  assert.deepEqual(read(discovery, '/apis'), before);
});

const AGGREGATED = 'g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';
const FORMS: [accept: string, mediaType: string, isAggregated: boolean][] = [
  [`application/json;${AGGREGATED}`, 'json', true],
  [`application/yaml;${AGGREGATED}`, 'yaml', true],
  [`application/vnd.kubernetes.protobuf;${AGGREGATED}`, 'protobuf', true],
  [`application/cbor;${AGGREGATED},application/yaml`, 'yaml', false],
  ['application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json', 'json', false],
];
for (const [accept, mediaType, isAggregated] of FORMS) {
  test(`discovery answers ${accept} in ${mediaType}`, () => {
    const discovery = new Discovery([resource('apps', 'v1', 'deployments')], [{ name: 'apps', versions: ['v1'], preferred: 'v1' }]);
    const result = discovery.answer(at('/apis', accept)) as ObjectResult;
    const { body } = encodeObject(result, new URLSearchParams(), 0);

    assert.deepEqual([result.output?.mediaType, result.output?.transform !== undefined], [mediaType, isAggregated]);
    assert.equal(typeof body === 'string', mediaType !== 'protobuf');
  });
}

for (const path of ['/api', '/apis', '/apis/apps', '/apis/apps/v1']) {
  test(`${path} has a protobuf form`, () => {
    const discovery = new Discovery([resource('apps', 'v1', 'deployments')], [{ name: 'apps', versions: ['v1'], preferred: 'v1' }]);
    const result = discovery.answer(at(path, 'application/vnd.kubernetes.protobuf')) as ObjectResult;

    assert.ok(encodeObject(result, new URLSearchParams(), 0).body instanceof Uint8Array);
  });
}
