// SPDX-License-Identifier: Apache-2.0
// The kubelet's server over TLS on loopback: who is let in, logs, exec, figures.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { request as httpsRequest } from 'node:https';
import { test } from 'node:test';
import { WebSocket } from 'ws';
import { pods } from '#api';
import { createAuthority, createCertificate } from '#component/pki';
import { eventually, kubeletFixture, podDraft } from '../testing/kubelet-fixture.ts';

const NOW = Date.now();
const authority = await createAuthority('test', NOW);
const serving = await createCertificate(
  authority,
  { commonName: 'node1', ipAddresses: ['127.0.0.1'], usages: ['server'], validDays: 1 },
  NOW,
);

function options(allowed = true) {
  return {
    server: {
      address: '127.0.0.1',
      port: 0,
      certificate: () => ({ cert: serving.certificate, key: serving.key }),
      clientCa: authority.certificate,
      authenticate: async (token: string) => (token === 'good' ? { name: 'admin', uid: '', groups: [], extra: {} } : undefined),
      authorize: async () => ({ allowed, reason: '' }),
    },
  };
}

function get(port: number | undefined, path: string, token = 'good'): Promise<{ code: number; body: string }> {
  return new Promise((resolve, reject) => {
    const call = httpsRequest(
      { host: '127.0.0.1', port, path, headers: { authorization: `Bearer ${token}` }, rejectUnauthorized: false, agent: false },
      (answer) => {
        let body = '';
        answer.on('data', (chunk: Buffer) => {
          body += chunk.toString();
        });
        answer.on('end', () => resolve({ code: answer.statusCode ?? 0, body }));
      },
    );
    call.on('error', reject);
    call.end();
  });
}

async function runningPod(allowed = true) {
  const fixture = await kubeletFixture(options(allowed));
  fixture.api.seed(pods, podDraft('a'));
  await fixture.podIs('a', (pod) => pod.status.phase === 'Running');
  return fixture;
}

test('a stranger gets 401, a user without permission 403 with the subresource', async () => {
  await using fixture = await kubeletFixture(options(false));
  await eventually('port', () => fixture.kubelet.port !== undefined);

  assert.deepEqual(await get(fixture.kubelet.port, '/healthz', 'bad'), { code: 401, body: 'Unauthorized' });
  const { code, body } = await get(fixture.kubelet.port, '/stats/summary');
  assert.deepEqual([code, body], [403, 'Forbidden (user=admin, verb=get, resource=nodes, subresource(s)=[stats])\n']);
});

test('pods, health and figures are served', async () => {
  await using fixture = await runningPod();
  const { port } = fixture.kubelet;

  assert.equal((await get(port, '/healthz')).body, 'ok');
  assert.deepEqual(
    JSON.parse((await get(port, '/pods')).body).items.map((pod: { metadata: { name: string } }) => pod.metadata.name),
    ['a'],
  );
  assert.equal(JSON.parse((await get(port, '/stats/summary')).body).pods[0].podRef.name, 'a');
  assert.match(
    (await get(port, '/metrics/resource')).body,
    /container_memory_working_set_bytes\{container="web",namespace="default",pod="a"\} 1000000/,
  );
  assert.equal((await get(port, '/nothing')).code, 404);
});

test('logs come without their format, tailed and timed', async () => {
  await using fixture = await runningPod();
  const { port } = fixture.kubelet;
  const lines = [
    '2026-01-01T00:00:00.1Z stdout F one',
    '2026-01-01T00:00:01.2Z stdout P tw',
    '2026-01-01T00:00:01.3Z stdout F o',
    '2026-01-01T00:00:02.4Z stderr F three',
  ];
  await writeFile(fixture.runtime.named('web')?.logPath ?? '', `${lines.join('\n')}\n`);

  assert.equal((await get(port, '/containerLogs/default/a/web')).body, 'one\ntwo\nthree\n');
  assert.equal((await get(port, '/containerLogs/default/a/web?tailLines=1&timestamps=true')).body, '2026-01-01T00:00:02.4Z three\n');
  assert.equal((await get(port, '/containerLogs/default/a/web?limitBytes=5')).body, 'one\nt');
  assert.equal((await get(port, '/containerLogs/default/a/web?sinceTime=2026-01-01T00:00:02Z')).body, 'three\n');
  assert.deepEqual(await get(port, '/containerLogs/default/a/web?previous=true'), {
    code: 400,
    body: 'previous terminated container "web" in pod "a" not found',
  });
  assert.equal((await get(port, '/containerLogs/default/a/none')).code, 404);
});

test('following a log sees what comes and ends with the container', async () => {
  await using fixture = await runningPod();
  const container = fixture.runtime.named('web');
  const answer = get(fixture.kubelet.port, '/containerLogs/default/a/web?follow=true');
  await writeFile(container?.logPath ?? '', '2026-01-01T00:00:00Z stdout F one\n', { flag: 'a' });
  await new Promise((resolve) => setImmediate(resolve));
  await writeFile(container?.logPath ?? '', '2026-01-01T00:00:00Z stdout F two\n', { flag: 'a' });
  fixture.runtime.finish(container?.id ?? '', 0);

  assert.equal((await answer).body, 'one\ntwo\n');
});

test('exec over WebSocket runs the command and tells its exit code', async () => {
  await using fixture = await runningPod();
  fixture.runtime.execs.set('cat file', { exitCode: 2, stdout: 'text' });
  const url = `wss://127.0.0.1:${fixture.kubelet.port}/exec/default/a/web?command=cat&command=file&output=1&error=1`;
  const socket = new WebSocket(url, ['v5.channel.k8s.io', 'v4.channel.k8s.io'], {
    rejectUnauthorized: false,
    headers: { authorization: 'Bearer good' },
  });
  const seen = new Map<number, string>();
  socket.on('message', (data: Buffer) => seen.set(data[0] ?? 0, (seen.get(data[0] ?? 0) ?? '') + data.toString('utf8', 1)));
  await new Promise((resolve) => socket.once('close', resolve));

  assert.equal(socket.protocol, 'v5.channel.k8s.io');
  assert.deepEqual([seen.get(1), seen.get(2), JSON.parse(seen.get(3) ?? '{}').details.causes[0].message], ['text', 'err\n', '2']);
});
