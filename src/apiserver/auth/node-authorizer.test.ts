// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pod } from '#api/core/v1';
import { createNodeAuthorizer } from './node-authorizer.ts';

const pod = {
  metadata: { name: 'p', namespace: 'default' },
  spec: {
    serviceAccountName: 'bot',
    containers: [{ name: 'c', env: [{ name: 'E', valueFrom: { secretKeyRef: { name: 'env-secret', key: 'k' } } }] }],
    volumes: [
      { name: 'v', secret: { secretName: 'volume-secret' } },
      { name: 'c', persistentVolumeClaim: { claimName: 'claim' } },
      { name: 'scratch', ephemeral: {} },
      { name: 'files', azureFile: { secretName: 'azure-secret' } },
    ],
    resourceClaims: [{ name: 'gpu', resourceClaimName: 'gpu-claim' }],
  },
} as unknown as Pod;
const rules = [{ apiGroups: [''], resources: ['nodes', 'pods'], verbs: ['get', 'list', 'watch', 'create'] }];
const stored: Readonly<Record<string, object>> = {
  'persistentvolumeclaims default/claim': { spec: { volumeName: 'pv' } },
  'persistentvolumeclaims default/p-scratch': { spec: { volumeName: 'pv2' } },
  'persistentvolumes /pv': {
    metadata: { name: 'pv' },
    spec: { claimRef: { namespace: 'default', name: 'claim' }, csi: { nodeStageSecretRef: { name: 'csi-secret', namespace: 'csi' } } },
  },
  'persistentvolumes /pv2': { metadata: { name: 'pv2' }, spec: { claimRef: { namespace: 'other', name: 'p-scratch' } } },
  'volumeattachments /mine': { spec: { nodeName: 'n1' } },
  'resourceslices /mine': { spec: { nodeName: 'n1' } },
};
const reader = {
  find: ({ resource }: { resource: string }, { namespace = '', name }: { namespace?: string; name: string }) =>
    stored[`${resource} ${namespace}/${name}`],
};
const mirror = {
  ...pod,
  metadata: { name: 'm', namespace: 'mirrors', annotations: { 'kubernetes.io/config.mirror': 'x' } },
} as unknown as Pod;
const graph = { podsOf: (node: string) => (node === 'n1' ? [pod, mirror] : []), reader: reader as never };
const authorizer = createNodeAuthorizer(graph, rules);

function judge(line: string, node = 'n1') {
  const [verb = '', what = '', namespace = '', name = ''] = line.split(' ');
  const [qualified = '', subresource = ''] = what.split('/');
  const [resource = '', ...group] = qualified.split('.');
  const user = { name: `system:node:${node}`, uid: '', groups: ['system:nodes'], extra: {} };
  return authorizer.authorize({
    user,
    verb,
    isResource: true,
    path: '',
    group: group.join('.'),
    version: 'v1',
    resource,
    subresource,
    namespace: namespace === '-' ? '' : namespace,
    name,
  }).verdict;
}

const cases: readonly (readonly [string, string, string])[] = [
  ['get secrets default volume-secret', 'n1', 'allow'],
  ['get secrets default env-secret', 'n1', 'allow'],
  ['get secrets default other', 'n1', 'no-opinion'],
  ['get secrets other volume-secret', 'n1', 'no-opinion'],
  ['get secrets default volume-secret', 'n2', 'no-opinion'],
  ['list secrets default', 'n1', 'no-opinion'],
  ['update secrets default volume-secret', 'n1', 'no-opinion'],
  ['get persistentvolumeclaims default claim', 'n1', 'allow'],
  ['create serviceaccounts/token default bot', 'n1', 'allow'],
  ['create serviceaccounts/token default default', 'n1', 'no-opinion'],
  ['get nodes - n1', 'n1', 'allow'],
  ['get nodes - n2', 'n1', 'no-opinion'],
  ['get leases.coordination.k8s.io kube-node-lease n1', 'n1', 'allow'],
  ['update leases.coordination.k8s.io kube-node-lease n2', 'n1', 'no-opinion'],
  ['get leases.coordination.k8s.io default n1', 'n1', 'no-opinion'],
  ['get deployments.apps default d', 'n1', 'no-opinion'],
];
for (const [line, node, expected] of cases) {
  test(`the kubelet of ${node} asking to "${line}" gets ${expected}`, () => assert.equal(judge(line, node), expected));
}

