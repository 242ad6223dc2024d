// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ApiError } from '#machinery';
import { admitted, type Given, refused } from './_test-plugins.ts';
import { nodeDeclaredFeatureValidator, podResizeValidator } from './pod-resize.ts';

const LABELS = { 'kubernetes.io/os': 'linux' };
const worldWith = (node: object = {}) => ({
  objects: { nodes: [{ metadata: { name: 'n', labels: LABELS }, status: { allocatable: { cpu: '2', memory: '1Gi' } }, ...node }] },
});

function pod(requests: object, generation: number, { spec = {}, status = {} }: { spec?: object; status?: object } = {}) {
  return {
    metadata: { name: 'x', namespace: 'ns', generation },
    spec: { nodeName: 'n', containers: [{ name: 'c', resources: { requests } }], ...spec },
    status,
  };
}
const resize = (object: object, oldObject: object): Given => ({ subresource: 'resize', operation: 'UPDATE', object, oldObject });

describe('PodResizeValidator', () => {
  const small = pod({ cpu: '1' }, 1);

  test('lets what the node could hold be', async () => {
    await admitted(podResizeValidator, resize(pod({ cpu: '2', memory: '1Gi' }, 2), small), worldWith());
  });

  test('names what is asked beyond it, as a cause too', async () => {
    const big = resize(pod({ cpu: '2500m', memory: '2Gi' }, 2), small);

    await assert.rejects(admitted(podResizeValidator, big, worldWith()), (error: ApiError) => {
      const text =
        'pods "x" is forbidden: Node didn\'t have enough allocatable resources: cpu, requested: 2500, allocatable: 2000; memory, requested: 2147483648, allocatable: 1073741824';
      assert.equal(error.message, text);
      assert.deepEqual(error.status.details?.causes, [{ reason: 'NodeCapacity' }]);
      return true;
    });
  });

  test('refuses other systems, and nodes that are gone', async () => {
    const asked = resize(pod({ cpu: '2' }, 2), small);

    await refused(podResizeValidator, asked, /only supported on linux nodes, node "n" is "windows"$/, {
      objects: { nodes: [{ metadata: { name: 'n', labels: { 'kubernetes.io/os': 'windows' } }, status: { allocatable: { cpu: '2' } } }] },
    });
    await refused(podResizeValidator, asked, /node "n" not found$/);
  });

  test('says nothing of a Pod without a node, of a change of nothing, and of other endpoints', async () => {
    const big = pod({ cpu: '9' }, 2);
    await admitted(podResizeValidator, resize(pod({ cpu: '9' }, 2, { spec: { nodeName: '' } }), small));
    await admitted(podResizeValidator, resize(pod({ cpu: '9' }, 1), small));
    await admitted(podResizeValidator, { operation: 'UPDATE', object: big, oldObject: small });
  });
});

describe('NodeDeclaredFeatureValidator', () => {
  const guaranteed = { status: { qosClass: 'Guaranteed' } };
  const before = pod({ cpu: '1' }, 1, guaranteed);
  const refusedWith = (given: Given, text: RegExp, node: object = {}) =>
    refused(nodeDeclaredFeatureValidator, given, text, worldWith(node));

  test('wants a node that can change the CPU of a guaranteed Pod', async () => {
    const changed = resize(pod({ cpu: '2' }, 2, guaranteed), before);

    await refusedWith(changed, /pod update requires features GuaranteedQoSPodCPUResize which are not available on node "n"$/);
    await admitted(nodeDeclaredFeatureValidator, changed, worldWith({ status: { declaredFeatures: ['GuaranteedQoSPodCPUResize'] } }));
    await admitted(nodeDeclaredFeatureValidator, resize(pod({ cpu: '2' }, 2), pod({ cpu: '1' }, 1)), worldWith());
    await admitted(nodeDeclaredFeatureValidator, resize(pod({ cpu: '1000m' }, 2, guaranteed), before), worldWith());
  });

  test('wants a node that can change what a whole Pod may use', async () => {
    const sized = (cpu: string, generation: number) => pod({}, generation, { spec: { resources: { requests: { cpu } } } });

    await refusedWith(resize(sized('2', 2), sized('1', 1)), /requires features InPlacePodLevelResourcesVerticalScaling which/);
  });
});
