// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Node, Pod } from '#api/core/v1';
import { events, nodes, pods } from '#api/resources';
import { FakeApi } from '#client/testing';
import { FakeClock, silentLogger } from '#component';
import { makeNode, makePod } from './_objects.ts';
import { runScheduler } from './run.ts';

class Lab implements AsyncDisposable {
  readonly clock = new FakeClock();
  readonly api = new FakeApi({ clock: this.clock });
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;

  constructor(...objects: readonly (Node | Pod)[]) {
    for (const object of objects) this.add(object);
    this.#running = runScheduler({
      client: this.api,
      clock: this.clock,
      logger: silentLogger,
      leaderElect: false,
      random: () => 0,
      signal: this.#stop.signal,
    });
  }

  add(object: Node | Pod): void {
    if (object.kind === 'Node') this.api.seed(nodes, object);
    else this.api.seed(pods, object);
  }

  async settle(ms = 0): Promise<void> {
    for (let turn = 0; turn < 3; turn++) await this.clock.advance(0);
    if (ms > 0) await this.clock.advance(ms);
  }

  find(name: string) {
    return this.api.peek(pods, { namespace: 'default', name });
  }

  condition(name: string) {
    return this.find(name)?.status.conditions?.find(({ type }) => type === 'PodScheduled');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.settle();
    await this.#running;
  }
}

test('a Pod is bound, and an event says where', async () => {
  await using lab = new Lab(makeNode('n1'), makePod('p'));
  await lab.settle();

  assert.equal(lab.find('p')?.spec.nodeName, 'n1');
  assert.deepEqual(
    lab.api.peekAll(events).map(({ reason, message, source }) => [reason, message, source?.component]),
    [['Scheduled', 'Successfully assigned default/p to n1', 'default-scheduler']],
  );
});

test('without nodes a Pod waits, and goes to the first that comes', async () => {
  await using lab = new Lab(makePod('p'));
  await lab.settle();
  assert.equal(lab.condition('p')?.message, 'no nodes available to schedule pods');
  lab.add(makeNode('n1'));
  await lab.settle();

  assert.equal(lab.find('p')?.spec.nodeName, 'n1');
});

test('the reasons of all nodes are counted, and what preemption says follows', async () => {
  const tainted = makeNode('n1', { spec: { taints: [{ key: 'k', effect: 'NoSchedule' }] } });
  await using lab = new Lab(
    tainted,
    makeNode('n2', { cpu: '1' }),
    makeNode('n3', { cpu: '2' }),
    makePod('big', { cpu: '2', node: 'n3' }),
    makePod('p', { cpu: '2' }),
  );
  await lab.settle();

  const condition = lab.condition('p');
  assert.equal(condition?.reason, 'Unschedulable');
  assert.equal(
    condition?.message,
    '0/3 nodes are available: 1 node(s) had untolerated taint(s), 2 Insufficient cpu. preemption: 0/3 nodes are available: 1 No preemption victims found for incoming pod, 2 Preemption is not helpful for scheduling.',
  );
  assert.ok(lab.api.peekAll(events).some(({ reason, type }) => reason === 'FailedScheduling' && type === 'Warning'));
});

test('room that a deleted Pod leaves is used at once', async () => {
  await using lab = new Lab(makeNode('n1', { cpu: '2' }), makePod('old', { cpu: '2', node: 'n1' }), makePod('p', { cpu: '2' }));
  await lab.settle();
  assert.equal(lab.find('p')?.spec.nodeName, undefined);
  await lab.api.delete(pods, { namespace: 'default', name: 'old' }, { gracePeriodSeconds: 0 });
  await lab.settle();

  assert.equal(lab.find('p')?.spec.nodeName, 'n1');
});

