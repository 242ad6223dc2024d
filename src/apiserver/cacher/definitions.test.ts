// SPDX-License-Identifier: Apache-2.0
// Prefixes that come and go with definitions: what lies under them is there when the definition is, in whatever order they came.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '#component';
import { MemoryStore } from '#store';
import type { MutableObject } from '../registry/strategy.ts';
import { Cacher } from './cacher.ts';

const DEFINITIONS = 'defs/';

async function started(store: MemoryStore) {
  const cacher = new Cacher({
    store,
    logger: silentLogger,
    decode: (value) => JSON.parse(Buffer.from(value).toString()) as MutableObject,
    prefixes: [DEFINITIONS],
    definitions: { prefix: DEFINITIONS, prefixOf: (object) => String(object['prefix']) },
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

const put = (store: MemoryStore, key: string, object: object = {}) =>
  store.put(`/registry/${key}`, Buffer.from(JSON.stringify({ metadata: { name: key }, ...object })), undefined);

test('objects are kept from the definition on, and again when it comes back', async () => {
  const store = new MemoryStore();
  const { cacher, stop } = await started(store);
  await put(store, 'toys/kites/early');
  await cacher.fresh();
  assert.equal(cacher.findCache('toys/kites/'), undefined);

  await put(store, 'defs/kites', { prefix: 'toys/kites/' });
  await put(store, 'toys/kites/late');
  await cacher.fresh();
  const keys = () =>
    cacher
      .findCache('toys/kites/')
      ?.list('')
      .map(({ key }) => key);
  assert.deepEqual(keys(), ['early', 'late']);

  let closed = false;
  cacher.findCache('toys/kites/')?.subscribe({
    interest: { namespace: '', name: '', nodeName: '' },
    offer: () => undefined,
    close: () => {
      closed = true;
    },
  });
  await store.delete('/registry/defs/kites', undefined);
  await store.delete('/registry/toys/kites/early', undefined);
  await cacher.fresh();
  assert.equal(keys(), undefined);
  assert.ok(closed);

  await put(store, 'defs/kites', { prefix: 'toys/kites/' });
  await cacher.fresh();
  assert.deepEqual(keys(), ['late']);
  await stop();
});

test('a cache that starts over the same store knows the prefix and its objects', async () => {
  const store = new MemoryStore();
  await put(store, 'a/kites/one');
  await put(store, 'defs/kites', { prefix: 'a/kites/' });

  const { cacher, stop } = await started(store);

  assert.deepEqual(
    cacher
      .findCache('a/kites/')
      ?.list('')
      .map(({ key }) => key),
    ['one'],
  );
  await stop();
});
