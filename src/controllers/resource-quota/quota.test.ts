// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CustomResourceDefinition } from '#api/apiextensions/v1';
import { customresourcedefinitions, resourceclaims, resourcequotas } from '#api/resources';
import type { Draft, KubeObject, Resource } from '#machinery';
import { Lab } from '../_harness.ts';

const KEY = { namespace: 'default', name: 'limits' };
const gadgets: Resource<KubeObject> = {
  group: 'example.com',
  version: 'v1',
  resource: 'gadgets',
  singular: 'gadget',
  kind: 'Gadget',
  namespaced: true,
  verbs: ['create', 'delete', 'get', 'list', 'watch'],
  shortNames: [],
  categories: [],
  storageVersionHash: '',
  subresources: [],
};
const names = { plural: 'gadgets', singular: 'gadget', kind: 'Gadget', listKind: 'GadgetList' };
const definition = {
  metadata: { name: 'gadgets.example.com' },
  spec: { group: 'example.com', scope: 'Namespaced', names, versions: [{ name: 'v1', served: true, storage: true }] },
  status: { acceptedNames: names, conditions: [{ type: 'Established', status: 'True' }] },
} as unknown as Draft<CustomResourceDefinition>;
const quota = { metadata: KEY, spec: { hard: { 'count/gadgets.example.com': '5' } } };

test('a quota counts custom resources, whichever comes first, the quota or the definition', async () => {
  await using lab = new Lab(['resourcequota-controller']);
  const used = () => lab.api.peek(resourcequotas, KEY)?.status?.used;
  lab.api.seed(resourcequotas, quota);
  lab.api.seed(gadgets, { metadata: { namespace: 'default', name: 'one' } }, { metadata: { namespace: 'other', name: 'two' } });
  await lab.settle();
  assert.deepEqual(used(), {}, 'nothing is said of what is not known');

  lab.api.seed(customresourcedefinitions, definition);
  await lab.settle();
  assert.deepEqual(used(), { 'count/gadgets.example.com': '1' });

  await lab.api.delete(gadgets, { namespace: 'default', name: 'one' });
  await lab.settle();
  assert.deepEqual(used(), { 'count/gadgets.example.com': '0' });
});

test('a quota counts the devices that claims ask for, by class', async () => {
  await using lab = new Lab(['resourcequota-controller']);
  const claim = {
    spec: { devices: { requests: [{ name: 'r', exactly: { deviceClassName: 'gpu', allocationMode: 'ExactCount', count: 2 } }] } },
  };
  lab.api.seed(
    resourceclaims,
    { ...claim, metadata: { namespace: 'default', name: 'one' } },
    { ...claim, metadata: { namespace: 'default', name: 'two' } },
  );
  await lab.settle();
  lab.api.seed(resourcequotas, { metadata: KEY, spec: { hard: { 'gpu.deviceclass.resource.k8s.io/devices': '5' } } });
  await lab.settle();
  assert.deepEqual(lab.api.peek(resourcequotas, KEY)?.status?.used, { 'gpu.deviceclass.resource.k8s.io/devices': '4' });
});

test('a quota leaves out the count of a custom resource whose definition is gone', async () => {
  await using lab = new Lab(['resourcequota-controller']);
  lab.api.seed(customresourcedefinitions, definition);
  lab.api.seed(resourcequotas, quota);
  await lab.settle();
  assert.deepEqual(lab.api.peek(resourcequotas, KEY)?.status?.used, { 'count/gadgets.example.com': '0' });

  await lab.api.delete(customresourcedefinitions, { name: 'gadgets.example.com' });
  await lab.api.delete(resourcequotas, KEY);
  lab.api.seed(resourcequotas, quota);
  await lab.settle();
  assert.deepEqual(lab.api.peek(resourcequotas, KEY)?.status?.used, {});
});
