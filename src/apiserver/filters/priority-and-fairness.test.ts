// SPDX-License-Identifier: Apache-2.0
// Seats through the filter: what waits, what is turned away, what a watch holds, and that nothing is ever left booked.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock, Metrics, settle } from '#component';
import { PriorityAndFairness } from '../flow/fairness.ts';
import { registerFlowMetrics } from '../flow/flow-metrics.ts';
import { flowSchemas, priorityLevels } from '../flow/flow-objects.ts';
import { type ApiResult, type Handler, objectResult, RequestContext } from '../request/context.ts';
import { requestInfoOf } from '../request/request-info.ts';
import { withPriorityAndFairness } from './priority-and-fairness.ts';
import { RequestsInFlight } from './requests-in-flight.ts';

const uid = (object: { metadata?: unknown }) => {
  const metadata = object.metadata as { name: string };
  return { ...object, metadata: { ...metadata, uid: `uid-${metadata.name}` } };
};

function setUp(next: Handler, totalSeats = 100) {
  const clock = new FakeClock();
  const fairness = new PriorityAndFairness({ clock, totalSeats, sizeOf: () => ({ objects: 5_000, averageBytes: 1_000 }) });
  fairness.configure(flowSchemas().map(uid) as never, priorityLevels().map(uid) as never);
  const running = new RequestsInFlight();
  const waiting = { reading: 0, mutating: 0 };
  const handler = withPriorityAndFairness(next, { fairness, running, waiting, dropped: (context) => running.drop(context) });
  const level = (name: string) => {
    const found = [...fairness.levels].find(({ spec }) => spec.name === name);
    if (found === undefined) throw new Error(`no level ${name}`);
    return found;
  };
  return { clock, fairness, running, waiting, handler, level };
}

function contextOf(method: string, target: string, groups: readonly string[] = ['system:authenticated'], name = 'ann'): RequestContext {
  const [path = '', search = ''] = target.split('?');
  const query = new URLSearchParams(search);
  const request = { method, path, search, headers: {}, signal: new AbortController().signal };
  const context = new RequestContext(request as never, requestInfoOf(method, path, query), query, 0);
  context.user = { name, uid: '', groups, extra: {} };
  context.timeoutMs = 60_000;
  return context;
}

const CREATE = ['POST', '/api/v1/namespaces/a/configmaps'] as const;
const statusOf = (result: ApiResult) => ('status' in result ? result.status : 0);

test('an answer within the call takes its seat and leaves it, without a promise', () => {
  const { handler, level, running } = setUp(() => objectResult(200, {}));
  const context = contextOf('GET', '/api/v1/namespaces/a/pods/p');

  const result = handler(context);

  assert.ok(!(result instanceof Promise));
  assert.deepEqual(context.flow && [context.flow.schemaUid, context.flow.levelUid], ['uid-global-default', 'uid-global-default']);
  assert.deepEqual([level('global-default').seatsInUse, level('global-default').isIdle, running.reading], [0, true, 0]);
});

test('beyond its seats a level borrows what idle ones may lend, then requests wait, then they are turned away', async () => {
  const gates: PromiseWithResolvers<ApiResult>[] = [];
  const next = () => {
    const gate = Promise.withResolvers<ApiResult>();
    gates.push(gate);
    return gate.promise;
  };
  const { handler, level, running, waiting, clock } = setUp(next);
  const { nominal } = level('global-default').limits;

  const answers = Array.from({ length: 400 }, () => Promise.resolve(handler(contextOf(...CREATE))));
  const lent = level('global-default').limit;
  assert.ok(lent > nominal, `${lent} seats are no more than the nominal ${nominal}`);
  assert.equal(running.mutating, lent);
  await settle();
  assert.equal(gates.length, lent);
  assert.equal(waiting.mutating, level('global-default').waiting);
  await clock.advance(15_000);
  for (const gate of gates) gate.resolve(objectResult(201, {}));
  const codes = (await Promise.all(answers)).map(statusOf);

  assert.equal(codes.filter((code) => code === 201).length, gates.length);
  assert.equal(codes.filter((code) => code === 429).length, 400 - gates.length);
  assert.deepEqual([level('global-default').seatsInUse, level('global-default').waiting, running.mutating, waiting.mutating], [0, 0, 0, 0]);
  assert.equal(running.dropped.mutating, 400 - gates.length);
  assert.ok(gates.length < 400);
});

test('who is turned away is told to come back, in plain text', async () => {
  const { handler } = setUp(() => new Promise<ApiResult>(() => {}), 20);
  const stranger = () => contextOf('GET', '/api/v1/pods', ['none'], 'stranger'); // The catch-all level rejects at once.
  const answers: (ApiResult | Promise<ApiResult>)[] = [];
  for (let n = 0; n < 400; n++) answers.push(handler(stranger()));
  const refused = await answers.at(-1);

  assert.ok(refused?.type === 'bytes');
  assert.deepEqual(
    [refused.status, refused.body, refused.headers?.['retry-after']],
    [429, 'Too many requests, please try again later.\n', '1'],
  );
});

test('an exempt request never waits', async () => {
  const { handler, level } = setUp(() => new Promise<ApiResult>(() => {}), 10);
  for (let n = 0; n < 50; n++) void handler(contextOf(...CREATE, ['system:masters']));

  assert.equal(level('exempt').executing, 50);
});

test('a throw gives the seats back, at once and later', async () => {
  const boom = () => {
    throw new Error('boom');
  };
  const { handler, level } = setUp(boom);
  assert.throws(() => handler(contextOf(...CREATE)), /boom/);
  const later = setUp(async () => boom());
  await assert.rejects(async () => later.handler(contextOf(...CREATE)), /boom/);

  assert.deepEqual([level('global-default').isIdle, later.level('global-default').isIdle], [true, true]);
});

test('a watch with initial events holds its seats until the second batch is asked for', async () => {
  async function* frames() {
    yield [];
    yield [];
  }
  const { handler, level } = setUp(
    () => ({ type: 'watch', frames: frames(), served: {}, output: {}, query: new URLSearchParams() }) as never,
  );
  const result = await handler(contextOf('GET', '/api/v1/pods?watch=true&sendInitialEvents=true'));
  assert.ok(result.type === 'watch');
  const seats = level('global-default').seatsInUse;
  assert.ok(seats >= 1);
  const iterator = result.frames[Symbol.asyncIterator]();
  await iterator.next();
  assert.equal(level('global-default').seatsInUse, seats);

  await iterator.next();

  assert.equal(level('global-default').seatsInUse, 0);
});

test('the figures are there when they are scraped', async () => {
  const { handler, fairness } = setUp(() => objectResult(200, {}));
  const metrics = new Metrics();
  registerFlowMetrics(metrics, fairness);
  await handler(contextOf('GET', '/api/v1/namespaces/a/pods/p'));

  const text = await metrics.text();

  assert.match(
    text,
    /^apiserver_flowcontrol_dispatched_requests_total\{flow_schema="global-default",priority_level="global-default"\} 1$/m,
  );
  assert.match(text, /^apiserver_flowcontrol_nominal_limit_seats\{priority_level="workload-low"\} 41$/m);
});
