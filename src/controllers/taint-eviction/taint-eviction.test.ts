// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pod } from '#api/core/v1';
import { nodes, pods } from '#api/resources';
import type { Draft } from '#machinery';
import { Lab } from '../_harness.ts';

const NODE = { name: 'n' };
const taint = { key: 'k', effect: 'NoExecute' as const };
const pod = (name: string, tolerationSeconds?: number) =>
  ({
    metadata: { namespace: 'default', name },
    spec: {
      nodeName: 'n',
      containers: [],
      tolerations: tolerationSeconds === undefined ? [] : [{ key: 'k', operator: 'Exists', effect: 'NoExecute', tolerationSeconds }],
    },
    status: { phase: 'Running' },
  }) as unknown as Draft<Pod>;
const isThere = (lab: Lab, name: string) => {
  const found = lab.api.peek(pods, { namespace: 'default', name });
  return found !== undefined && found.metadata.deletionTimestamp === undefined;
};

test('a toleration with seconds ends, also beside a taint that does not say since when it is there', async () => {
  await using lab = new Lab(['taint-eviction-controller']);
  lab.api.seed(nodes, { metadata: NODE, spec: {} });
  lab.api.seed(pods, pod('brief', 10), pod('none'));
  await lab.settle();
  await lab.api.patch(nodes, NODE, 'merge', { spec: { taints: [taint] } });
  await lab.settle(5000);
  assert.deepEqual([isThere(lab, 'none'), isThere(lab, 'brief')], [false, true]);
  await lab.settle(6000);
  assert.equal(isThere(lab, 'brief'), false);
});

test('a taint that is gone in time evicts nobody, and counts anew when it comes back', async () => {
  await using lab = new Lab(['taint-eviction-controller']);
  lab.api.seed(nodes, { metadata: NODE, spec: {} });
  lab.api.seed(pods, pod('brief', 10));
  await lab.settle();
  const taints = (list: object[]) => lab.api.patch(nodes, NODE, 'merge', { spec: { taints: list } });
  await taints([taint]);
  await lab.settle(6000);
  await taints([]);
  await lab.settle(6000);
  assert.equal(isThere(lab, 'brief'), true);
  await taints([taint]);
  await lab.settle(6000);
  assert.equal(isThere(lab, 'brief'), true);
  await lab.settle(6000);
  assert.equal(isThere(lab, 'brief'), false);
});
