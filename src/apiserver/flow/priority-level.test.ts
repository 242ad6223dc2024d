// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock, settle } from '#component';
import { FlowStats } from './flow-stats.ts';
import { type Decision, type Flow, PriorityLevel, type Queuing, type Ticket } from './priority-level.ts';
import { flowHash } from './shuffle-sharding.ts';

const QUEUING: Queuing = { queues: 8, handSize: 2, queueLengthLimit: 3 };

function levelOf(seats: number, queuing: Queuing | undefined, clock = new FakeClock()) {
  const spec = { name: 'l', uid: 'u', exempt: false, queuing };
  return { clock, level: new PriorityLevel(spec, { nominal: seats, lower: seats, upper: seats }, clock, () => {}) };
}

function flowOf(distinguisher: string): Flow {
  return { stats: new FlowStats('s', 'l'), distinguisher, hash: () => flowHash('s', distinguisher) };
}

function request(level: PriorityLevel, flow: Flow, seats = 1, { patienceMs = 1_000, signal = new AbortController().signal } = {}) {
  if (level.hasRoom(seats)) {
    level.take(seats);
    return { ticket: level.begin({ flow, seats, subject: undefined }), decision: 'execute' as Decision };
  }
  return level.enter({ flow, seats, subject: undefined, patienceMs, signal: () => signal });
}

test('a request begins at once while there are seats, and the next one waits until one is free', async () => {
  const { level } = levelOf(1, QUEUING);
  const flow = flowOf('a');
  const first = request(level, flow);

  const second = request(level, flow);
  assert.equal(first.decision, 'execute');
  assert.deepEqual([level.executing, level.waiting, flow.stats.waiting], [1, 1, 1]);
  level.finish(first.ticket);

  assert.equal(await second.decision, 'execute');
  assert.deepEqual([level.executing, level.waiting, level.seatsInUse], [1, 0, 1]);
  level.finish(second.ticket);
  assert.ok(level.isIdle);
});

test('a level without queues rejects what finds no seat', () => {
  const { level } = levelOf(1, undefined);
  const flow = flowOf('a');
  request(level, flow);

  assert.equal(request(level, flow).decision, 'concurrency-limit');
  assert.deepEqual([...flow.stats.rejected], [['concurrency-limit', 1]]);
});

test('a full queue rejects', async () => {
  const { level } = levelOf(1, { queues: 1, handSize: 1, queueLengthLimit: 2 });
  const flow = flowOf('a');
  for (let n = 0; n < 3; n++) request(level, flow);

  assert.equal(await request(level, flow).decision, 'queue-full');
  assert.equal(level.waiting, 2);
});

test('a request that waits too long is rejected, one whose client leaves is forgotten', async () => {
  const { level, clock } = levelOf(1, QUEUING);
  const flow = flowOf('a');
  const gone = new AbortController();
  request(level, flow);
  const patient = request(level, flow);
  const leaving = request(level, flow, 1, { signal: gone.signal });

  gone.abort();
  assert.equal(await leaving.decision, 'cancelled');
  await clock.advance(1_000);

  assert.equal(await patient.decision, 'time-out');
  assert.deepEqual([level.waiting, level.totals.timedOut, level.totals.cancelled], [0, 1, 1]);
  assert.equal(clock.pending, 0);
});

test('a flow that floods its queues does not keep another one waiting behind all of it', async () => {
  const { level, clock } = levelOf(1, { queues: 64, handSize: 4, queueLengthLimit: 50 });
  const order: string[] = [];
  const begun: Ticket[] = [request(level, flowOf('flood')).ticket];
  const flood = flowOf('flood');
  for (const flow of [...Array.from({ length: 40 }, () => flood), flowOf('quiet')]) {
    const { ticket, decision } = request(level, flow, 1, { patienceMs: 60_000 });
    void Promise.resolve(decision).then(() => {
      order.push(flow.distinguisher);
      begun.push(ticket);
    });
  }

  for (let n = 0; n < 6; n++) {
    await clock.advance(100);
    const running = begun.pop();
    if (running !== undefined) level.finish(running);
    await settle();
  }

  assert.ok(order.includes('quiet'), `the quiet flow was not among the first: ${order.join(' ')}`);
});

test('a request wider than its level runs alone', async () => {
  const { level } = levelOf(2, QUEUING);
  const flow = flowOf('a');
  const small = request(level, flow);
  const wide = request(level, flow, 5);
  assert.equal(level.waiting, 1);

  level.finish(small.ticket);

  assert.equal(await wide.decision, 'execute');
  assert.equal(level.hasRoom(1), false);
});

test('seats that are added let waiting requests begin', async () => {
  const { level } = levelOf(1, QUEUING);
  const flow = flowOf('a');
  request(level, flow);
  const waiting = request(level, flow);

  level.setLimit(2);

  assert.equal(await waiting.decision, 'execute');
});

test('demand is what is in use and what is waited for, over time', async () => {
  const { level, clock } = levelOf(1, QUEUING);
  const flow = flowOf('a');
  const first = request(level, flow);
  void request(level, flow, 1, { patienceMs: 60_000 });
  await clock.advance(5_000);
  level.finish(first.ticket);
  await clock.advance(5_000);

  const { average, highest } = level.demand.endPeriod(clock.now());

  assert.deepEqual([average, highest], [1.5, 2]);
});
