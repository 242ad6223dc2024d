// SPDX-License-Identifier: Apache-2.0
// A definition whose versions are converted by a webhook, through the whole server and over TLS: every verb sees its own version, lists
// cost one call, and a webhook that is gone is an error of those requests alone.
import assert from 'node:assert/strict';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { createAuthority, createCertificate } from '#component/pki';
import { startTestServer } from '../_test-server.ts';
import { define, GROUP, KITES } from './_kites.ts';

interface Kite {
  apiVersion: string;
  spec: { host?: string; port?: string; address?: string };
}

/** v1 has an address, v2 host and port. */
function convert(kite: Kite, apiVersion: string): Kite {
  const { host, port, address = `${host}:${port}` } = kite.spec;
  const [name = '', number = ''] = address.split(':');
  return { ...kite, apiVersion, spec: apiVersion.endsWith('/v1') ? { address } : { host: name, port: number } };
}

async function startWebhook() {
  const now = Date.now();
  const authority = await createAuthority('webhook', now);
  const serving = await createCertificate(
    authority,
    { commonName: 'w', usages: ['server'], ipAddresses: ['127.0.0.1'], validDays: 1 },
    now,
  );
  const calls: number[] = [];
  const server = createServer({ cert: serving.certificate, key: serving.key }, async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const { request: review } = JSON.parse(Buffer.concat(chunks).toString());
    calls.push(review.objects.length);
    const convertedObjects = review.objects.map((kite: Kite) => convert(kite, review.desiredAPIVersion));
    const answer = { uid: review.uid, convertedObjects, result: { status: 'Success' } };
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ apiVersion: 'apiextensions.k8s.io/v1', kind: 'ConversionReview', response: answer }));
  });
  const listening = Promise.withResolvers<void>();
  server.listen(0, '127.0.0.1', () => listening.resolve());
  await listening.promise;
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}/convert`;
  const stop = () => new Promise<void>((resolve) => server.close(() => resolve()) && server.closeAllConnections());
  return { url, caBundle: Buffer.from(authority.certificate).toString('base64'), calls, stop };
}

const version = (name: string, storage: boolean, fields: readonly string[]) => ({
  name,
  served: true,
  storage,
  schema: {
    openAPIV3Schema: {
      type: 'object',
      properties: { spec: { type: 'object', properties: Object.fromEntries(fields.map((field) => [field, { type: 'string' }])) } },
    },
  },
});

test('a conversion webhook stands between the versions', async () => {
  await using server = await startTestServer();
  const webhook = await startWebhook();
  const clientConfig = { url: webhook.url, caBundle: webhook.caBundle };
  await define(server, {
    versions: [version('v1', true, ['address']), version('v2', false, ['host', 'port'])],
    conversion: { strategy: 'Webhook', webhook: { conversionReviewVersions: ['v1'], clientConfig } },
  });
  const second = KITES.replace('/v1/', '/v2/');
  const made = (name: string, spec: object) => ({ apiVersion: `${GROUP}/v2`, kind: 'Kite', metadata: { name }, spec });

  const created = await server.send('POST', second, { body: made('a', { host: 'h', port: '1' }) });
  await server.send('POST', KITES, { body: { ...made('b', { address: 'i:2' }), apiVersion: `${GROUP}/v1` } });
  const stored = await server.send('GET', `${KITES}/a`);
  webhook.calls.length = 0;
  const list = await server.send('GET', second);
  const again = await server.send('GET', second);
  const patched = await server.send('PATCH', `${second}/a`, {
    headers: { 'content-type': 'application/merge-patch+json' },
    body: { spec: { port: '9' } },
  });
  const watched = await server.send('GET', second, { query: 'watch=true&resourceVersion=0&timeoutSeconds=1' });
  const after = await server.send('GET', `${KITES}/a`);

  assert.deepEqual(created.body.spec, { host: 'h', port: '1' });
  assert.deepEqual(stored.body.spec, { address: 'h:1' });
  assert.deepEqual(
    list.body.items.map((item: Kite) => item.spec),
    [
      { host: 'h', port: '1' },
      { host: 'i', port: '2' },
    ],
  );
  // One of the two had been converted when it was made.
  assert.equal(webhook.calls[0], 1);
  assert.deepEqual(again.body.items, list.body.items);
  assert.deepEqual(patched.body.spec, { host: 'h', port: '9' });
  assert.equal(patched.body.metadata.generation, 2);
  assert.deepEqual(
    watched.text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).object.spec.port),
    ['9', '2'],
  );
  assert.deepEqual(after.body.spec, { address: 'h:9' });
  await webhook.stop();
});

test('an object that was never read in a version can be changed in it', async () => {
  await using server = await startTestServer();
  const webhook = await startWebhook();
  const clientConfig = { url: webhook.url, caBundle: webhook.caBundle };
  await define(server, {
    versions: [version('v1', true, ['address']), version('v2', false, ['host', 'port'])],
    conversion: { strategy: 'Webhook', webhook: { conversionReviewVersions: ['v1'], clientConfig } },
  });
  const body = { apiVersion: `${GROUP}/v1`, kind: 'Kite', metadata: { name: 'a' }, spec: { address: 'h:1' } };
  await server.send('POST', KITES, { body });
  const second = KITES.replace('/v1/', '/v2/');

  const headers = { 'content-type': 'application/merge-patch+json' };
  const changes = await Promise.all([...'23456'].map((port) => server.send('PATCH', `${second}/a`, { headers, body: { spec: { port } } })));
  const removed = await server.send('DELETE', `${second}/a`);

  assert.deepEqual(
    changes.map(({ status }) => status),
    [200, 200, 200, 200, 200],
  );
  assert.equal(removed.status, 200);
  await webhook.stop();
});

test('a webhook that does not answer fails what needs it, and nothing else', async () => {
  await using server = await startTestServer();
  const webhook = await startWebhook();
  await webhook.stop();
  const clientConfig = { url: webhook.url, caBundle: webhook.caBundle };
  await define(server, {
    versions: [version('v1', true, ['address']), version('v2', false, ['host', 'port'])],
    conversion: { strategy: 'Webhook', webhook: { conversionReviewVersions: ['v1'], clientConfig } },
  });

  const body = { apiVersion: `${GROUP}/v1`, kind: 'Kite', metadata: { name: 'a' }, spec: { address: 'h:1' } };
  const created = await server.send('POST', KITES, { body });
  const other = await server.send('GET', `${KITES.replace('/v1/', '/v2/')}/a`);

  const again = await server.send('POST', KITES, { query: 'dryRun=All', body });

  assert.equal(created.status, 201);
  assert.equal(again.status, 409);
  assert.equal(other.status, 500);
  assert.match(other.body.message, /^conversion for toys\.example\.com\/v1, Kind=Kite failed: conversion webhook for \/, Kind= failed: /);
});
