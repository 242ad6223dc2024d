// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pod } from '#api/core/v1';
import { formatTime } from '#component';
import { observeReplicas, planReplicas, rankForDeletion } from './plan.ts';

const NOW = Date.UTC(2026, 0, 2);
interface Facts {
  node?: string;
  phase?: 'Pending' | 'Running';
  ready?: boolean;
  cost?: string;
  restarts?: number;
  age?: number;
  readyFor?: number;
  deleted?: boolean;
}
function pod(
  name: string,
  { node = 'n1', phase = 'Running', ready = true, cost, restarts = 0, age = 3600, readyFor = age, deleted = false }: Facts = {},
): Pod {
  return {
    metadata: {
      name,
      uid: name,
      creationTimestamp: formatTime(NOW - age * 1000),
      ...(cost === undefined ? {} : { annotations: { 'controller.kubernetes.io/pod-deletion-cost': cost } }),
      ...(deleted ? { deletionTimestamp: formatTime(NOW) } : {}),
    },
    spec: { containers: [], ...(node === '' ? {} : { nodeName: node }) },
    status: {
      phase,
      conditions: [{ type: 'Ready', status: ready ? 'True' : 'False', lastTransitionTime: formatTime(NOW - readyFor * 1000) }],
      containerStatuses: [{ restartCount: restarts }],
    },
  } as unknown as Pod;
}

const RANKS: readonly (readonly [rule: string, first: Pod, second: Pod])[] = [
  ['unassigned before assigned', pod('b', { node: '' }), pod('a')],
  ['pending before running', pod('b', { phase: 'Pending' }), pod('a')],
  ['not ready before ready', pod('b', { ready: false }), pod('a')],
  ['cheap before dear', pod('b', { cost: '-1' }), pod('a', { cost: '5' })],
  ['ready for less time before longer', pod('b', { readyFor: 1 }), pod('a')],
  ['restarted more before less', pod('b', { restarts: 3 }), pod('a')],
  ['younger before older', pod('b', { age: 10, readyFor: 5 }), pod('a', { readyFor: 5 })],
];
for (const [rule, first, second] of RANKS) {
  test(`rankForDeletion() puts ${rule}`, () => {
    assert.deepEqual(
      rankForDeletion([second, first], [], NOW).map(({ metadata }) => metadata.name),
      [first.metadata.name, second.metadata.name],
    );
  });
}

test('rankForDeletion() gives up Pods on crowded nodes first', () => {
  const [a, b] = [pod('a', { node: 'n1' }), pod('b', { node: 'n2' })];

  assert.equal(rankForDeletion([a, b], [a, b, pod('c', { node: 'n2' })], NOW)[0]?.metadata.name, 'b');
});

test('planReplicas() creates what is missing, at most a burst, and removes what is too much', () => {
  const active = [pod('a'), pod('b', { ready: false })];

  assert.deepEqual(planReplicas({ replicas: 1000, active, related: [], now: NOW }), { action: 'create', count: 500 });
  assert.deepEqual(planReplicas({ replicas: 2, active, related: [], now: NOW }), { action: 'none' });
  assert.deepEqual(planReplicas({ replicas: 1, active, related: [], now: NOW }), { action: 'delete', pods: [active[1]] });
});

test('observeReplicas() counts available Pods by minReadySeconds and says when the next one is', () => {
  const pods = [pod('a', { readyFor: 60 }), pod('b', { readyFor: 4 }), pod('c', { ready: false }), pod('d', { deleted: true })];

  assert.deepEqual(observeReplicas(pods, {}, 10, NOW), {
    replicas: 3,
    fullyLabeledReplicas: 3,
    readyReplicas: 2,
    availableReplicas: 1,
    terminatingReplicas: 1,
    nextAvailableInMs: 6000,
  });
});
