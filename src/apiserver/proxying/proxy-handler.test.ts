// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { ApiError } from '#machinery';
import { type IncomingRequest, RequestContext } from '../request/context.ts';
import { requestInfoOf } from '../request/request-info.ts';
import type { Destination } from './kubelet-connection.ts';
import { proxy } from './proxy-handler.ts';

interface Seen {
  readonly method: string | undefined;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

async function textOf(source: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of source) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

async function serverSeeing(seen: Seen[]): Promise<{ destination: Destination } & AsyncDisposable> {
  const server = createServer(async (request, response) => {
    seen.push({ method: request.method, headers: request.headers, body: await textOf(request) });
    response.writeHead(207, { 'x-answer': 'yes', connection: 'close' });
    response.end('answered');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    destination: { host: '127.0.0.1', port, path: '/there?x=y', tls: undefined },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

function contextOf(request: Partial<IncomingRequest>): RequestContext {
  const whole = {
    method: 'GET',
    path: '/',
    search: '',
    headers: {},
    readBody: async () => Buffer.alloc(0),
    connectionUser: undefined,
    remoteAddress: '127.0.0.1',
    signal: AbortSignal.timeout(10_000),
    ...request,
  } satisfies IncomingRequest;
  return new RequestContext(whole, requestInfoOf(whole.method, '/', undefined), new URLSearchParams(), 0);
}

test('a request goes there without what concerns one connection or says who the client is, and its answer comes back', async () => {
  const seen: Seen[] = [];
  await using server = await serverSeeing(seen);
  const headers = { accept: 'text/plain', authorization: 'Bearer x', 'impersonate-user': 'y', 'x-remote-user': 'z', ':path': '/' };

  const result = await proxy(contextOf({ headers }), {
    ...server.destination,
    headers: { 'x-own': '1' },
    drops: (name) => name === 'x-remote-user',
  });

  assert.equal(result.type, 'stream');
  if (result.type !== 'stream') return;
  assert.deepEqual([result.status, result.headers['x-answer'], result.headers['connection']], [207, 'yes', undefined]);
  assert.equal(await textOf(result.body), 'answered');
  const { accept, authorization, 'impersonate-user': impersonate, 'x-remote-user': remote, 'x-own': own } = seen[0]?.headers ?? {};
  assert.deepEqual([accept, authorization, impersonate, remote, own], ['text/plain', undefined, undefined, undefined, '1']);
});

test('a body goes as it comes, or whole where it was never in pieces', async () => {
  const seen: Seen[] = [];
  await using server = await serverSeeing(seen);

  await proxy(
    contextOf({ method: 'POST', openBody: () => Readable.from([Buffer.from('in '), Buffer.from('pieces')]) }),
    server.destination,
  );
  await proxy(
    contextOf({ method: 'POST', headers: { 'content-length': '3' }, openBody: () => Readable.from([Buffer.from('abc')]) }),
    server.destination,
  );
  await proxy(contextOf({ method: 'PUT', readBody: async () => Buffer.from('whole') }), server.destination);

  assert.deepEqual(
    seen.map(({ body, headers }) => [body, headers['transfer-encoding'], headers['content-length']]),
    [
      ['in pieces', 'chunked', undefined],
      ['abc', undefined, '3'],
      ['whole', undefined, '5'],
    ],
  );
});

test('where nobody listens the answer is 503, or what the destination makes of it', async () => {
  const nowhere: Destination = { host: '127.0.0.1', port: 1, path: '/', tls: undefined };
  await assert.rejects(proxy(contextOf({}), nowhere), (error: unknown) => error instanceof ApiError && error.code === 503);

  const own = await proxy(contextOf({}), { ...nowhere, fails: () => ({ type: 'bytes', status: 502, contentType: '', body: 'own' }) });

  assert.equal(own.type === 'bytes' && own.status, 502);
});
