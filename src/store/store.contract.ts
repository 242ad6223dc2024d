// SPDX-License-Identifier: Apache-2.0
// The suite every store passes: what store.ts promises, shown from outside.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock, settle } from '#component';
import { CompactedError, FutureRevisionError, type Revision, type Store, type StoreEvent } from './store.ts';

export type OpenStore = (clock: FakeClock) => Promise<Store>;

const bytes = (text: string) => Buffer.from(text);
const textOf = (value: Uint8Array | undefined) => (value === undefined ? undefined : Buffer.from(value).toString());

async function mustPut(store: Store, key: string, text: string, expected?: Revision): Promise<Revision> {
  const result = await store.put(key, bytes(text), expected);
  assert.ok(result.ok, `put ${key}`);
  return result.revision;
}

async function take(count: number, batches: AsyncIterable<readonly StoreEvent[]>): Promise<StoreEvent[]> {
  const events: StoreEvent[] = [];
  for await (const batch of batches) {
    events.push(...batch);
    if (events.length >= count) break;
  }
  return events;
}

const brief = (events: readonly StoreEvent[]) =>
  events.map((event) => `${event.type} ${event.key} ${textOf(event.value)} @${event.revision}/${event.createRevision}`);

export function storeContract(name: string, open: OpenStore): void {
  const opened = () => open(new FakeClock());

  test(`${name}: put() raises the revision by exactly 1 and find() sees it`, async () => {
    await using store = await opened();
    const first = await mustPut(store, '/registry/pods/a', 'one', 0);
    const second = await mustPut(store, '/registry/pods/a', 'two', first);

    assert.equal(second, first + 1);
    const found = await store.find('/registry/pods/a');
    assert.deepEqual([textOf(found?.value), found?.createRevision, found?.modRevision], ['two', first, second]);
    assert.equal(textOf((await store.find('/registry/pods/a', first))?.value), 'one');
    assert.equal(await store.find('/registry/pods/b'), undefined);
  });

  test(`${name}: put() with a stale revision changes nothing and returns what is there`, async () => {
    await using store = await opened();
    const first = await mustPut(store, '/a', 'one', 0);
    await mustPut(store, '/a', 'two', first);

    const stale = await store.put('/a', bytes('three'), first);
    const exists = await store.put('/a', bytes('four'), 0);
    const absent = await store.put('/b', bytes('five'), 7);

    assert.deepEqual([stale.ok, exists.ok, absent.ok], [false, false, false]);
    assert.equal(!stale.ok && textOf(stale.current?.value), 'two');
    assert.equal(!absent.ok && absent.current, undefined);
    assert.equal(store.revision, first + 1);
  });

  test(`${name}: delete() compares, then the key is gone and can be created anew`, async () => {
    await using store = await opened();
    const first = await mustPut(store, '/a', 'one', 0);

    assert.equal((await store.delete('/a', first + 5)).ok, false);
    const deleted = await store.delete('/a', first);
    assert.equal(deleted.ok && deleted.revision, first + 1);
    assert.equal(await store.find('/a'), undefined);
    assert.equal((await store.delete('/a', undefined)).ok, false);
    const again = await mustPut(store, '/a', 'new', 0);
    assert.equal((await store.find('/a'))?.createRevision, again);
  });

  test(`${name}: of many writers with one expected revision exactly one wins`, async () => {
    await using store = await opened();
    const first = await mustPut(store, '/a', 'start', 0);

    const results = await Promise.all(Array.from({ length: 32 }, (_, index) => store.put('/a', bytes(`writer ${index}`), first)));

    assert.equal(results.filter((result) => result.ok).length, 1);
    assert.equal(store.revision, first + 1);
  });

  test(`${name}: range() pages in key order, at one revision, under its prefix only`, async () => {
    await using store = await opened();
    for (const key of ['/p/c', '/p/a', '/q/x', '/p/b', '/p/d']) await mustPut(store, key, key);
    const page = await store.range('/p/', { limit: 2 });
    await mustPut(store, '/p/bb', 'late');
    await store.delete('/p/d', undefined);

    const rest = await store.range('/p/', { limit: 2, revision: page.revision, after: page.items.at(-1)?.key ?? '' });
    const now = await store.range('/p/');

    assert.deepEqual([page.items.map((item) => item.key), page.more, page.count], [['/p/a', '/p/b'], true, 4]);
    assert.deepEqual([rest.items.map((item) => item.key), rest.more, rest.count], [['/p/c', '/p/d'], false, 2]);
    assert.deepEqual(
      now.items.map((item) => item.key),
      ['/p/a', '/p/b', '/p/bb', '/p/c'],
    );
  });

  test(`${name}: range() of a revision yet to come is refused`, async () => {
    await using store = await opened();
    await mustPut(store, '/a', 'one');

    await assert.rejects(store.range('/', { revision: 99 }), FutureRevisionError);
  });

  test(`${name}: watch() replays after a revision, then goes on live, in order, under its prefix only`, async (t) => {
    await using store = await opened();
    const first = await mustPut(store, '/p/a', '1');
    await mustPut(store, '/n/x', '1');
    await mustPut(store, '/p/a', '2');
    const taken = take(4, store.watch('/p/', first, t.signal));
    await settle();

    await mustPut(store, '/p/b', '3');
    await store.delete('/p/a', undefined);
    await mustPut(store, '/p/c', '4');

    assert.deepEqual(brief(await taken), [
      `put /p/a 2 @${first + 2}/${first}`,
      `put /p/b 3 @${first + 3}/${first + 3}`,
      `delete /p/a  @${first + 4}/${first}`,
      `put /p/c 4 @${first + 5}/${first + 5}`,
    ]);
  });

  test(`${name}: watch() ends when its signal aborts`, async () => {
    await using store = await opened();
    const abort = new AbortController();
    const taken = take(1, store.watch('/', 0, abort.signal));
    await settle();

    abort.abort();

    assert.deepEqual(await taken, []);
  });

  test(`${name}: compact() forgets history but no newest state`, async (t) => {
    await using store = await opened();
    const first = await mustPut(store, '/a', '1');
    await mustPut(store, '/a', '2');
    await mustPut(store, '/gone', 'x');
    await store.delete('/gone', undefined);
    const last = await mustPut(store, '/b', '3');

    await store.compact(last - 1);
    await store.compact(last);

    assert.deepEqual(
      (await store.range('/')).items.map((item) => textOf(item.value)),
      ['2', '3'],
    );
    await assert.rejects(store.find('/a', first), CompactedError);
    await assert.rejects(take(1, store.watch('/', first, t.signal)), CompactedError);
    assert.equal(await mustPut(store, '/c', '4'), last + 1);
    assert.equal((await take(1, store.watch('/', last, t.signal)))[0]?.key, '/c');
  });

  test(`${name}: a key with a TTL goes as a delete event when its time is up, and a put renews it`, async (t) => {
    const clock = new FakeClock();
    await using store = await open(clock);
    await store.put('/lease', bytes('1'), 0, { ttlSeconds: 10 });
    await clock.advance(8_000);
    const renewed = await store.put('/lease', bytes('2'), undefined, { ttlSeconds: 10 });
    assert.ok(renewed.ok);
    await clock.advance(8_000);
    assert.equal(textOf((await store.find('/lease'))?.value), '2');

    const taken = take(1, store.watch('/', renewed.revision, t.signal));
    await clock.advance(2_000);

    assert.deepEqual(brief(await taken), [`delete /lease  @${renewed.revision + 1}/1`]);
    assert.equal(await store.find('/lease'), undefined);
  });
}