test('a more important Pod drives out the least important that make room', async () => {
  await using lab = new Lab(
    makeNode('n1', { cpu: '4' }),
    makePod('low', { cpu: '2', node: 'n1', spec: { priority: 1 } }),
    makePod('mid', { cpu: '2', node: 'n1', spec: { priority: 5 } }),
    makePod('high', { cpu: '2', spec: { priority: 10 } }),
  );
  await lab.settle();

  assert.ok(lab.find('low')?.metadata.deletionTimestamp);
  assert.equal(lab.find('mid')?.metadata.deletionTimestamp, undefined);
  assert.equal(lab.find('high')?.status.nominatedNodeName, 'n1');
  assert.ok(
    lab.find('low')?.status.conditions?.some(({ type, reason }) => type === 'DisruptionTarget' && reason === 'PreemptionByScheduler'),
  );
  await lab.api.delete(pods, { namespace: 'default', name: 'low' }, { gracePeriodSeconds: 0 });
  await lab.settle();
  assert.equal(lab.find('high')?.spec.nodeName, 'n1');
});

test('a Pod that may not preempt says so', async () => {
  await using lab = new Lab(
    makeNode('n1', { cpu: '2' }),
    makePod('low', { cpu: '2', node: 'n1' }),
    makePod('p', { cpu: '2', spec: { priority: 10, preemptionPolicy: 'Never' } }),
  );
  await lab.settle();

  assert.equal(
    lab.condition('p')?.message,
    '0/1 nodes are available: 1 Insufficient cpu. preemption: not eligible due to preemptionPolicy=Never.',
  );
});

test('a gated Pod is left alone until its gates are gone', async () => {
  await using lab = new Lab(makeNode('n1'), makePod('p', { spec: { schedulingGates: [{ name: 'g' }] } }));
  await lab.settle();
  assert.equal(lab.find('p')?.spec.nodeName, undefined);
  await lab.api.patch(pods, { namespace: 'default', name: 'p' }, 'merge', { spec: { schedulingGates: [] } });
  await lab.settle();

  assert.equal(lab.find('p')?.spec.nodeName, 'n1');
});

test('Pods of another scheduler are not touched', async () => {
  await using lab = new Lab(makeNode('n1'), makePod('p', { spec: { schedulerName: 'mine' } }));
  await lab.settle();

  assert.equal(lab.find('p')?.spec.nodeName, undefined);
});

test('a Pod with an unbound claim waits with the reason', async () => {
  await using lab = new Lab(
    makeNode('n1'),
    makePod('p', { spec: { volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'c' } }] } }),
  );
  await lab.settle();

  assert.equal(
    lab.condition('p')?.message,
    '0/1 nodes are available: persistentvolumeclaim "c" not found. preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.',
  );
});

test('a daemon pinned to a node that does not fit names the plugin for the others', async () => {
  const pinned = {
    affinity: {
      nodeAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: {
          nodeSelectorTerms: [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: ['n1'] }] }],
        },
      },
    },
  };
  await using lab = new Lab(makeNode('n1', { cpu: '1' }), makeNode('n2'), makePod('p', { cpu: '2', spec: pinned }));
  await lab.settle();

  assert.match(
    lab.condition('p')?.message ?? '',
    /^0\/2 nodes are available: 1 Insufficient cpu, 1 node\(s\) didn't satisfy plugin\(s\) \[NodeAffinity\]\. /,
  );
});

test('a failed bind gives the room back and is tried again', async () => {
  await using lab = new Lab();
  let refused = 0;
  using _refusal = lab.api.intercept(({ subresource }) => {
    if (subresource !== 'binding' || refused > 0) return undefined;
    refused += 1;
    return new Error('no');
  });
  lab.add(makeNode('n1', { pods: '1' }));
  lab.add(makePod('p'));
  await lab.settle();
  assert.equal(lab.find('p')?.spec.nodeName, undefined);
  await lab.settle(1000);
  await lab.settle();

  assert.equal(lab.find('p')?.spec.nodeName, 'n1');
});

test('a thousand Pods are spread evenly over fifty nodes, none beyond its room', async () => {
  await using lab = new Lab(...Array.from({ length: 50 }, (_, index) => makeNode(`n${index}`, { cpu: '4' })));
  for (let index = 0; index < 1000; index++) lab.add(makePod(`p${index}`, { cpu: '200m', memory: '64Mi' }));
  for (let turn = 0; turn < 100 && lab.api.peekAll(pods).some(({ spec }) => !spec.nodeName); turn++) await lab.settle();

  const counts = Map.groupBy(lab.api.peekAll(pods), ({ spec }) => spec.nodeName ?? '');
  assert.equal(counts.size, 50);
  assert.ok([...counts.values()].every((list) => list.length === 20));
});
