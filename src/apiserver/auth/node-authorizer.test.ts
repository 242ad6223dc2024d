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
    ],
  },
} as unknown as Pod;
const rules = [{ apiGroups: [''], resources: ['nodes', 'pods'], verbs: ['get', 'list', 'watch', 'create'] }];
const authorizer = createNodeAuthorizer({ podsOf: (node) => (node === 'n1' ? [pod] : []) }, rules);

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
