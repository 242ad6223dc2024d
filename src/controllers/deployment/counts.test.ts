// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Deployment, ReplicaSet } from '#api/apps/v1';
import { fencePosts, newSetReplicas, planProportional, planScaleDown } from './counts.ts';
import { canonical, templateHash } from './template.ts';

const deployment = (replicas: number, maxSurge: number | string, maxUnavailable: number | string) =>
  ({
    metadata: { name: 'd' },
    spec: {
      replicas,
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge, maxUnavailable } },
      template: { metadata: {}, spec: { containers: [] } },
    },
    status: {},
  }) as unknown as Deployment;
const set = (name: string, replicas: number, available = replicas, maxReplicas?: number) =>
  ({
    metadata: {
      name,
      creationTimestamp: `2026-01-0${name.length}T00:00:00Z`,
      annotations: maxReplicas === undefined ? {} : { 'deployment.kubernetes.io/max-replicas': String(maxReplicas) },
    },
    spec: { replicas },
    status: { replicas, availableReplicas: available },
  }) as unknown as ReplicaSet;

const FENCES: readonly (readonly [
  replicas: number,
  surge: number | string,
  unavailable: number | string,
  expected: readonly [number, number],
])[] = [
  [10, '25%', '25%', [3, 2]],
  [1, '25%', '25%', [1, 0]],
  [4, 0, 0, [0, 1]],
  [3, 1, 0, [1, 0]],
];
for (const [replicas, surge, unavailable, [maxSurge, maxUnavailable]] of FENCES) {
  test(`fencePosts() of ${replicas} with ${surge} and ${unavailable} is ${maxSurge} up, ${maxUnavailable} down`, () => {
    assert.deepEqual(fencePosts(deployment(replicas, surge, unavailable)), { maxSurge, maxUnavailable });
  });
}

test('newSetReplicas() stays below the most Pods', () => {
  assert.equal(newSetReplicas(deployment(10, 2, 2), [set('o', 10), set('nn', 0)], 0), 2);
  assert.equal(newSetReplicas(deployment(10, 2, 2), [set('o', 12)], 1), 1);
});

test('planScaleDown() takes Pods that do not work first, and never too many that do', () => {
  const sick = planScaleDown(deployment(10, 2, 2), set('nn', 2, 0), [set('o', 10, 5)]);
  const fine = planScaleDown(deployment(10, 2, 2), set('nn', 2), [set('o', 10)]);

  assert.deepEqual(
    sick.map(({ to }) => to),
    [8],
  );
  assert.deepEqual(
    fine.map(({ to }) => to),
    [6],
  );
});

test('planProportional() divides what is gained, and loses everything at zero', () => {
  const sets = [set('o', 8, 8, 12), set('nn', 4, 4, 12)];
  const up = planProportional(deployment(20, '20%', 0), sets);
  const down = planProportional(deployment(0, 2, 0), sets);

  assert.deepEqual(
    up.map(({ to }) => to),
    [16, 8],
  );
  assert.deepEqual(
    down.map(({ to }) => to),
    [0, 0],
  );
});

test('templateHash() does not depend on the order of keys but on collisions', () => {
  const [a, b] = [
    { metadata: { labels: { x: '1', y: '2' } }, spec: { containers: [] } },
    { spec: { containers: [] }, metadata: { labels: { y: '2', x: '1' } } },
  ];

  assert.equal(canonical(a), canonical(b));
  assert.equal(templateHash(a as never, undefined), templateHash(b as never, undefined));
  assert.notEqual(templateHash(a as never, 1), templateHash(a as never, undefined));
});
