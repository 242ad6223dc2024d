// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { createSecureServer, type Http2SecureServer, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { pods } from '#api/resources';
import { FakeClock, settle } from '#component';
import { isNotFound } from '#machinery';
import { createClient } from './api-client.ts';
import { TransportError } from './client.ts';
import { HttpsTransport } from './https.ts';

// Made for this test, for 127.0.0.1, until 2126; nothing else trusts it.
const TLS = {
  key: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgTDRBu2yeIg8eL7iX
T7ya+AB/pI8lFA18ImkDmr7rvimhRANCAAR5LBjy/+u4SRmQVPrIQu5r3/wsIUag
Z/cC7NkAHL2qckBSrDLyH8JNKUNYKwVkRUkxuFbaozgNefx4Jctt0C87
-----END PRIVATE KEY-----
`,
  cert: `-----BEGIN CERTIFICATE-----
MIIBhjCCASygAwIBAgIULH2yJJiHLHa09JzWGuxrkCzdajAwCgYIKoZIzj0EAwIw
DzENMAsGA1UEAwwEdGVzdDAgFw0yNjExMjIxMzEwMzFaGA8yMTI2MTAyOTEzMTAz
MVowDzENMAsGA1UEAwwEdGVzdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABHks
GPL/67hJGZBU+shC7mvf/CwhRqBn9wLs2QAcvapyQFKsMvIfwk0pQ1grBWRFSTG4
VtqjOA15/Hgly23QLzujZDBiMB0GA1UdDgQWBBSJ7BNpftR7/mIgn1/AE4MjEd/Z
QzAfBgNVHSMEGDAWgBSJ7BNpftR7/mIgn1/AE4MjEd/ZQzAPBgNVHRMBAf8EBTAD
AQH/MA8GA1UdEQQIMAaHBH8AAAEwCgYIKoZIzj0EAwIDSAAwRQIgDitBowh4duma
SYVS2blHaDss6117+LLanqPl3IWoJBkCIQDmIRkBIUUHRreOJtV7Md+Zf+647Ss/
q0rKI7hqWkd4LQ==
-----END CERTIFICATE-----
`,
};

type Answer = (stream: ServerHttp2Stream, path: string, headers: Record<string, unknown>) => void;

async function setUp(answer: Answer) {
  const server: Http2SecureServer = createSecureServer(TLS);
  let sessions = 0;
  server.on('session', () => {
    sessions += 1;
  });
  server.on('stream', (stream, headers) => answer(stream, String(headers[':path']), headers));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const clock = new FakeClock();
  const warnings: string[] = [];
  const transport = new HttpsTransport(
    { server: `https://127.0.0.1:${(server.address() as AddressInfo).port}`, ca: TLS.cert, token: 't' },
    { clock, onWarning: (text) => void warnings.push(text) },
  );
  const close = () => {
    transport[Symbol.dispose]();
    server.close();
  };
  return { client: createClient(transport), transport, clock, warnings, sessions: () => sessions, [Symbol.dispose]: close };
}

function json(stream: ServerHttp2Stream, status: number, body: unknown, headers: Record<string, string> = {}): void {
  stream.respond({ ':status': status, 'content-type': 'application/json', ...headers });
  stream.end(JSON.stringify(body));
}

test('requests share one connection, carry the token, and failures are ApiErrors', async () => {
  const seen: unknown[] = [];
  using it = await setUp((stream, path, headers) => {
    seen.push([headers[':method'], path, headers['authorization']]);
    if (path.endsWith('/a')) json(stream, 200, { kind: 'Pod', metadata: { name: 'a' } }, { warning: '299 - "mind \\"this\\""' });
    else json(stream, 404, { kind: 'Status', status: 'Failure', reason: 'NotFound', message: 'pods "b" not found', code: 404 });
  });

  const pod = await it.client.get(pods, { namespace: 'n', name: 'a' });
  await assert.rejects(it.client.get(pods, { namespace: 'n', name: 'b' }), isNotFound);

  assert.equal(pod.metadata.name, 'a');
  assert.deepEqual(seen[0], ['GET', '/api/v1/namespaces/n/pods/a', 'Bearer t']);
  assert.deepEqual(it.warnings, ['mind "this"']);
  assert.equal(it.sessions(), 1);
});

