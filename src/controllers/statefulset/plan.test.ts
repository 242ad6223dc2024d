// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ControllerRevision, StatefulSet } from '#api/apps/v1';
import type { Pod } from '#api/core/v1';
import { observeStateful, planStateful } from './plan.ts';

const [OLD, NEW] = ['old', 'new'].map((name) => ({ metadata: { name } }) as unknown as ControllerRevision) as [
  ControllerRevision,
  ControllerRevision,
];
const set = (replicas: number, extra: object = {}) =>
  ({ metadata: { name: 'db' }, spec: { replicas, updateStrategy: { type: 'RollingUpdate' }, ...extra } }) as unknown as StatefulSet;
const member = (
  ordinal: number,
  { revision = 'new', ready = true, going = false }: { revision?: string; ready?: boolean; going?: boolean } = {},
) =>
  ({
    metadata: { name: `db-${ordinal}`, labels: { 'controller-revision-hash': revision }, ...(going ? { deletionTimestamp: 'x' } : {}) },
    status: { phase: 'Running', conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }] },
  }) as unknown as Pod;
const plan = (of: StatefulSet, pods: readonly Pod[]) => {
  const { create, remove } = planStateful({ set: of, pods, current: OLD, update: NEW, now: 0 });
  return { create: create.map(({ ordinal }) => ordinal), remove: remove.map(({ metadata }) => metadata.name) };
};

const STEPS: readonly (readonly [
  name: string,
  set: StatefulSet,
  pods: readonly Pod[],
  create: readonly number[],
  remove: readonly string[],
])[] = [
  ['the first Pod comes alone', set(3), [], [0], []],
  ['the next waits until it is ready', set(3), [member(0, { ready: false })], [], []],
  ['then the next', set(3), [member(0)], [1], []],
  ['in parallel all come at once', set(3, { podManagementPolicy: 'Parallel' }), [], [0, 1, 2], []],
  ['the highest goes first', set(1), [member(0), member(1), member(2)], [], ['db-2']],
  ['one goes at a time', set(1), [member(0), member(1), member(2, { going: true })], [], []],
  ['an update begins at the top', set(2), [member(0, { revision: 'old' }), member(1, { revision: 'old' })], [], ['db-1']],
  [
    'and stops at the partition',
    set(2, { updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 1 } } }),
    [member(0, { revision: 'old' }), member(1)],
    [],
    [],
  ],
  ['on delete nothing is replaced', set(1, { updateStrategy: { type: 'OnDelete' } }), [member(0, { revision: 'old' })], [], []],
  ['ordinals may start elsewhere', set(1, { ordinals: { start: 5 } }), [], [5], []],
];
for (const [name, of, pods, create, remove] of STEPS) {
  test(`planStateful(): ${name}`, () => {
    assert.deepEqual(plan(of, pods), { create, remove });
  });
}

const ROLLING: readonly (readonly [name: string, pods: readonly Pod[], revision: string])[] = [
  ['one that was replaced is made anew at the update', [member(0, { revision: 'old' }), member(1, { revision: 'old' })], 'new'],
  ['a lower one that was lost keeps the current revision', [member(1, { revision: 'old' }), member(2)], 'old'],
  ['one that is lost when all have been replaced is at the update', [member(1), member(2)], 'new'],
];
for (const [name, pods, revision] of ROLLING) {
  test(`planStateful(): without a partition, ${name}`, () => {
    const stale = { ...set(3), status: { currentReplicas: 3, replicas: 3 } } as StatefulSet;

    const { create } = planStateful({ set: stale, pods, current: OLD, update: NEW, now: 0 });

    assert.deepEqual(
      create.map((made) => made.revision.metadata.name),
      [revision],
    );
  });
}

test('observeStateful() makes the update the current revision when it is complete', () => {
  const status = observeStateful({ set: set(2), pods: [member(0), member(1)], current: OLD, update: NEW, now: 0 });

  assert.equal(status.currentRevision, 'new');
  assert.equal(status.currentReplicas, 2);
});
