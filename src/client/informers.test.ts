// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { configmaps } from '#api/resources';
import { FakeClock, settle, silentLogger } from '#component';
import { tooManyRequests } from '#machinery';
import { createInformerFactory } from './informers.ts';
import { FakeApi } from './testing/mod.ts';

const meta = (name: string) => ({ namespace: 'default', name });

function setUp() {
  const clock = new FakeClock();
  const api = new FakeApi({ clock });
  const factory = createInformerFactory(api, { logger: silentLogger, clock, random: () => 0 });
  const informer = factory.informer(configmaps);
  const seen: string[] = [];
  informer.addHandler({
    add: (object, initial) => void seen.push(`add ${object.metadata.name}${initial ? ' initial' : ''}`),
    update: (before, after) => void seen.push(`update ${after.metadata.name} ${before.data?.['k']}->${after.data?.['k']}`),
    delete: (object) => void seen.push(`delete ${object.metadata.name}`),
  });
  const stop = new AbortController();
  return { clock, api, factory, informer, seen, stop };
}

test('an informer lists, follows, and drains on abort', async () => {
  const { api, factory, informer, seen, stop } = setUp();
  informer.addIndex('value', (object) => [object.data?.['k'] ?? '']);
  await api.create(configmaps, { metadata: meta('a'), data: { k: '1' } });
  factory.start(stop.signal);
  await factory.waitForSync(stop.signal);
  await settle();

  await api.patch(configmaps, meta('a'), 'merge', { data: { k: '2' } });
  await api.create(configmaps, { metadata: meta('b'), data: { k: '2' } });
  await settle();
  assert.equal(informer.lister.byIndex('value', '2').length, 2);
  await api.delete(configmaps, meta('a'));
  await settle();

  assert.deepEqual(seen, ['add a initial', 'update a 1->2', 'add b', 'delete a']);
  assert.deepEqual(
    informer.lister.list('default').map((object) => object.metadata.name),
    ['b'],
  );
  stop.abort();
  await factory.drained();
  assert.equal(api.openWatches, 0);
});

test('an informer lists again after a 410 and reports the difference', async () => {
  const { clock, api, factory, seen, stop } = setUp();
  await api.create(configmaps, { metadata: meta('a'), data: { k: '1' } });
  await api.create(configmaps, { metadata: meta('b'), data: { k: '1' } });
  factory.start(stop.signal);
  await settle();
  let refused = false;
  {
    using _off = api.intercept(({ verb }) => {
      refused ||= verb === 'watch';
      return verb === 'watch' ? tooManyRequests('later', 1) : undefined;
    });
    await clock.advance(2000);
    api.endWatches();
    await settle();
    await api.delete(configmaps, meta('a'));
    await api.patch(configmaps, meta('b'), 'merge', { data: { k: '2' } });
    api.compact();
  }
  assert.ok(refused);

  await clock.advance(60_000);

  assert.deepEqual(seen, ['add a initial', 'add b initial', 'delete a', 'update b 1->2']);
  stop.abort();
  await factory.drained();
});

test('one informer is shared, and a late handler gets what is there', async () => {
  const { api, factory, informer, stop } = setUp();
  await api.create(configmaps, { metadata: meta('a') });
  factory.start(stop.signal);
  await settle();

  const late: string[] = [];
  const registration = factory.informer(configmaps).addHandler({ add: (object) => void late.push(object.metadata.name) });
  registration[Symbol.dispose]();
  await api.create(configmaps, { metadata: meta('b') });
  await settle();

  assert.equal(factory.informer(configmaps), informer);
  assert.deepEqual(late, ['a']);
  stop.abort();
  await factory.drained();
});
