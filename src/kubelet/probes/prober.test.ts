// SPDX-License-Identifier: Apache-2.0
// Probes against real servers on loopback, with the texts that events show.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { createServer as createHttp2Server } from 'node:http2';
import type { AddressInfo, Server } from 'node:net';
import { type TestContext, test } from 'node:test';
import { FakeClock } from '#component';
import { FakeRuntime } from '../testing/fake-runtime.ts';
import { spec } from '../testing/objects.ts';
import { grpcMessage, type ProbeTarget, probeOnce, servingStatus } from './prober.ts';

async function listen(t: TestContext, server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  return (server.address() as AddressInfo).port;
}

function target(port = 0): ProbeTarget {
  const container = spec('web', { ports: [{ name: 'http', containerPort: port }] });
  return { runtime: new FakeRuntime(new FakeClock()), containerId: 'c', spec: container as never, podIp: '127.0.0.1' };
}

test('an HTTP probe judges the status code and names the failure', async (t) => {
  const server = createServer((request, response) => {
    response.statusCode = Number(request.url?.slice(1));
    response.end(request.headers['user-agent']);
  });
  const port = await listen(t, server);
  const get = (path: string) => probeOnce({ httpGet: { path, port: 'http' } }, target(port));

  assert.deepEqual(await get('/200'), { result: 'success', output: 'kube-probe/1.36' });
  assert.deepEqual(await get('/503'), { result: 'failure', output: 'HTTP probe failed with statuscode: 503' });
  assert.equal((await get('/302')).result, 'warning');
  await new Promise((resolve) => server.close(resolve));
  assert.deepEqual(await get('/200'), {
    result: 'failure',
    output: `Get "http://127.0.0.1:${port}/200": dial tcp 127.0.0.1:${port}: connect: connection refused`,
  });
});

test('a TCP probe needs only a connection', async (t) => {
  const port = await listen(t, createServer());
  assert.equal((await probeOnce({ tcpSocket: { port } }, target())).result, 'success');
  assert.match((await probeOnce({ tcpSocket: { port: 1 } }, target())).output, /connection refused/);
});

test('a gRPC probe asks the health service', async (t) => {
  const server = createHttp2Server();
  server.on('stream', (stream, headers) => {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    let asked = Buffer.alloc(0);
    stream.on('data', (chunk: Buffer) => {
      asked = Buffer.concat([asked, chunk]);
    });
    stream.on('end', () => {
      const healthy = headers[':path'] === '/grpc.health.v1.Health/Check' && !asked.includes('sick');
      stream.end(Buffer.from([0, 0, 0, 0, 2, 8, healthy ? 1 : 2]));
    });
  });
  const port = await listen(t, server);

  assert.equal((await probeOnce({ grpc: { port } }, target())).result, 'success');
  assert.deepEqual(await probeOnce({ grpc: { port, service: 'sick' } }, target()), {
    result: 'failure',
    output: 'service unhealthy (responded with "NOT_SERVING")',
  });
});

test('an exec probe fails with the output of the command', async () => {
  const at = target();
  (at.runtime as FakeRuntime).execs.set('check', { exitCode: 1, stdout: 'no' });
  assert.deepEqual(await probeOnce({ exec: { command: ['check'] } }, at), { result: 'failure', output: 'no' });
});

test('a port name that the container lacks is an error of the probe, not of the container', async () => {
  assert.deepEqual(await probeOnce({ httpGet: { port: 'none' } }, target()), {
    result: 'unknown',
    output: "couldn't find port: none in container web",
  });
});

test('the health messages are framed as gRPC does', () => {
  assert.deepEqual([...grpcMessage('ab')], [0, 0, 0, 0, 4, 10, 2, 97, 98]);
  assert.equal(servingStatus(Buffer.from([0, 0, 0, 0, 0])), 0);
});
