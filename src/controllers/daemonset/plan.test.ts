// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DaemonSet } from '#api/apps/v1';
import type { Node, Pod, Taint } from '#api/core/v1';
import { judgeNode, observeDaemons, planDaemons, planRollingUpdate } from './plan.ts';

const NOW = Date.UTC(2026, 0, 2);
const node = (name: string, taints: readonly Partial<Taint>[] = [], labels: Record<string, string> = {}) =>
  ({ metadata: { name, labels }, spec: { taints } }) as unknown as Node;
const set = (extra: object = {}, strategy: object = {}) =>
  ({
    metadata: { name: 'ds' },
    spec: {
      template: { metadata: {}, spec: { containers: [], ...extra } },
      updateStrategy: { type: 'RollingUpdate', rollingUpdate: strategy },
    },
  }) as unknown as DaemonSet;
const daemon = (
  name: string,
  on: string,
  { hash = 'h1', ready = true, phase = 'Running' }: { hash?: string; ready?: boolean; phase?: string } = {},
) =>
  ({
    metadata: { name, uid: name, labels: { 'controller-revision-hash': hash }, creationTimestamp: '2026-01-01T00:00:00Z' },
    spec: { nodeName: on, containers: [] },
    status: { phase, conditions: [{ type: 'Ready', status: ready ? 'True' : 'False', lastTransitionTime: '2026-01-01T00:00:00Z' }] },
  }) as unknown as Pod;

const VERDICTS: readonly (readonly [name: string, set: DaemonSet, node: Node, shouldRun: boolean, mayStay: boolean])[] = [
  ['a plain node', set(), node('a'), true, true],
  ['a node that is not ready', set(), node('a', [{ key: 'node.kubernetes.io/not-ready', effect: 'NoExecute' }]), true, true],
  ['a cordoned node', set(), node('a', [{ key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' }]), true, true],
  ['a dedicated node', set(), node('a', [{ key: 'x', value: 'y', effect: 'NoSchedule' }]), false, true],
  ['a node that drives Pods out', set(), node('a', [{ key: 'x', effect: 'NoExecute' }]), false, false],
  ['a node without the label', set({ nodeSelector: { disk: 'ssd' } }), node('a'), false, false],
  ['a node with the label', set({ nodeSelector: { disk: 'ssd' } }), node('a', [], { disk: 'ssd' }), true, true],
];
for (const [name, daemons, on, shouldRun, mayStay] of VERDICTS) {
  test(`judgeNode() of ${name}: ${shouldRun ? 'run' : 'do not run'}, ${mayStay ? 'stay' : 'go'}`, () => {
    assert.deepEqual(judgeNode(daemons, on), { shouldRun, mayStay });
  });
}

test('planDaemons() makes one Pod for each node, and removes ended and surplus ones', () => {
  const pods = [daemon('one', 'a'), daemon('failed', 'b', { phase: 'Failed' }), daemon('x', 'c'), daemon('y', 'c', { ready: false })];
  const plan = planDaemons({ set: set(), nodes: ['a', 'b', 'c', 'd'].map((name) => node(name)), pods, hash: 'h1', now: NOW });

  assert.deepEqual(plan.create, ['d']);
  assert.deepEqual(
    plan.remove.map(({ metadata }) => metadata.name),
    ['failed', 'y'],
  );
});

test('planRollingUpdate() replaces sick Pods at once and others up to maxUnavailable', () => {
  const pods = [daemon('a', 'a', { hash: 'old' }), daemon('b', 'b', { hash: 'old' }), daemon('c', 'c', { hash: 'old', ready: false })];
  const nodes = ['a', 'b', 'c'].map((name) => node(name));
  const one = planRollingUpdate({ set: set(), nodes, pods, hash: 'new', now: NOW });
  const two = planRollingUpdate({ set: set({}, { maxUnavailable: 2 }), nodes, pods, hash: 'new', now: NOW });

  assert.deepEqual(
    one.remove.map(({ metadata }) => metadata.name),
    ['c'],
  );
  assert.deepEqual(
    two.remove.map(({ metadata }) => metadata.name),
    ['c', 'a'],
  );
});

test('planRollingUpdate() with surge makes the new Pod first', () => {
  const pods = [daemon('a', 'a', { hash: 'old' }), daemon('b', 'b', { hash: 'old' }), daemon('b2', 'b', { hash: 'new' })];
  const plan = planRollingUpdate({
    set: set({}, { maxSurge: 1, maxUnavailable: 0 }),
    nodes: [node('a'), node('b')],
    pods,
    hash: 'new',
    now: NOW,
  });

  assert.deepEqual(plan.create, ['a']);
  assert.deepEqual(
    plan.remove.map(({ metadata }) => metadata.name),
    ['b'],
  );
});

test('observeDaemons() counts wanted, ready, current and misplaced ones', () => {
  const nodes = [node('a'), node('b'), node('c', [{ key: 'x', effect: 'NoSchedule' }])];
  const status = observeDaemons({ set: set(), nodes, pods: [daemon('1', 'a'), daemon('2', 'c')], hash: 'h1', now: NOW });

  assert.deepEqual(status, {
    desiredNumberScheduled: 2,
    currentNumberScheduled: 1,
    numberMisscheduled: 1,
    numberReady: 1,
    numberAvailable: 1,
    updatedNumberScheduled: 1,
    numberUnavailable: 1,
  });
});
