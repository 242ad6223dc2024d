// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type ClientHttp2Session, connect } from 'node:http2';
import { after, before, describe, test } from 'node:test';
import { createLogger } from '#component';
import { createAuthority, createCertificate } from '#component/pki';
import type { IncomingRequest } from '../request/context.ts';
import { HttpServer } from './server.ts';

/** What a request to `/PATH` is answered with. */
type Respond = (request: IncomingRequest) => Promise<Buffer | string>;

describe('bodies on HTTP/2', () => {
  let server: HttpServer;
  let client: ClientHttp2Session;
  let respond: Respond;
  const closed: string[] = [];

  before(async () => {
    const now = Date.now();
    const authority = await createAuthority('authority', now);
    const { certificate, key } = await createCertificate(
      authority,
      { commonName: 'test', usages: ['server'], dnsNames: ['localhost'], ipAddresses: [], validDays: 1 },
      now,
    );
    server = new HttpServer({
      certificate: { cert: certificate, key },
      clientCa: undefined,
      identify: () => undefined,
      handle: (request, writer) => {
        request.openBody?.().on('close', () => closed.push(request.path));
        respond(request).then(
          (body) => writer.send(200, {}, body),
          (error: Error & { status?: { code: number } }) => writer.send(error.status?.code ?? 500, {}, error.message),
        );
      },
      logger: createLogger({ component: 'test', level: 'silent' }),
    });
    const { port } = await server.listen(0, '127.0.0.1');
    client = connect(`https://localhost:${port}`, { ca: authority.certificate });
  });

  after(async () => {
    client.destroy();
    await server[Symbol.asyncDispose]();
  });

  async function post(path: string, pieces: readonly Buffer[], headers: object = {}): Promise<{ status: number; body: string }> {
    const stream = client.request({ ':method': 'POST', ':path': path, ...headers });
    let status = 0;
    stream.on('response', (answered) => {
      status = answered[':status'] ?? 0;
    });
    for (const piece of pieces) stream.write(piece);
    stream.end();
    const read: Buffer[] = [];
    for await (const chunk of stream) read.push(chunk as Buffer);
    return { status, body: Buffer.concat(read).toString() };
  }

  async function closes(path: string): Promise<void> {
    while (!closed.includes(path)) await new Promise((resolve) => setImmediate(resolve));
  }

  const size = 100_000;
  const large = Buffer.alloc(size, 'a');
  const echoed: Respond = async (request) => {
    const body = await request.readBody(size);
    return `${body.length} ${Buffer.from(body).every((byte) => byte === 97)}`;
  };

  test('come back as they were, in whatever letters', async () => {
    for (const text of ['plain', 'Grüße', '안녕', '😀', '\u0000\u007f\u0080\u00ff', '']) {
      respond = async (request) => Buffer.from(await request.readBody(size)).toString();

      assert.deepEqual(await post('/letters', [Buffer.from(text)]), { status: 200, body: text });
    }
  });

  test('come whole, with their length told or not, and their streams close', async () => {
    respond = echoed;
    const told = await post('/told', [large], { 'content-length': size });
    const pieces = await post('/pieces', [large.subarray(0, 7), large.subarray(7, 50_000), large.subarray(50_000)], {
      'content-length': size,
    });
    const untold = await post('/untold', [large]);
    const none = await post('/none', [], { 'content-length': 0 });

    assert.deepEqual([told, pieces, untold], Array(3).fill({ status: 200, body: `${size} true` }));
    assert.deepEqual(none, { status: 200, body: '0 true' });
    for (const path of ['/told', '/pieces', '/untold', '/none']) await closes(path);
  });

  test('that are too large are refused', async () => {
    respond = echoed;

    assert.equal((await post('/large', [large, large], { 'content-length': 2 * size })).status, 413);
    await closes('/large');
  });

  test('may be read after the answer was begun, or not at all', async () => {
    respond = async () => 'unread';
    assert.equal((await post('/unread', [large], { 'content-length': size })).body, 'unread');
    await closes('/unread');

    const early = Promise.withResolvers<string>();
    respond = async (request) => {
      void request.readBody(size).then((body) => early.resolve(String(body.length)), early.reject);
      return 'early';
    };
    const stream = client.request({ ':method': 'POST', ':path': '/early', 'content-length': 4 });
    await once(stream, 'response');
    stream.end('late');
    stream.resume();

    assert.equal(await early.promise, '4');
    await closes('/early');
  });

  test('whose client goes away fail', async () => {
    const failed = Promise.withResolvers<Error>();
    respond = async (request) => {
      await request.readBody(size).catch((error: Error) => failed.resolve(error));
      return '';
    };
    const stream = client.request({ ':method': 'POST', ':path': '/gone', 'content-length': 10 });
    stream.on('error', () => {});
    stream.write('half', () => stream.destroy());

    assert.match((await failed.promise).message, /the client went away/);
    await closes('/gone');
  });

  test('a client that goes away after its body closes the stream, answered or not', async () => {
    const read = Promise.withResolvers<void>();
    const never = Promise.withResolvers<string>();
    respond = async (request) => {
      await request.readBody(size);
      read.resolve();
      return never.promise;
    };
    const stream = client.request({ ':method': 'POST', ':path': '/left', 'content-length': 4 });
    stream.on('error', () => {});
    stream.end('body');
    await read.promise;
    stream.destroy();

    await closes('/left');
    never.resolve('');
  });
});
