// SPDX-License-Identifier: Apache-2.0
// The plugins that are on by default and look at Pods and claims: what they refuse, word for word, and what they fill in.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findResource, persistentvolumeclaims, pods, serviceaccounts } from '#api';
import type { Resource } from '#machinery';
import { admitted, type Given, pod, refused, updated, type World } from './_test-plugins.ts';
import type { AdmissionPlugin } from './admission.ts';
import { limitRanger } from './limit-ranger.ts';
import { nodeRestriction } from './node-restriction.ts';
import { priority } from './priority.ts';
import { resourceQuota } from './resource-quota.ts';
import { runtimeClass } from './runtime-class.ts';
import { serviceAccount } from './service-account.ts';
import { persistentVolumeClaimResize } from './storage.ts';

const claims = persistentvolumeclaims as unknown as Resource;
const escaped = (text: string) => new RegExp(`${text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}$`);
const asking = (resources: object, name = 'c') => ({ name, image: 'i', resources });

function refuses(what: string, plugin: () => AdmissionPlugin, given: Given, why: string, world: World = {}): void {
  test(what, () => refused(plugin(), given, escaped(why), world));
}

// LimitRanger
const range = (name: string, ...limits: object[]) => ({ metadata: { name, namespace: 'ns' }, spec: { limits } });
const ranges = (...limitranges: object[]): World => ({ objects: { limitranges } });
const twoBig = { object: pod({ containers: [asking({ limits: { cpu: '9' } }), asking({ limits: { cpu: '9' } }, 'd')] }) };
refuses(
  'LimitRanger says of the first range only what is wrong, and the same but once',
  () => limitRanger,
  twoBig,
  'pods "x" is forbidden: maximum cpu usage per Container is 1, but limit is 9',
  ranges(range('b', { type: 'Container', max: { cpu: '2' } }), range('a', { type: 'Container', max: { cpu: '1' } })),
);
refuses(
  'LimitRanger says all that is wrong by one range',
  () => limitRanger,
  twoBig,
  ': [maximum cpu usage per Container is 1, but limit is 9, maximum cpu usage per Pod is 3, but limit is 18]',
  ranges(range('a', { type: 'Container', max: { cpu: '1' } }, { type: 'Pod', max: { cpu: '3' } })),
);
test('LimitRanger lets what is being deleted change', async () => {
  const claim = {
    metadata: { name: 'x', namespace: 'ns', deletionTimestamp: '2026-01-01T00:00:00Z' },
    spec: { resources: { requests: { storage: '9' } } },
  };
  const world = ranges(range('a', { type: 'PersistentVolumeClaim', max: { storage: '1' } }));
  await admitted(limitRanger, { resource: claims, operation: 'UPDATE', object: claim, oldObject: claim }, world);
});

