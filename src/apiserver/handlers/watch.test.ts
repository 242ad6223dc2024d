// SPDX-License-Identifier: Apache-2.0
// Watches through the whole chain: what they begin with, what they see, how they end; and informers on top of them.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { configmaps } from '#api';
import { createInformerFactory } from '#client';
import { silentLogger, systemClock } from '#component';
import { startTestServer, type TestServer } from '../_test-server.ts';

const MAPS = '/api/v1/namespaces/default/configmaps';
const configMap = (name: string, labels: Record<string, string> = {}) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, labels },
});

interface Frame {
  readonly type: string;
  readonly object: {
    readonly kind: string;
    readonly metadata: { readonly name?: string; readonly resourceVersion: string; readonly annotations?: Record<string, string> };
    readonly code?: number;
  };
}

describe('watch', () => {
  let api: TestServer;
  before(async () => {
    api = await startTestServer();
  });
  after(() => api[Symbol.asyncDispose]());

  /** All frames of a watch of one second, with what `act` did meanwhile. */
  async function watched(query: string, act: () => Promise<unknown>, path = MAPS): Promise<Frame[]> {
    const answer = api.send('GET', path, { query: `watch=true&timeoutSeconds=1&${query}` });
    await act();
    const { status, text } = await answer;
    assert.equal(status, 200, text);
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Frame);
  }
  const seen = (frames: readonly Frame[]) => frames.map(({ type, object }) => `${type} ${object.metadata?.name ?? object.kind}`);

  test('one from a revision that is yet to come does not see what comes before it', async () => {
    const { body } = await api.send('GET', MAPS);
    const frames = await watched(`resourceVersion=${Number(body.metadata.resourceVersion) + 1}`, async () => {
      await api.send('POST', MAPS, { body: configMap('too-early') });
      await api.send('POST', MAPS, { body: configMap('in-time') });
    });

    assert.deepEqual(seen(frames), ['ADDED in-time']);
  });

  test('one from a revision sees every later event once, in order, and nothing before', async () => {
    await api.send('POST', MAPS, { body: configMap('before') });
    const { body } = await api.send('GET', MAPS);
    const frames = await watched(`resourceVersion=${body.metadata.resourceVersion}&labelSelector=t%3D1`, async () => {
      await api.send('POST', MAPS, { body: configMap('w1', { t: '1' }) });
      await api.send('POST', MAPS, { body: configMap('other') });
      await api.send('PATCH', `${MAPS}/w1`, { headers: { 'content-type': 'application/merge-patch+json' }, body: { data: { a: 'b' } } });
      await api.send('DELETE', `${MAPS}/w1`);
    });

    assert.deepEqual(seen(frames), ['ADDED w1', 'MODIFIED w1', 'DELETED w1']);
    const revisions = frames.map(({ object }) => Number(object.metadata.resourceVersion));
    assert.deepEqual(
      revisions,
      [...revisions].sort((a, b) => a - b),
    );
  });

  test('a streaming list gives what is there, then the bookmark that ends it, then what follows', async () => {
    await api.send('POST', MAPS, { body: configMap('s1', { s: '1' }) });
    const frames = await watched(
      'sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&labelSelector=s%3D1',
      () => api.send('POST', MAPS, { body: configMap('s2', { s: '1' }) }),
    );

    const end = frames.findIndex(({ object }) => object.metadata.annotations?.['k8s.io/initial-events-end'] === 'true');
    assert.ok(end > 0);
    assert.equal(frames[end]?.type, 'BOOKMARK');
    assert.deepEqual(seen(frames.filter(({ type }) => type !== 'BOOKMARK')), ['ADDED s1', 'ADDED s2']);
  });

  test('one of a name over all namespaces sees that name in each', async () => {
    await api.send('POST', '/api/v1/namespaces', { body: { metadata: { name: 'second' } } });
    const { body } = await api.send('GET', MAPS);
    const frames = await watched(
      `fieldSelector=metadata.name%3Dsame&resourceVersion=${body.metadata.resourceVersion}`,
      async () => {
        await api.send('POST', MAPS, { body: configMap('same') });
        await api.send('POST', '/api/v1/namespaces/second/configmaps', { body: configMap('same') });
        await api.send('POST', MAPS, { body: configMap('different') });
      },
      '/api/v1/configmaps',
    );

    assert.deepEqual(seen(frames), ['ADDED same', 'ADDED same']);
  });

  test('one that asks for a Table gets rows, and the columns once', async () => {
    const { body } = await api.send('GET', MAPS);
    const answer = api.send('GET', MAPS, {
      query: `watch=true&timeoutSeconds=1&resourceVersion=${body.metadata.resourceVersion}`,
      headers: { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' },
    });
    await api.send('POST', MAPS, { body: configMap('t1') });
    await api.send('POST', MAPS, { body: configMap('t2') });
    const frames = (await answer).text
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line));

    assert.deepEqual(
      frames.map(({ object }) => object.rows[0].cells[0]),
      ['t1', 't2'],
    );
    assert.deepEqual(
      frames.map(({ object }) => object.columnDefinitions !== null),
      [true, false],
    );
  });

  for (const [query, ends] of [
    ['', true],
    ['&resourceVersion=0', true],
    ['&resourceVersion=1', false],
    ['&sendInitialEvents=false&resourceVersionMatch=NotOlderThan', false],
  ] as const) {
    test(`a watch with bookmarks${query === '' ? '' : ` and ${query.slice(1)}`} ${ends ? 'says' : 'does not say'} where the state ends`, async () => {
      const { text } = await api.send('GET', MAPS, { query: `watch=1&allowWatchBookmarks=true&timeoutSeconds=1${query}` });

      assert.equal(text.includes('"k8s.io/initial-events-end":"true"'), ends);
    });
  }

  for (const [path, query, why] of [
    [MAPS, 'watch=1&continue=abc', 'resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden when continue is provided'],
    ['/api/v1/watch/configmaps', 'sendInitialEvents=true', 'sendInitialEvents: Forbidden: sendInitialEvents is forbidden for list'],
  ] as const) {
    test(`${path} with ${query} is refused`, async () => {
      const { status, body } = await api.send('GET', path, { query });

      assert.deepEqual([status, body.message], [422, `ListOptions.meta.k8s.io "" is invalid: ${why}`]);
    });
  }

  test('an informer sees every change of every object once, however many are made at once', async () => {
    const stop = new AbortController();
    const factory = createInformerFactory(api.client, { logger: silentLogger, clock: systemClock });
    const events: string[] = [];
    const done = Promise.withResolvers<void>();
    const count = 60;
    let deleted = 0;
    factory.informer(configmaps).addHandler({
      add: (object) => void (object.metadata.name.startsWith('i-') && events.push(`add ${object.metadata.name}`)),
      update: (_before, next) => void (next.metadata.name.startsWith('i-') && events.push(`update ${next.metadata.name}`)),
      delete(object) {
        if (!object.metadata.name.startsWith('i-')) return;
        events.push(`delete ${object.metadata.name}`);
        deleted += 1;
        if (deleted === count) done.resolve();
      },
    });
    factory.start(stop.signal);
    await factory.waitForSync(stop.signal);

    await Promise.all(
      Array.from({ length: count }, async (_, n) => {
        await api.send('POST', MAPS, { body: configMap(`i-${n}`) });
        await api.send('PATCH', `${MAPS}/i-${n}`, {
          headers: { 'content-type': 'application/merge-patch+json' },
          body: { data: { n: String(n) } },
        });
        await api.send('DELETE', `${MAPS}/i-${n}`);
      }),
    );
    await done.promise;
    stop.abort();
    await factory.drained();

    assert.equal(events.length, 3 * count);
    for (let n = 0; n < count; n++) {
      assert.deepEqual(
        events.filter((event) => event.endsWith(` i-${n}`)),
        [`add i-${n}`, `update i-${n}`, `delete i-${n}`],
      );
    }
  });
});
