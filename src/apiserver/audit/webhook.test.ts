// SPDX-License-Identifier: Apache-2.0
// Events at a webhook that a kubeconfig file names, over TLS, in batches; one that fails is tried again.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { formatKubeconfig, singleContextKubeconfig } from '#client';
import { startTestServer } from '../_test-server.ts';
import { DEFAULT_OPERATIONS } from '../operations.ts';
import { startTestWebhook } from '../webhook-client/_test-webhook.ts';

test('events are posted as an EventList, again after a failure, and what is held back goes when the server stops', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'audit-'));
  t.after(() => rmSync(folder, { recursive: true }));
  let calls = 0;
  await using webhook = await startTestWebhook({
    reply: () => {
      calls += 1;
      return calls === 1 ? { status: 503, text: 'later' } : {};
    },
  });
  const ca = Buffer.from(webhook.caBundle, 'base64').toString();
  const kubeconfig = singleContextKubeconfig({
    clusterName: 'a',
    userName: 'a',
    server: `${webhook.url}/audit`,
    ca,
    user: { token: 'secret' },
  });
  const configFile = join(folder, 'webhook.conf');
  writeFileSync(configFile, formatKubeconfig(kubeconfig));
  const policyFile = join(folder, 'policy.yaml');
  writeFileSync(
    policyFile,
    'apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: Metadata, users: [admin]}]\nomitStages: [RequestReceived]\n',
  );
  const batch = { bufferSize: 100, maxBatchSize: 2, maxWaitMs: 60_000, throttle: undefined };
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
