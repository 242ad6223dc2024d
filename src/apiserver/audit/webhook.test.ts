// SPDX-License-Identifier: Apache-2.0
// Events at a webhook that a kubeconfig file names, over TLS, in batches; one that fails is tried again.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { formatKubeconfig, singleContextKubeconfig } from '#client';
import { startTestServer } from '../_test-server.ts';
import { DEFAULT_OPERATIONS } from '../operations.ts';
import { startTestWebhook, type TestWebhook } from '../webhook-client/_test-webhook.ts';

/** Files that name a webhook, and what is audited for whom. */
function filesFor(t: TestContext, webhook: TestWebhook, omitStages: readonly string[]) {
  const folder = mkdtempSync(join(tmpdir(), 'audit-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const kubeconfig = singleContextKubeconfig({
    clusterName: 'a',
    userName: 'a',
    server: `${webhook.url}/audit`,
    ca: Buffer.from(webhook.caBundle, 'base64').toString(),
    user: { token: 'secret' },
  });
  const configFile = join(folder, 'webhook.conf');
  writeFileSync(configFile, formatKubeconfig(kubeconfig));
  const policyFile = join(folder, 'policy.yaml');
  const rules = [{ level: 'Metadata', users: ['admin'] }];
  writeFileSync(policyFile, JSON.stringify({ apiVersion: 'audit.k8s.io/v1', kind: 'Policy', rules, omitStages }));
  return { configFile, policyFile };
}

const batch = { bufferSize: 100, maxBatchSize: 2, maxWaitMs: 60_000, throttle: undefined };

test('events are posted as an EventList, again after a failure, and what is held back goes when the server stops', async (t) => {
  let calls = 0;
  await using webhook = await startTestWebhook({
    reply: () => {
      calls += 1;
      return calls === 1 ? { status: 503, text: 'later' } : {};
    },
  });
  const { configFile, policyFile } = filesFor(t, webhook, ['RequestReceived']);
  {
    const audit = { policyFile, log: undefined, webhook: { configFile, mode: 'batch' as const, batch, initialBackoffMs: 1 } };
    await using api = await startTestServer({ operations: { ...DEFAULT_OPERATIONS, audit } });
    for (const id of ['a', 'b', 'c']) await api.send('GET', '/api/v1/namespaces', { headers: { 'audit-id': id } });
  }

  const taken = webhook.received.slice(1).map(({ body }) => body);
  assert.deepEqual(
    taken.map(({ kind, apiVersion, items }) => [kind, apiVersion, items.map(({ auditID }: { auditID: string }) => auditID)]),
    [
      ['EventList', 'audit.k8s.io/v1', ['a', 'b']],
      ['EventList', 'audit.k8s.io/v1', ['c']],
    ],
  );
  assert.deepEqual([webhook.received[0]?.path, webhook.received[0]?.headers['authorization']], ['/hook/audit', 'Bearer secret']);
});

test('in mode blocking an answer waits for its event, and a webhook that fails takes nobody along', async (t) => {
  let status = 200;
  await using webhook = await startTestWebhook({ reply: () => ({ status, text: 'ok' }) });
  const { configFile, policyFile } = filesFor(t, webhook, ['RequestReceived']);
  const audit = { policyFile, log: undefined, webhook: { configFile, mode: 'blocking' as const, batch, initialBackoffMs: 1 } };
  await using api = await startTestServer({ operations: { ...DEFAULT_OPERATIONS, audit } });

  await api.send('GET', '/api/v1/namespaces', { headers: { 'audit-id': 'a' } });
  await api.send('GET', '/api/v1/namespaces/none', { headers: { 'audit-id': 'b' } });
  const written = webhook.received.map(({ body }) => [body.items[0].auditID, body.items[0].responseStatus.code]);
  status = 500;
  const answer = await api.send('GET', '/api/v1/namespaces', { headers: { 'audit-id': 'c' } });

  assert.deepEqual(written, [
    ['a', 200],
    ['b', 404],
  ]);
  assert.equal(answer.status, 200);
  assert.equal(webhook.received.length, 7); // Tried five times.
});

test('in mode blocking-strict a request is refused whose coming cannot be written down', async (t) => {
  await using webhook = await startTestWebhook({ reply: () => ({ status: 500, text: 'no' }) });
  const { configFile, policyFile } = filesFor(t, webhook, []);
  const audit = { policyFile, log: undefined, webhook: { configFile, mode: 'blocking-strict' as const, batch, initialBackoffMs: 1 } };
  await using api = await startTestServer({ operations: { ...DEFAULT_OPERATIONS, audit } });

  const { status, body } = await api.send('GET', '/api/v1/namespaces');

  assert.deepEqual([status, body.message], [500, 'Internal error occurred: failed to store audit event']);
});