// ResourceQuota
const quota = (hard: object, used: object | undefined, spec: object = hard) => ({
  metadata: { name: 'q', namespace: 'ns' },
  spec: { hard: spec },
  status: { hard, ...(used === undefined ? {} : { used }) },
});
const quotas = (...resourcequotas: object[]): World => ({ objects: { resourcequotas } });
refuses(
  'ResourceQuota wants each container to say what the quota limits',
  resourceQuota,
  { object: pod({ initContainers: [asking({}, 'i')] }) },
  'pods "x" is forbidden: failed quota: q: must specify limits.cpu for: c,i; memory for: c,i',
  quotas(quota({ 'limits.cpu': '1', memory: '1', pods: '1' }, {})),
);
refuses(
  'ResourceQuota names all it limits of a kind while its use is unknown',
  resourceQuota,
  { object: pod({}) },
  'status unknown for quota: q, resources: count/pods,pods',
  quotas(quota({ pods: '1', 'count/pods': '1', services: '1' }, { pods: '0' })),
);
refuses(
  'ResourceQuota counts the larger of what a claim asks for and has, in whole bytes',
  resourceQuota,
  {
    resource: claims,
    object: { spec: { resources: { requests: { storage: '1500m' } } }, status: { allocatedResources: { storage: '3500m' } } },
  },
  'exceeded quota: q, requested: requests.storage=4, used: requests.storage=1, limited: requests.storage=4',
  quotas(quota({ 'requests.storage': '4' }, { 'requests.storage': '1' })),
);
test('ResourceQuota is in force as its status has it, and asks nothing of containers where the Pod says it', async () => {
  await admitted(resourceQuota(), { object: pod({}) }, quotas(quota({ pods: '2' }, { pods: '1' }, { pods: '0' })));
  assert.deepEqual(updated.pop()?.['status'], { hard: { pods: '2' }, used: { pods: '2' } });
  await admitted(resourceQuota(), { object: pod({ resources: { requests: { cpu: '1' } } }) }, quotas(quota({ cpu: '2' }, { cpu: '0' })));
  updated.length = 0;
});
test('ResourceQuota counts Pods as they are created and resized, not as they change otherwise', async () => {
  const full = quotas(quota({ cpu: '1' }, { cpu: '1' }));
  const more = pod({ containers: [asking({ requests: { cpu: '2' } })] });
  await admitted(resourceQuota(), { operation: 'UPDATE', object: more, oldObject: pod({}) }, full);
  assert.deepEqual(updated, []);
});
refuses(
  'ResourceQuota counts what a Pod grows by',
  resourceQuota,
  {
    operation: 'UPDATE',
    subresource: 'resize',
    object: pod({ containers: [asking({ requests: { cpu: '2' } })] }),
    oldObject: pod({ containers: [asking({ requests: { cpu: '1' } })] }),
  },
  'exceeded quota: q, requested: cpu=1, used: cpu=1, limited: cpu=1',
  quotas(quota({ cpu: '1' }, { cpu: '1' })),
);
const exactly = (deviceClassName: string, allocationMode: string, count?: number) => ({
  exactly: { deviceClassName, allocationMode, count },
});
const alternatives = [
  { name: 'a', deviceClassName: 'gpu', allocationMode: 'ExactCount', count: 2 },
  { name: 'b', deviceClassName: 'gpu', allocationMode: 'ExactCount', count: 3 },
  { name: 'c', deviceClassName: 'nic', allocationMode: 'All' },
];
refuses(
  'ResourceQuota counts the devices of claims by class, at worst',
  resourceQuota,
  {
    resource: findResource('resource.k8s.io', 'v1', 'resourceclaims') as unknown as Resource,
    object: {
      spec: { devices: { requests: [exactly('gpu', 'ExactCount', 4), exactly('x', 'Later', 9), { firstAvailable: alternatives }] } },
    },
  },
  'exceeded quota: q, requested: gpu.deviceclass.resource.k8s.io/devices=7,nic.deviceclass.resource.k8s.io/devices=32, used: gpu.deviceclass.resource.k8s.io/devices=1,nic.deviceclass.resource.k8s.io/devices=0, limited: gpu.deviceclass.resource.k8s.io/devices=7,nic.deviceclass.resource.k8s.io/devices=31',
  quotas(
    quota(
      {
        'gpu.deviceclass.resource.k8s.io/devices': '7',
        'nic.deviceclass.resource.k8s.io/devices': '31',
        'x.deviceclass.resource.k8s.io/devices': '0',
      },
      {
        'gpu.deviceclass.resource.k8s.io/devices': '1',
        'nic.deviceclass.resource.k8s.io/devices': '0',
        'x.deviceclass.resource.k8s.io/devices': '0',
      },
    ),
  ),
);

// Priority
const priorityclasses = findResource('scheduling.k8s.io', 'v1', 'priorityclasses') as unknown as Resource;
const defaultClass = (name: string, value: number) => ({ metadata: { name }, value, globalDefault: true });
refuses(
  'Priority keeps to one default class, and names the lowest there is',
  () => priority,
  { resource: priorityclasses, object: defaultClass('c', 3) },
  'PriorityClass b is already marked as default. Only one default can exist',
  { objects: { priorityclasses: [defaultClass('a', 2), defaultClass('b', 1)] } },
);
test('Priority lets the default class change', async () => {
  const changed = {
    resource: priorityclasses,
    operation: 'UPDATE' as const,
    object: defaultClass('a', 2),
    oldObject: defaultClass('a', 2),
  };
  await admitted(priority, changed, { objects: { priorityclasses: [defaultClass('a', 2)] } });
});

