// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '#component';
import { type ApiResult, objectResult, RequestContext } from '../request/context.ts';
import { requestInfoOf } from '../request/request-info.ts';
import { parseGoDuration } from './go-duration.ts';
import { withRequestTimeout } from './request-timeout.ts';

function contextOf(path: string, search: string, clock: FakeClock): RequestContext {
  const query = new URLSearchParams(search);
  return new RequestContext({} as never, requestInfoOf('GET', path, query), query, clock.now());
}

const never = () => new Promise<ApiResult>(() => {});

test('a request that does not end in time is answered with 504, and its timer is gone', async () => {
  const clock = new FakeClock();
  let cut = 0;
  const handler = withRequestTimeout(never, {
    clock,
    maxMs: 60_000,
    timedOut: () => {
      cut += 1;
    },
  });

  const answer = Promise.resolve(handler(contextOf('/api/v1/pods', 'timeout=2s', clock)));
  const refused = assert.rejects(answer, {
    status: {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message: 'Timeout: request did not complete within the allotted timeout',
      reason: 'Timeout',
      details: {},
      code: 504,
    },
  });
  await clock.advance(1_999);
  assert.equal(cut, 0);
  await clock.advance(1);

  await refused;
  assert.deepEqual([cut, clock.pending], [1, 0]);
});

test('a request that ends in time leaves no timer', async () => {
  const clock = new FakeClock();
  const handler = withRequestTimeout(async () => objectResult(200, {}), { clock, maxMs: 60_000 });

  await handler(contextOf('/api/v1/pods', '', clock));

  assert.equal(clock.pending, 0);
});

test('requests with the same bound share a timer, and each ends at its own time', async () => {
  const clock = new FakeClock();
  const cut: string[] = [];
  const answers = new Map<string, () => void>();
  const handler = withRequestTimeout(
    ({ info }) => new Promise<ApiResult>((resolve) => answers.set(info.name, () => resolve(objectResult(200, {})))),
    { clock, maxMs: 60_000, timedOut: ({ info }) => cut.push(info.name) },
  );
  const ask = (name: string) => Promise.resolve(handler(contextOf(`/api/v1/nodes/${name}`, '', clock))).catch(() => {});

  const first = ask('first');
  await clock.advance(1_000);
  void ask('second');
  await clock.advance(1_000);
  void ask('third');
  assert.equal(clock.pending, 1);
  answers.get('first')?.();
  await first;
  await clock.advance(58_500);
  assert.deepEqual(cut, []);
  await clock.advance(500);
  assert.deepEqual(cut, ['second']);
  await clock.advance(1_000);

  assert.deepEqual(cut, ['second', 'third']);
  assert.equal(clock.pending, 0);
});

test('a watch has no deadline', async () => {
  const clock = new FakeClock();
  void withRequestTimeout(never, { clock, maxMs: 1 })(contextOf('/api/v1/pods', 'watch=true&timeout=1s', clock));

  assert.equal(clock.pending, 0);
});

const refusals = [
  ['x', 'time: invalid duration "x"'],
  ['10', 'time: missing unit in duration "10"'],
  ['10y', 'time: unknown unit "y" in duration "10y"'],
  ['1m.s', 'time: invalid duration "1m.s"'],
] as const;
for (const [text, why] of refusals) {
  test(`timeout=${text} is refused in Go's words`, () => {
    const clock = new FakeClock();
    const handler = withRequestTimeout(never, { clock, maxMs: 1 });

    assert.throws(() => handler(contextOf('/api/v1/pods', `timeout=${text}`, clock)), {
      code: 400,
      message: `invalid timeout specified in the request URL - ${why}`,
    });
  });
}

for (const [text, ms] of [
  ['1h2m3.5s', 3_723_500],
  ['-1.5s', -1500],
  ['.5m', 30_000],
  ['100us', 0.1],
  ['0', 0],
] as const) {
  test(`${text} is ${ms} ms`, () => assert.equal(parseGoDuration(text), ms));
}
