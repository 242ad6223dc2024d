// SPDX-License-Identifier: Apache-2.0
// Node routes and masquerade rules as pure plans.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Node } from '#api/core/v1';
import { masqueradeRules } from './node-network.ts';
import { desiredRoutes } from './routes.ts';

function node(name: string, podCIDRs: string[], address: string): Node {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name },
    spec: { podCIDRs, podCIDR: podCIDRs[0] ?? '' },
    status: {
      addresses: [
        { type: 'Hostname', address: name },
        { type: 'InternalIP', address },
      ],
    },
  } as unknown as Node;
}

test('desiredRoutes() goes through the internal address of the same family, and never to the node itself', () => {
  const all = [
    node('me', ['10.1.0.0/24'], '192.0.2.1'),
    node('other', ['10.1.1.0/24', 'fd00:1::/64'], '192.0.2.2'),
    node('bare', [], '192.0.2.3'),
  ];
  assert.deepEqual([...desiredRoutes(all, 'me')], [['10.1.1.0/24', '192.0.2.2']]);
});

test('masqueradeRules() spares the cluster, its Pods and multicast', () => {
  const rules = masqueradeRules(['10.1.0.0/16'], ['10.1.3.0/24']);
  assert.match(rules, /ip saddr \{ 10\.1\.3\.0\/24 \} ip daddr != \{ 10\.1\.0\.0\/16, 10\.1\.3\.0\/24, 224\.0\.0\.0\/4 \} masquerade/);
  assert.doesNotMatch(rules, /ip6/);
});
