// SPDX-License-Identifier: Apache-2.0
// A whole server under priority and fairness, on the wire: seats, headers, health, debugging, and a stop that loses nothing.
import assert from 'node:assert/strict';
import { type ClientHttp2Session, connect } from 'node:http2';
import { describe, test } from 'node:test';
import { flowschemas, prioritylevelconfigurations } from '#api';
import type { FlowSchema } from '#api/flowcontrol/v1';
import { ADMIN, startTestServer, type TestServer } from './_test-server.ts';
import { DEFAULT_OPERATIONS, type OperationsOptions } from './operations.ts';

const FLOW = '/apis/flowcontrol.apiserver.k8s.io/v1';
const start = (operations: Partial<OperationsOptions> = {}) =>
  startTestServer({ operations: { ...DEFAULT_OPERATIONS, ...operations }, staticTokens: new Map([['t', ADMIN]]) });

describe('priority and fairness in a server', () => {
  test('every answer names its flow schema and priority level', async () => {
    await using api = await start();
    const schema = await api.send('GET', `${FLOW}/flowschemas/exempt`);
    const level = await api.send('GET', `${FLOW}/prioritylevelconfigurations/exempt`);

    assert.deepEqual(
      [schema.headers['x-kubernetes-pf-flowschema-uid'], schema.headers['x-kubernetes-pf-prioritylevel-uid']],
      [schema.body.metadata.uid, level.body.metadata.uid],
    );
  });

  test('a new schema takes over its requests, and a schema without its level says so', async () => {
    await using api = await start();
    const rules = [
      {
        subjects: [{ kind: 'User', user: { name: 'ann' } }],
        nonResourceRules: [{ verbs: ['*'], nonResourceURLs: ['*'] }],
      },
    ];
    const body = (name: string, level: string) => ({
      metadata: { name },
      spec: { priorityLevelConfiguration: { name: level }, matchingPrecedence: 3, rules },
    });
    const made = await api.send('POST', `${FLOW}/flowschemas`, { body: body('anns', 'system') });
    await api.send('POST', `${FLOW}/flowschemas`, { body: body('lost', 'nowhere') });
    const user = { name: 'ann', uid: '', groups: ['system:authenticated'], extra: {} };
    const answer = await api.send('GET', '/version', { user });
    assert.equal(answer.headers['x-kubernetes-pf-flowschema-uid'], made.body.metadata.uid);

    const condition = await danglingOf(api, 'lost');

    assert.deepEqual([condition.status, condition.reason], ['True', 'NotFound']);
  });

  test('a bootstrap object that is deleted comes back', async () => {
    await using api = await start();
    const gone = Promise.withResolvers<void>();
    const signal = AbortSignal.timeout(5_000);
    const events = api.client.watch(prioritylevelconfigurations, { fieldSelector: 'metadata.name=workload-low', signal });
    const back = (async () => {
      let deleted = false;
      for await (const { type } of events) {
        if (type === 'DELETED') deleted = true;
        if (type === 'ADDED') gone.resolve();
        if (type === 'ADDED' && deleted) return true;
      }
      return false;
    })();
    await gone.promise;
    await api.send('DELETE', `${FLOW}/prioritylevelconfigurations/workload-low`);

    assert.equal(await back, true);
  });
});

/** Follows the schema until its status is there. */
async function danglingOf(api: TestServer, name: string): Promise<{ status: string; reason: string }> {
  const events = api.client.watch(flowschemas, { fieldSelector: `metadata.name=${name}`, signal: AbortSignal.timeout(5_000) });
  for await (const { object } of events) {
    const found = (object as Partial<FlowSchema>).status?.conditions?.[0];
    if (found !== undefined) return { status: found.status ?? '', reason: found.reason ?? '' };
  }
  throw new Error('the schema got no status');
}

describe('the paths of operators', () => {
  test('health is checked by name, and checks can be left out', async () => {
    await using api = await start();
    const verbose = await api.send('GET', '/readyz', { query: 'verbose&exclude=ping&exclude=nothing' });

    assert.match(verbose.text, /^\[\+\]ping excluded: ok\n\[\+\]log ok\n/);
    assert.match(
      verbose.text,
      /\[\+\]shutdown ok\nwarn: some health checks cannot be excluded: no matches for "nothing"\nreadyz check passed\n$/,
    );
    assert.equal((await api.send('GET', '/livez/poststarthook/rbac/bootstrap-roles')).text, 'ok');
    assert.equal((await api.send('GET', '/livez/shutdown')).status, 404);
  });

  test('statusz and flagz are text, or an object for those who name it', async () => {
    await using api = await start({ flags: { 'secure-port': '6443' } });
    const accept = (kind: string) => ({ accept: `application/json;v=v1beta1;g=config.k8s.io;as=${kind}` });

    assert.match((await api.send('GET', '/flagz')).text, /^\nkube-apiserver flags\nWarning: .*\n\nsecure-port=6443\n$/);
    assert.deepEqual((await api.send('GET', '/flagz', { headers: accept('Flagz') })).body.flags, { 'secure-port': '6443' });
    assert.equal((await api.send('GET', '/statusz', { headers: accept('Statusz') })).body.kind, 'Statusz');
    assert.equal((await api.send('GET', '/statusz', { headers: { accept: 'application/json' } })).status, 406);
  });

  test('profiles are found unless they are off, and not by everybody', async () => {
    await using api = await start({ profiling: false });
    assert.equal((await api.send('GET', '/debug/pprof/')).status, 404);
    await using other = await start();
    assert.equal((await other.send('GET', '/debug/pprof/')).status, 200);
    assert.equal((await other.send('GET', '/debug/pprof/', { user: undefined })).status, 403);
  });
});

describe('a server that stops', () => {
  test('ends watches cleanly, asks clients to go, and closes', async () => {
    const api = await start();
    const session = connectTo(api);
    const goaway = new Promise<void>((resolve) => session.once('goaway', () => resolve()));
    const watch = session.request({ ':path': '/api/v1/namespaces?watch=true', authorization: 'Bearer t' });
    await new Promise((resolve) => watch.once('data', resolve));
    watch.resume();
    const ended = new Promise<number>((resolve) => watch.once('close', () => resolve(watch.rstCode)));

    await api[Symbol.asyncDispose]();

    assert.equal(await ended, 0);
    await goaway;
  });

  test('and one with a chance of GOAWAY answers before it sends its client away', async () => {
    await using api = await start({ goawayChance: 1 });
    const session = connectTo(api);
    const goaway = new Promise<void>((resolve) => session.once('goaway', () => resolve()));
    const request = session.request({ ':path': '/version', authorization: 'Bearer t' });
    const status = new Promise((resolve) => request.once('response', (headers) => resolve(headers[':status'])));
    request.resume();

    assert.equal(await status, 200);
    await goaway;
  });

  test('is unready at once and serves on until its delay is over', async () => {
    const api = await start({ shutdownDelayMs: 300 });
    const stopped = api[Symbol.asyncDispose]();
    await new Promise((resolve) => setImmediate(resolve));

    const ready = await api.send('GET', '/readyz');
    const live = await api.send('GET', '/livez');
    const list = await api.send('GET', '/api/v1/namespaces');

    assert.deepEqual([ready.status, live.status, list.status], [500, 200, 200]);
    assert.match(ready.text, /\[-\]shutdown failed: reason withheld/);
    await stopped;
  });
});

function connectTo(api: TestServer): ClientHttp2Session {
  const session = connect(`https://127.0.0.1:${api.server.address?.port}`, { rejectUnauthorized: false });
  session.on('error', () => {});
  return session;
}