// RuntimeClass
const runtime = (more: object): World => ({ objects: { runtimeclasses: [{ metadata: { name: 'r' }, handler: 'h', ...more }] } });
refuses(
  'RuntimeClass refuses a selector of another value',
  () => runtimeClass,
  { object: pod({ runtimeClassName: 'r', nodeSelector: { zone: 'a' } }) },
  'conflict: runtimeClass.scheduling.nodeSelector[zone] = b; pod.spec.nodeSelector[zone] = a',
  runtime({ scheduling: { nodeSelector: { zone: 'b' } } }),
);
refuses(
  'RuntimeClass refuses overhead of no class',
  () => runtimeClass,
  { object: pod({ overhead: { cpu: '1' } }) },
  'pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead',
);
test('RuntimeClass adds tolerations that are not there yet', async () => {
  const toleration = { key: 'a', operator: 'Exists' };
  const found = await admitted(
    runtimeClass,
    { object: pod({ runtimeClassName: 'r', tolerations: [toleration] }) },
    runtime({ scheduling: { tolerations: [toleration, { key: 'b', operator: 'Exists' }] } }),
  );
  assert.deepEqual((found['spec'] as { tolerations: object[] }).tolerations, [toleration, { key: 'b', operator: 'Exists' }]);
});

// ServiceAccount
const account = (enforce: string): World => ({
  objects: {
    serviceaccounts: [
      {
        metadata: { name: 'default', namespace: 'ns', annotations: { 'kubernetes.io/enforce-mountable-secrets': enforce } },
        imagePullSecrets: [{ name: 'pull', extra: 'no' }],
      },
    ],
  },
});
const secretEnv = [{ name: 'E', valueFrom: { secretKeyRef: { name: 's', key: 'k' } } }];
refuses(
  'ServiceAccount limits the Secrets of ephemeral containers',
  () => serviceAccount,
  {
    operation: 'UPDATE',
    subresource: 'ephemeralcontainers',
    object: pod({ serviceAccountName: 'default', ephemeralContainers: [{ name: 'e', env: secretEnv }] }),
    oldObject: pod({}),
  },
  'ephemeral container e with envVar E referencing secret.secretName="s" is not allowed because service account default does not reference that secret',
  account('T'),
);
refuses(
  'ServiceAccount finds the Secrets of mirror Pods in environments too',
  () => serviceAccount,
  { object: pod({ containers: [{ name: 'c', env: secretEnv }] }, { annotations: { 'kubernetes.io/config.mirror': 'm' } }) },
  'a mirror pod may not reference secrets',
);
test('ServiceAccount enforces nothing where the annotation is no true, and gives the names of its pull secrets', async () => {
  const found = await admitted(serviceAccount, { object: pod({ containers: [{ name: 'c', env: secretEnv }] }) }, account('yes'));
  assert.deepEqual((found['spec'] as { imagePullSecrets: object[] }).imagePullSecrets, [{ name: 'pull' }]);
});
refuses(
  'ServiceAccount wants mirror Pods to be of no account',
  () => serviceAccount,
  { object: pod({ serviceAccountName: 'a' }, { annotations: { 'kubernetes.io/config.mirror': 'm' } }) },
  'a mirror pod may not reference service accounts',
);
refuses(
  'ServiceAccount says so before anybody validates the Pod',
  () => ({ ...serviceAccount, validate: () => undefined }),
  { object: pod({ serviceAccountName: 'a' }, { annotations: { 'kubernetes.io/config.mirror': 'm' } }) },
  'a mirror pod may not reference service accounts',
);
test('ServiceAccount lets mirror Pods use claims', async () => {
  const volumes = [{ name: 'v', persistentVolumeClaim: { claimName: 'p' } }];
  await admitted(serviceAccount, { object: pod({ volumes }, { annotations: { 'kubernetes.io/config.mirror': 'm' } }) });
});

