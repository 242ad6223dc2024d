// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubeObject } from '../../machinery/mod.ts';
import { autoscalerFromStorage, autoscalerToStorage } from './conversion.ts';

const stored = {
  kind: 'HorizontalPodAutoscaler',
  apiVersion: 'autoscaling/v2',
  metadata: { name: 'h', annotations: { own: 'x' } },
  spec: {
    scaleTargetRef: { kind: 'Deployment', name: 'web', apiVersion: 'apps/v1' },
    minReplicas: 2,
    maxReplicas: 5,
    metrics: [
      { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 60 } } },
      { type: 'External', external: { metric: { name: 'q' }, target: { type: 'Value', value: '7' } } },
    ],
    behavior: {
      scaleUp: { stabilizationWindowSeconds: 0, selectPolicy: 'Max', policies: [{ type: 'Pods', value: 4, periodSeconds: 15 }] },
    },
  },
  status: { currentReplicas: 1, desiredReplicas: 2 },
} as unknown as KubeObject;

test('a v2 autoscaler reads as v1: CPU as a field, the rest in annotations', () => {
  const v1 = autoscalerFromStorage(stored) as unknown as {
    spec: Record<string, unknown>;
    metadata: { annotations: Record<string, string> };
  };

  assert.equal(v1.spec['targetCPUUtilizationPercentage'], 60);
  assert.equal(
    v1.metadata.annotations['autoscaling.alpha.kubernetes.io/metrics'],
    '[{"type":"External","external":{"metricName":"q","targetValue":"7"}}]',
  );
  assert.match(v1.metadata.annotations['autoscaling.alpha.kubernetes.io/behavior'] ?? '', /^\{"ScaleUp":\{"StabilizationWindowSeconds":0,/);
});

test('from v2 to v1 and back nothing is lost; the CPU metric comes last', () => {
  const back = autoscalerToStorage(autoscalerFromStorage(stored)) as unknown as {
    spec: { metrics: { type: string }[] };
    metadata: unknown;
  };

  assert.deepEqual(
    back.spec.metrics.map(({ type }) => type),
    ['External', 'Resource'],
  );
  assert.deepEqual({ ...back, spec: { ...back.spec, metrics: [...back.spec.metrics].reverse() } }, stored);
});
