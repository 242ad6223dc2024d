// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CustomResourceDefinition } from '#api/apiextensions/v1';
import type { Pod } from '#api/core/v1';
import { customresourcedefinitions, persistentvolumeclaims, pods, resourceclaims, resourcequotas, services } from '#api/resources';
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

test('a quota counts Pods, Services and claims by the rules of admission', async () => {
  await using lab = new Lab(['resourcequota-controller']);
  const hard = {
    ...{ pods: '5', 'count/pods': '5', 'requests.cpu': '5', cpu: '5', 'limits.memory': '5Gi', 'count/services': '5' },
    ...{ 'services.nodeports': '5', 'requests.storage': '5Gi', 'old.storageclass.storage.k8s.io/requests.storage': '5Gi' },
  };
  const resources = { requests: { cpu: '100m' }, limits: { memory: '1Gi' } };
  const pod = (name: string, phase: 'Pending' | 'Running' | 'Succeeded'): Draft<Pod> => ({
    metadata: { namespace: 'default', name },
    spec: { containers: [{ name: 'c', image: 'i', resources }] },
    status: { phase },
  });
  lab.api.seed(pods, pod('runs', 'Running'), pod('waits', 'Pending'), pod('done', 'Succeeded'));
  lab.api.seed(services, { metadata: { namespace: 'default', name: 's' }, spec: { type: 'NodePort', ports: [{ port: 1 }, { port: 2 }] } });
  lab.api.seed(persistentvolumeclaims, {
    metadata: { namespace: 'default', name: 'c', annotations: { 'volume.beta.kubernetes.io/storage-class': 'old' } },
    spec: { resources: { requests: { storage: '1Gi' } } },
    status: { allocatedResources: { storage: '2Gi' } },
  });
  await lab.settle();
  lab.api.seed(resourcequotas, { metadata: KEY, spec: { hard } });
  await lab.settle();

  assert.deepEqual(lab.api.peek(resourcequotas, KEY)?.status?.used, {
    ...{ pods: '2', 'count/pods': '3', 'requests.cpu': '200m', cpu: '200m', 'limits.memory': '2Gi', 'count/services': '1' },
    ...{ 'services.nodeports': '2', 'requests.storage': '2Gi', 'old.storageclass.storage.k8s.io/requests.storage': '2Gi' },
  });
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