// PersistentVolumeClaimResize
const claim = (storage: string, spec: object = { storageClassName: 'fast' }) => ({
  spec: { ...spec, resources: { requests: { storage } } },
  status: { phase: 'Bound' },
});
refuses(
  'PersistentVolumeClaimResize wants a class that allows it',
  () => persistentVolumeClaimResize,
  { resource: claims, operation: 'UPDATE', object: claim('2Gi'), oldObject: claim('1Gi') },
  'only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize',
  { objects: { storageclasses: [{ metadata: { name: 'fast' }, allowVolumeExpansion: false }] } },
);

// NodeRestriction
const kubelet = { name: 'system:node:n', uid: '', groups: ['system:nodes'], extra: {} };
const owner = { apiVersion: 'v1', kind: 'Node', name: 'n', uid: 'u', controller: true };
const mirror = (spec: object) =>
  pod({ nodeName: 'n', ...spec }, { annotations: { 'kubernetes.io/config.mirror': 'm' }, ownerReferences: [owner] });
const node: World = { objects: { nodes: [{ metadata: { name: 'n', uid: 'u' } }] } };
for (const [spec, what] of [
  [{ imagePullSecrets: [{ name: 's' }] }, 'secrets'],
  [{ containers: [{ name: 'c', envFrom: [{ configMapRef: { name: 'm' } }] }] }, 'configmaps'],
  [{ volumes: [{ name: 'v', projected: { sources: [{ clusterTrustBundle: { path: 'p' } }] } }] }, 'clustertrustbundles'],
  [{ volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'p' } }] }, 'persistentvolumeclaims'],
  [{ resourceClaims: [{ name: 'r', resourceClaimName: 'r' }] }, 'resourceclaims'],
] as const) {
  const why = `node "n" can not create pods that reference ${what}`;
  refuses(
    `NodeRestriction refuses mirror Pods that use ${what}`,
    () => nodeRestriction,
    { user: kubelet, object: mirror(spec) },
    why,
    node,
  );
}
refuses(
  'NodeRestriction wants the Node of a mirror Pod',
  () => nodeRestriction,
  { user: kubelet, object: mirror({}) },
  'nodes "n" not found',
);

const token = (...audiences: string[]): Given => ({
  user: kubelet,
  resource: serviceaccounts as unknown as Resource,
  subresource: 'token',
  object: { spec: { audiences, boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name: 'x', uid: 'u' } } },
});
const projected = [{ name: 'v', projected: { sources: [{ serviceAccountToken: { audience: 'vault', path: 'p' } }] } }];
const scheduled = (allows: boolean, volumes: object[] = projected): World => ({
  allows: () => allows,
  objects: { pods: [{ metadata: { name: 'x', namespace: 'ns', uid: 'u' }, spec: { nodeName: 'n', volumes } }] },
});
refuses(
  'NodeRestriction gives no token for two audiences',
  () => nodeRestriction,
  token('a', 'b'),
  'node may only request 0 or 1 audiences',
  scheduled(true),
);
refuses(
  'NodeRestriction gives no token for an audience that the Pod has nothing of',
  () => nodeRestriction,
  token('other'),
  'audience "other" not found in pod spec volume, system:node:n is not authorized to request tokens for this audience',
  scheduled(false),
);
test('NodeRestriction gives tokens for the audiences of volumes, of CSI drivers, and those a rule allows', async () => {
  await admitted(nodeRestriction, token('vault'), scheduled(false));
  await admitted(nodeRestriction, token('other'), scheduled(true));
  const { objects } = scheduled(false, [{ name: 'v', csi: { driver: 'd' } }]);
  const csidrivers = [{ metadata: { name: 'd' }, spec: { tokenRequests: [{ audience: 'other' }] } }];
  await admitted(nodeRestriction, token('other'), { allows: () => false, objects: { ...objects, csidrivers } });
});
test('NodeRestriction leaves Pods of other users alone', async () => {
  await admitted(nodeRestriction, { resource: pods as unknown as Resource, object: pod({ imagePullSecrets: [{ name: 's' }] }) });
});
