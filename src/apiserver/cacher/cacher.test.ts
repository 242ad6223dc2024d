// SPDX-License-Identifier: Apache-2.0
// The cache over a memory store: order, windows, freshness, and what a restart remembers.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '#component';
import { MemoryStore, type Store } from '#store';
import type { MutableObject } from '../registry/strategy.ts';
import { Cacher } from './cacher.ts';
import { WatchChannel } from './watch-channel.ts';

const PREFIX = 'configmaps/';
const keyOf = (name: string) => `/registry/${PREFIX}default/${name}`;
const encoded = (name: string, n: number) =>
  Buffer.from(JSON.stringify({ metadata: { name, namespace: 'default' }, data: { n: String(n) } }));

async function started(store: Store): Promise<{ cacher: Cacher; stop: () => Promise<void> }> {
  const cacher = new Cacher({
    store,
    logger: silentLogger,
    decode: (value) => JSON.parse(Buffer.from(value).toString()) as MutableObject,
    prefixes: [PREFIX],
  });
  const abort = new AbortController();
  const ready = Promise.withResolvers<void>();
  const run = cacher.run(abort.signal, () => ready.resolve());
  await ready.promise;
  const stop = async () => {
    abort.abort();
    await run.catch(() => undefined);
  };
  return { cacher, stop };
}

async function write(store: Store, name: string, n: number): Promise<number> {
  const result = await store.put(keyOf(name), encoded(name, n), undefined);
  assert.ok(result.ok);
  return result.revision;
}

test('a read after an answered write sees it', async () => {
  const store = new MemoryStore();
  const { cacher, stop } = await started(store);

  const revision = await write(store, 'a', 1);
  await cacher.fresh();

  assert.ok(cacher.revision >= revision);
  assert.equal(cacher.cache(PREFIX).find('default/a')?.revision, revision);
  await stop();
});

test('events arrive in revision order, each once, and the window replays them', async () => {
  const store = new MemoryStore();
  const { cacher, stop } = await started(store);
  const cache = cacher.cache(PREFIX);
  const first = await write(store, 'a', 0);
  await cacher.fresh();
  const channel = new WatchChannel({ namespace: '', name: '', nodeName: '' }, () => true);
  using _subscription = cache.subscribe(channel);

  for (let n = 1; n <= 20; n++) await write(store, n % 2 === 0 ? 'a' : 'b', n);
  await store.delete(keyOf('a'), undefined);
  await cacher.fresh();

  const live = (await channel.take()).map(({ type, object }) => `${type} ${object.key} ${object.revision}`);
  const replayed = cache.since(first)?.map(({ current }) => current.revision);
  assert.equal(live.length, 21);
  assert.equal(live[0], `ADDED default/b ${first + 1}`);
  assert.equal(live.at(-1), `DELETED default/a ${first + 21}`);
  assert.deepEqual(
    replayed,
    Array.from({ length: 21 }, (_, index) => first + 1 + index),
  );
  await stop();
});

test('a cache that starts late still replays what went before, and knows where its window begins', async () => {
  const store = new MemoryStore();
  const revisions: number[] = [];
  for (let n = 0; n < 50; n++) revisions.push(await write(store, `m${n % 5}`, n));
  const { cacher, stop } = await started(store);

  const resumed = cacher.cache(PREFIX).since(revisions[40] ?? 0);

  assert.equal(resumed?.length, 9);
  assert.equal(cacher.cache(PREFIX).size, 5);
  await stop();
});

test('a revision from before compaction is no longer in the window', async () => {
  const store = new MemoryStore();
  const first = await write(store, 'a', 0);
  for (let n = 1; n < 10; n++) await write(store, 'a', n);
  await store.compact(store.revision);
  const { cacher, stop } = await started(store);

  assert.equal(cacher.cache(PREFIX).since(first), undefined);
  assert.deepEqual(cacher.cache(PREFIX).since(cacher.revision), []);
  await stop();
});

test('a stored value that cannot be decoded is as if absent, and harms no other', async () => {
  const store = new MemoryStore();
  await store.put(keyOf('bad'), Buffer.from('{'), undefined);
  await write(store, 'good', 1);
  const { cacher, stop } = await started(store);

  assert.deepEqual(
    cacher
      .cache(PREFIX)
      .list('')
      .map(({ key }) => key),
    ['default/good'],
  );
  await stop();
});
