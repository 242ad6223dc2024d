// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CachedObject } from './cached-object.ts';
import { type CacheEvent, ResourceCache } from './resource-cache.ts';
import { WatchChannel } from './watch-channel.ts';

const ANY = { namespace: '', name: '', nodeName: '' };
const at = (revision: number, app: string | undefined, key = 'default/a') =>
  new CachedObject(key, revision, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'a', labels: app === undefined ? {} : { app } },
  } as never);
const wantsX = ({ object }: CachedObject) => object.metadata.labels?.['app'] === 'x';

const cases: readonly (readonly [string, CacheEvent['type'], string | undefined, string | undefined, string | undefined])[] = [
  ['an object that appears within the selection', 'put', undefined, 'x', 'ADDED'],
  ['one that comes into it', 'put', 'y', 'x', 'ADDED'],
  ['one that stays', 'put', 'x', 'x', 'MODIFIED'],
  ['one that leaves it', 'put', 'x', 'y', 'DELETED'],
  ['one that was never in it', 'put', 'y', 'z', undefined],
  ['one deleted from within', 'delete', 'x', 'x', 'DELETED'],
  ['one deleted from without', 'delete', 'y', 'y', undefined],
];
for (const [what, type, before, after, expected] of cases) {
  test(`${what} is ${expected ?? 'not seen'}`, () => {
    const channel = new WatchChannel(ANY, wantsX);
    const previous = before === undefined ? undefined : at(1, before);

    const item = channel.judge({ type, revision: 2, current: at(2, after), previous });

    assert.equal(item?.type, expected);
    if (item !== undefined) assert.equal(item.object.revision, 2);
  });
}

test('a reader that falls too far behind is ended', async () => {
  const channel = new WatchChannel(ANY, () => true);
  for (let n = 1; n <= 20_001; n++) channel.offer({ type: 'put', revision: n, current: at(n, 'x'), previous: undefined });

  assert.ok(channel.overflowed);
  assert.ok(channel.closed);
});

test('a watcher of one node sees a Pod come and go, and none of the others', async () => {
  const cache = new ResourceCache(0);
  const pod = (revision: number, nodeName: string, key: string) =>
    new CachedObject(key, revision, { metadata: { name: key }, spec: { nodeName } } as never);
  const channel = new WatchChannel(
    { ...ANY, nodeName: 'n1' },
    ({ object }) => (object as { spec?: { nodeName?: string } }).spec?.nodeName === 'n1',
  );
  using _subscription = cache.subscribe(channel);

  cache.apply({ type: 'put', revision: 1, current: pod(1, 'n1', 'default/p'), previous: undefined });
  cache.apply({ type: 'put', revision: 2, current: pod(2, 'n2', 'default/q'), previous: undefined });
  cache.apply({ type: 'put', revision: 3, current: pod(3, 'n2', 'default/p'), previous: pod(1, 'n1', 'default/p') });

  assert.deepEqual(
    (await channel.take()).map(({ type, object }) => `${type} ${object.key}`),
    ['ADDED default/p', 'DELETED default/p'],
  );
});