test('a user who is no kubelet gets no opinion', () => {
  const user = { name: 'system:node:n1', uid: '', groups: [], extra: {} };

  const { verdict } = authorizer.authorize({
    user,
    verb: 'get',
    isResource: true,
    path: '',
    group: '',
    version: 'v1',
    resource: 'nodes',
    subresource: '',
    namespace: '',
    name: 'n1',
  });

  assert.equal(verdict, 'no-opinion');
});

const REASONS: readonly (readonly [string, string])[] = [
  ['get secrets default azure-secret', 'allow'],
  ['get secrets csi csi-secret', 'allow'],
  ['get secrets mirrors volume-secret', "no relationship found between node 'n1' and this object"],
  ['get pods mirrors m', 'allow'],
  ['list secrets - ', 'can only read namespaced object of this type'],
  ['list secrets default ', 'No Object name found'],
  ['get secrets/x default volume-secret', 'cannot read subresource'],
  ['get persistentvolumeclaims default p-scratch', 'allow'],
  ['list persistentvolumeclaims default ', 'can only get individual resources of this type'],
  ['patch persistentvolumeclaims/status default claim', 'allow'],
  ['get persistentvolumeclaims/status default claim', 'can only get/update/patch this type'],
  ['get persistentvolumes - pv', 'allow'],
  ['get persistentvolumes - pv2', "no relationship found between node 'n1' and this object"],
  ['get persistentvolumes/status - pv', 'cannot get subresource'],
  ['get resourceclaims.resource.k8s.io default gpu-claim', 'allow'],
  ['get volumeattachments.storage.k8s.io - mine', 'allow'],
  ['get volumeattachments.storage.k8s.io - other', "no relationship found between node 'n1' and this object"],
  ['create resourceslices.resource.k8s.io - ', 'allow'],
  ['delete resourceslices.resource.k8s.io - mine', 'allow'],
  ['list resourceslices.resource.k8s.io - ', 'can only list/watch/deletecollection resourceslices with nodeName field selector'],
  ['list resourceslices.resource.k8s.io - @spec.nodeName', 'allow'],
  ['list csinodes.storage.k8s.io - ', 'can only get, create, update, patch, or delete a CSINode'],
  ['create serviceaccounts default bot', 'can only create token subresource of serviceaccount'],
  ['list nodes - ', "node 'n1' cannot read all nodes, only its own Node object"],
  ['patch nodes/status - n2', 'allow'],
  ['delete nodes - n1', ''],
  ['list pods - ', 'can only list/watch pods with spec.nodeName field selector'],
  ['watch pods - @spec.nodeName', 'allow'],
  ['list pods - @metadata.namespace', 'can only list/watch pods with spec.nodeName field selector'],
  ['get pods default other', "no relationship found between node 'n1' and this object"],
  ['create pods/eviction default other', 'allow'],
  ['update pods default p', ''],
];
for (const [line, expected] of REASONS) {
  test(`asked to "${line}" the node authorizer says "${expected}"`, () => {
    const [verb = '', what = '', namespace = '', last = ''] = line.split(' ');
    const [qualified = '', subresource = ''] = what.split('/');
    const [resource = '', ...group] = qualified.split('.');
    const { verdict, reason } = authorizer.authorize({
      user: { name: 'system:node:n1', uid: '', groups: ['system:nodes'], extra: {} },
      verb,
      isResource: true,
      path: '',
      group: group.join('.'),
      version: 'v1',
      resource,
      subresource,
      namespace: namespace === '-' ? '' : namespace,
      name: last.startsWith('@') ? '' : last,
      ...(last.startsWith('@') ? { fieldSelector: () => [{ field: last.slice(1), operator: '=' as const, value: 'n1' }] } : {}),
    });

    assert.equal(verdict === 'allow' ? verdict : reason, expected);
  });
}
