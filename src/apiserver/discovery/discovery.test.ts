// SPDX-License-Identifier: Apache-2.0
// Groups of several sources, and the order of versions.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Resource } from '#machinery';
import type { RequestContext } from '../request/context.ts';
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
const at = (path: string) => ({ info: { path }, header: () => '', query: new URLSearchParams() }) as unknown as RequestContext;
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
