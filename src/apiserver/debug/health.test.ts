// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RequestContext } from '../request/context.ts';
import { requestInfoOf } from '../request/request-info.ts';
import { Health, healthChecks } from './health.ts';

function setUp() {
  const state = { started: true, stopping: false, problem: undefined as string | undefined };
  const facts = {
    started: () => state.started,
    stopping: () => state.stopping,
    store: () => state.problem,
    cacheSynced: () => state.started,
    rbac: true,
    fairness: true,
    extra: [],
  };
  const health = new Health(healthChecks(facts));
  const ask = (target: string) => {
    const [path = '', search = ''] = target.split('?');
    const query = new URLSearchParams(search);
    const answer = health.answer(new RequestContext({} as never, requestInfoOf('GET', path, query), query, 0));
    return answer?.type === 'bytes' ? [answer.status, String(answer.body)] : undefined;
  };
  return { state, health, ask };
}

test('all is well: one word', () => {
  const { ask } = setUp();

  for (const path of ['/livez', '/readyz', '/healthz', '/readyz/', '/readyz/etcd', '/livez/poststarthook/rbac/bootstrap-roles'])
    assert.deepEqual(ask(path), [200, 'ok'], path);
});

test('a store that cannot be used is told by name, and why only under its own path', () => {
  const { state, ask } = setUp();
  state.problem = 'disk full';

  const [status, text] = ask('/readyz') ?? [];
  assert.equal(status, 500);
  assert.match(String(text), /\n\[-\]etcd failed: reason withheld\n/);
  assert.match(String(text), /\nreadyz check failed\n$/);
  assert.deepEqual(ask('/readyz/etcd'), [500, 'internal server error: disk full\n']);
  assert.deepEqual(ask('/readyz?exclude=etcd&exclude=etcd-readiness'), [200, 'ok']);
});

test('a server that starts is not ready, one that stops is not ready but live', () => {
  const { state, ask } = setUp();
  state.started = false;
  assert.equal(ask('/readyz')?.[0], 500);
  state.started = true;
  state.stopping = true;

  assert.deepEqual([ask('/readyz')?.[0], ask('/livez')?.[0], ask('/healthz')?.[0]], [500, 200, 200]);
});

test('outcomes are counted by check and path', () => {
  const { state, health, ask } = setUp();
  ask('/livez/etcd');
  state.problem = 'x';
  ask('/livez/etcd');

  assert.deepEqual([...health.outcomes], [{ name: 'etcd', type: 'livez', success: 1, error: 1, healthy: false }]);
});

test('other paths are not health', () => {
  const { ask } = setUp();

  assert.deepEqual([ask('/version'), ask('/livezz'), ask('/livez/none')], [undefined, undefined, [404, '404 page not found\n']]);
});
