// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { notFound } from '#machinery';
import type { ServiceResolver } from '../proxying/service-resolver.ts';
import { startTestWebhook } from './_test-webhook.ts';
import { answerFailure, parseAnswer } from './answer.ts';
import { connectionFailure } from './failure.ts';
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

  await assert.rejects(post(target), {
    status: 500,
    message: 'an error on the server ("unknown") has prevented the request from succeeding',
  });
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

const STATUS = JSON.stringify({ kind: 'Status', status: 'Failure', message: 'no' });
const SUCCESS = JSON.stringify({ kind: 'Status', status: 'Success', message: 'yes' });
const failures: readonly (readonly [number, string, string, string])[] = [
  [403, STATUS, 'application/json', 'no'],
  [500, SUCCESS, 'application/json', 'an error on the server ("unknown") has prevented the request from succeeding'],
  [404, '', '', 'the server could not find the requested resource'],
  [418, 'tea', 'text/plain', 'the server responded with the status code 418 but did not return more information'],
  [403, ' keep out ', 'text/plain; charset=utf-8', 'keep out'],
  [403, '{}', 'application/json', 'unknown'],
  [406, '{}', 'application/json', 'the server was unable to respond with a content type that the client supports'],
  [406, 'only yaml', 'text/plain', 'only yaml'],
  [415, 'no cbor', '', 'no cbor'],
  [502, '{"error":"x"}', 'application/json', 'an error on the server ("unknown") has prevented the request from succeeding'],
  [500, 'oops\n', 'text/plain', 'an error on the server ("oops") has prevented the request from succeeding'],
];
for (const [status, body, type, text] of failures) {
  test(`answerFailure() for ${status} with ${JSON.stringify(body)} of "${type}" is: ${text}`, () => {
    assert.equal(answerFailure(status, body, type), text);
  });
}

const NO_TYPE = 'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }';
const PARSE = "couldn't get version/kind; json parse error: ";
const unreadable: readonly (readonly [string, string])[] = [
  ['', '0-length response with status code: 200 and content type: text/plain'],
  ['ok', `${PARSE}json: cannot unmarshal string into Go value of type ${NO_TYPE}`],
  ['[]', `${PARSE}json: cannot unmarshal array into Go value of type ${NO_TYPE}`],
  ['{x', `${PARSE}invalid character 'x' looking for beginning of object key string`],
  ['{"kind":5}', `${PARSE}json: cannot unmarshal number into Go struct field .kind of type string`],
];
for (const [body, text] of unreadable) {
  test(`parseAnswer() of ${JSON.stringify(body)} says: ${text}`, () => {
    assert.throws(() => parseAnswer(body, 200, 'text/plain'), { message: text });
  });
}

test('parseAnswer() takes YAML too', () => {
  assert.deepEqual(parseAnswer('kind: A\nresponse: {allowed: true}\n', 200, 'text/plain'), { kind: 'A', response: { allowed: true } });
});

test('connectionFailure() names the host that is not known', () => {
  assert.equal(
    connectionFailure(Object.assign(new Error(''), { code: 'ENOTFOUND' }), 'x.example', 443),
    'dial tcp: lookup x.example: no such host',
  );
});
