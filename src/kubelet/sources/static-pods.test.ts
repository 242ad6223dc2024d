// SPDX-License-Identifier: Apache-2.0
// Manifests of static Pods: what is filled in, what is refused.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { readStaticPod } from './static-pods.ts';

const AT = { path: '/m/a.yaml', nodeName: 'Node1', seen: '2026-01-01T00:00:00Z' };

test('readStaticPod() names the pod after the node and ties its UID to the text', () => {
  const text = 'apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: c, image: i}]}\n';
  const pod = readStaticPod(text, AT);
  assert.deepEqual([pod.metadata.name, pod.metadata.namespace, pod.spec.nodeName], ['a-node1', 'default', 'Node1']);
  assert.equal(pod.metadata.annotations?.['kubernetes.io/config.source'], 'file');
  assert.equal(readStaticPod(text, AT).metadata.uid, pod.metadata.uid);
  assert.notEqual(readStaticPod(text.replace('i}', 'j}'), AT).metadata.uid, pod.metadata.uid);
});

test('readStaticPod() refuses what is no pod, whatever it is', () => {
  for (const text of ['', '[]', 'kind: Pod', 'apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: []}']) {
    assert.throws(() => readStaticPod(text, AT), TypeError, text);
  }
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
      try {
        return typeof readStaticPod(text, AT).metadata.name === 'string';
      } catch {
        return true;
      }
    }),
  );
});
