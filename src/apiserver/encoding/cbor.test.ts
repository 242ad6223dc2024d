// SPDX-License-Identifier: Apache-2.0
// CBOR through the whole chain: spoken by a server that was told to, refused by one that was not.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import * as codec from '#machinery/cbor';
import { startTestServer, type TestAnswer, type TestServer } from '../_test-server.ts';

const { decodeCbor, encodeCbor } = codec;
const MAPS = '/api/v1/namespaces/default/configmaps';
const ACCEPT = { accept: 'application/cbor' };
const SENT = { ...ACCEPT, 'content-type': 'application/cbor' };
const APPLIED = { ...ACCEPT, 'content-type': 'application/apply-patch+cbor' };
const configMap = (name: string, data: Record<string, string> = {}) => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data });

interface Answered {
  readonly kind: string;
  readonly metadata: { readonly name?: string };
  readonly data?: Readonly<Record<string, string>>;
  readonly items?: readonly Answered[];
  readonly rows?: readonly unknown[];
  readonly reason?: string;
  readonly message?: string;
}
const shownBy = ({ bytes }: TestAnswer) => decodeCbor(bytes) as Answered;

describe('a server that speaks CBOR', () => {
  let api: TestServer;
  before(async () => {
    api = await startTestServer({ cbor: codec });
  });
  after(() => api[Symbol.asyncDispose]());

  test('takes it as a body, and answers in it', async () => {
    const made = await api.send('POST', MAPS, { headers: SENT, body: encodeCbor(configMap('made', { k: 'v' })) });
    const read = await api.send('GET', `${MAPS}/made`, { headers: ACCEPT });

    assert.deepEqual([made.status, made.headers['content-type']], [201, 'application/cbor']);
    assert.deepEqual([shownBy(read).kind, shownBy(read).data], ['ConfigMap', { k: 'v' }]);
    const plain = await api.send('GET', `${MAPS}/made`);
    assert.deepEqual(shownBy(read), plain.body);
  });

  test('says what fields are not known, and refuses what is no CBOR', async () => {
    const body = encodeCbor({ ...configMap('odd'), nope: 1 });
    const warned = await api.send('POST', MAPS, { headers: SENT, body });
    const strict = await api.send('POST', MAPS, { headers: SENT, body, query: 'fieldValidation=Strict' });
    const broken = await api.send('POST', MAPS, { headers: SENT, body: Buffer.from('a1ff', 'hex') });

    assert.deepEqual(warned.headers['warning'], ['299 - "unknown field \\"nope\\""']);
    assert.deepEqual([strict.status, broken.status], [400, 400]);
    assert.match(String(shownBy(strict).message), /strict decoding error: unknown field "nope"/);
    assert.match(String(shownBy(broken).message), /cbor: /);
  });

  test('applies configurations in it', async () => {
    const query = 'fieldManager=test';
    const applied = await api.send('PATCH', `${MAPS}/applied`, { headers: APPLIED, query, body: encodeCbor(configMap('applied')) });
    const broken = await api.send('PATCH', `${MAPS}/applied`, { headers: APPLIED, query, body: Buffer.of(0xff) });

    assert.equal(applied.status, 201);
    assert.equal(broken.status, 400);
    assert.match(String(shownBy(broken).message), /^error decoding CBOR: /);
  });

  test('lists in it, in every form of a list', async () => {
    const list = shownBy(await api.send('GET', MAPS, { headers: ACCEPT }));
    const table = shownBy(await api.send('GET', MAPS, { headers: { accept: 'application/cbor;as=Table;v=v1;g=meta.k8s.io' } }));
    const none = shownBy(await api.send('GET', MAPS, { headers: ACCEPT, query: 'labelSelector=no%3Dmatch' }));

    assert.equal(list.kind, 'ConfigMapList');
    assert.ok(list.items?.some(({ metadata }) => metadata.name === 'made'));
    assert.deepEqual([table.kind, table.rows?.length], ['Table', list.items?.length]);
    assert.deepEqual(none.items, []);
  });

  test('watches in a sequence of items', async () => {
    const { headers, bytes } = await api.send('GET', MAPS, {
      headers: ACCEPT,
      query: 'watch=true&timeoutSeconds=1&fieldSelector=metadata.name%3Dmade',
    });

    assert.equal(headers['content-type'], 'application/cbor-seq');
    const event = decodeCbor(bytes) as { type: string; object: Answered };
    assert.deepEqual([event.type, event.object.metadata.name], ['ADDED', 'made']);
  });

  test('tells of it where something else is asked for', async () => {
    const { body } = await api.send('GET', MAPS, { headers: { accept: 'text/html' } });

    assert.match(body.message, /application\/vnd.kubernetes.protobuf, application\/cbor, application\/json;stream=watch/);
  });
});

test('a server that was not told to speak CBOR refuses it, in bodies, patches and answers', async () => {
  await using api = await startTestServer();
  const body = encodeCbor(configMap('a'));

  const made = await api.send('POST', MAPS, { headers: { 'content-type': 'application/cbor' }, body });
  const applied = await api.send('PATCH', `${MAPS}/a`, {
    headers: { 'content-type': 'application/apply-patch+cbor' },
    query: 'fieldManager=m',
    body,
  });
  const read = await api.send('GET', MAPS, { headers: ACCEPT });

  assert.deepEqual([made.status, applied.status, read.status], [415, 415, 406]);
});