test('a lost connection is replaced, and reads are sent again', async () => {
  let count = 0;
  using it = await setUp((stream) => {
    count += 1;
    if (count === 1) stream.session?.destroy();
    else json(stream, 200, { kind: 'Pod', metadata: { name: 'a' } });
  });

  const pod = await it.client.get(pods, { namespace: 'n', name: 'a' });

  assert.equal(pod.metadata.name, 'a');
  assert.equal(it.sessions(), 2);
});

test('a write whose connection is lost is not sent again', async () => {
  let count = 0;
  using it = await setUp((stream) => {
    count += 1;
    stream.session?.destroy();
  });

  await assert.rejects(it.client.create(pods, { metadata: { namespace: 'n', name: 'a' } }), TransportError);

  assert.equal(count, 1);
});

test('a watch yields frames as they come, however they are cut, and closes when left', async () => {
  const closed = Promise.withResolvers<void>();
  using it = await setUp((stream) => {
    stream.respond({ ':status': 200, 'content-type': 'application/json' });
    const frame = (name: string) => `${JSON.stringify({ type: 'ADDED', object: { metadata: { name, resourceVersion: '1' } } })}\n`;
    stream.write(frame('ä').slice(0, 20));
    setImmediate(() => stream.write(frame('ä').slice(20) + frame('b')));
    stream.on('close', () => closed.resolve());
    stream.on('error', () => undefined);
  });

  const names: string[] = [];
  for await (const event of it.client.watch(pods, { namespace: 'n' })) {
    if (event.type === 'ADDED') names.push(event.object.metadata.name);
    if (names.length === 2) break;
  }
  await closed.promise;

  assert.deepEqual(names, ['ä', 'b']);
});

test('429 with Retry-After is waited out', async () => {
  let count = 0;
  using it = await setUp((stream) => {
    count += 1;
    if (count === 1) {
      stream.respond({ ':status': 429, 'retry-after': '3' });
      stream.end('Too many requests, please try again later.\n');
      // The client waits on its clock now.
      stream.on('close', () => void settle().then(() => it.clock.advance(3000)));
    } else json(stream, 200, { kind: 'PodList', metadata: { resourceVersion: '9' }, items: [{ metadata: { name: 'a' } }] });
  });

  const list = await it.client.list(pods);

  assert.equal(list.items[0]?.kind, 'Pod');
  assert.equal(list.resourceVersion, '9');
});

test('aborting rejects with the reason', async () => {
  using it = await setUp(() => undefined);
  const stop = new AbortController();
  const waiting = it.client.get(pods, { namespace: 'n', name: 'a' }, { signal: stop.signal });
  stop.abort(new Error('enough'));

  await assert.rejects(waiting, /enough/);
});

test('a server that is not there is a TransportError, and a plain http one is refused', async () => {
  const gone = createClient(new HttpsTransport({ server: 'https://127.0.0.1:1' }));

  await assert.rejects(gone.get(pods, { namespace: 'n', name: 'a' }), TransportError);
  assert.throws(() => new HttpsTransport({ server: 'http://127.0.0.1:1' }), /only https: servers are supported/);
});

test('many small writes at once are all answered whole, though their streams are closed before they are read', async () => {
  // Answered before the body has come: the server resets each stream right behind its last bytes.
  using it = await setUp((stream) => json(stream, 201, { kind: 'Pod', metadata: { name: 'a' } }));
  const draft = { metadata: { name: 'a', namespace: 'n', annotations: { large: 'x'.repeat(20_000) } } };

  for (let round = 0; round < 5; round++) {
    const created = await Promise.all(Array.from({ length: 100 }, () => it.client.create(pods, draft)));

    assert.equal(created.filter((pod) => pod.metadata.name === 'a').length, 100);
  }
});
