// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { notFound } from '#machinery';
import type { ServiceResolver } from '../proxying/service-resolver.ts';
import { startTestWebhook } from './_test-webhook.ts';
import { answerFailure, connectionFailure } from './failure.ts';
import type { WebhookTarget } from './target.ts';
import { createWebhookClient } from './webhook-client.ts';

const NOWHERE: ServiceResolver = {
  resolve({ name }) {
    throw notFound({ group: '', resource: 'service' }, name);
  },
};

function post(target: WebhookTarget, { resolver = NOWHERE, timeoutMs = 5_000 }: { resolver?: ServiceResolver; timeoutMs?: number } = {}) {
  return createWebhookClient(target, { resolver }).post({ a: 1 }, { timeoutMs, query: { timeout: '5s' } });
}

test('post() sends JSON and gives back the parsed answer, over connections that stay open', async () => {
  await using webhook = await startTestWebhook({ reply: ({ body }) => ({ got: body }) });
  await using client = createWebhookClient({ url: webhook.url, caBundle: webhook.caBundle }, { resolver: NOWHERE });

  assert.deepEqual(await client.post({ a: 1 }, { timeoutMs: 5_000, query: { timeout: '5s' } }), { got: { a: 1 } });
  for (let call = 2; call < 6; call++) await client.post({ a: call }, { timeoutMs: 5_000 });

  assert.deepEqual(
    webhook.received.slice(0, 2).map(({ path }) => path),
    ['/hook?timeout=5s', '/hook'],
  );
  assert.ok(webhook.connections() < 3, `${webhook.connections()} connections for five calls`);
});

test('post() reaches a Service by its endpoint and verifies the name of the Service', async () => {
  await using webhook = await startTestWebhook({ dnsNames: ['hook.ns.svc'], reply: () => ({ ok: true }) });
  const asked: unknown[] = [];
  const resolver: ServiceResolver = {
    resolve(reference) {
      asked.push(reference);
      return { host: '127.0.0.1', port: webhook.port };
    },
  };
  const service = { namespace: 'ns', name: 'hook', port: 8443, path: '/x' };

  assert.deepEqual(await post({ service, caBundle: webhook.caBundle }, { resolver }), { ok: true });

  assert.deepEqual(asked, [{ namespace: 'ns', name: 'hook', port: 8443, path: '/x' }]);
  assert.equal(webhook.received[0]?.path, '/x?timeout=5s');
  assert.equal(webhook.received[0]?.headers['host'], 'hook.ns.svc:8443');
});

test('post() says why there is no answer as Go would', async (t) => {
  await using webhook = await startTestWebhook({ dnsNames: ['other'], reply: () => new Promise(() => {}) });
  const at = { host: '127.0.0.1', port: webhook.port };
  const service = { namespace: 'ns', name: 'hook' };
  const here: ServiceResolver = { resolve: () => at };
  const cases: readonly (readonly [string, WebhookTarget, ServiceResolver, string])[] = [
    [
      'nobody listens',
      { url: 'https://127.0.0.1:1/x' },
      NOWHERE,
      'Post "https://127.0.0.1:1/x?timeout=5s": dial tcp 127.0.0.1:1: connect: connection refused',
    ],
    ['no Service', { service }, NOWHERE, 'Post "https://hook.ns.svc:443?timeout=5s": service "hook" not found'],
    [
      'unknown authority',
      { url: webhook.url },
      NOWHERE,
      `Post "${webhook.url}?timeout=5s": tls: failed to verify certificate: x509: certificate signed by unknown authority`,
    ],
    [
      'wrong name',
      { service, caBundle: webhook.caBundle },
      here,
      'Post "https://hook.ns.svc:443?timeout=5s": tls: failed to verify certificate: x509: certificate is valid for other, 127.0.0.1, not hook.ns.svc',
    ],
  ];
  for (const [name, target, resolver, text] of cases) {
    await t.test(name, () => assert.rejects(post(target, { resolver }), { name: 'WebhookCallError', message: text }));
  }
  await t.test('too late', () =>
    assert.rejects(post({ url: webhook.url, caBundle: webhook.caBundle }, { timeoutMs: 50 }), {
      message: `Post "${webhook.url}?timeout=5s": context deadline exceeded`,
    }),
  );
});

test('post() ends with the reason of its signal', async () => {
  await using webhook = await startTestWebhook({ reply: () => new Promise(() => {}) });
  await using client = createWebhookClient({ url: webhook.url, caBundle: webhook.caBundle }, { resolver: NOWHERE });
  const stop = new AbortController();
  const asked = client.post({}, { timeoutMs: 5_000, signal: stop.signal });
  stop.abort(new Error('gone'));

  await assert.rejects(asked, { message: 'gone' });
});

test('post() refuses answers that are no success or no JSON', async () => {
  const replies = [
    { status: 500, text: 'oops' },
    { status: 200, text: 'hello' },
  ];
  await using webhook = await startTestWebhook({ reply: () => replies.shift() });
  const target = { url: webhook.url, caBundle: webhook.caBundle };

  await assert.rejects(post(target), { status: 500, message: 'an error on the server ("oops") has prevented the request from succeeding' });
  await assert.rejects(post(target), /couldn't get version\/kind; json parse error/);
});

test('a broken authority fails the call and nothing else', async () => {
  const broken = Buffer.from('-----BEGIN CERTIFICATE-----\nnope\n-----END CERTIFICATE-----\n').toString('base64');
  await assert.rejects(post({ url: 'https://127.0.0.1:1/x', caBundle: broken }), { name: 'WebhookCallError' });
  assert.throws(
    () => createWebhookClient({ url: 'https://x', caBundle: 'YQ==' }, { resolver: NOWHERE }),
    /unable to parse bytes as PEM block/,
  );
});

test('createWebhookClient() refuses what is no https URL', () => {
  assert.throws(() => createWebhookClient({ url: 'http://x' }, { resolver: NOWHERE }), RangeError);
});

test('answerFailure() prefers the message of a Status', () => {
  assert.equal(answerFailure(403, JSON.stringify({ kind: 'Status', message: 'no' })), 'no');
  assert.equal(answerFailure(404, ''), 'the server could not find the requested resource');
  assert.equal(answerFailure(418, ''), 'the server responded with the status code 418 but did not return more information');
});

test('connectionFailure() names the host that is not known', () => {
  assert.equal(
    connectionFailure(Object.assign(new Error(''), { code: 'ENOTFOUND' }), 'x.example', 443),
    'dial tcp: lookup x.example: no such host',
  );
});
