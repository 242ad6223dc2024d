// SPDX-License-Identifier: Apache-2.0
// What is kept of encoded lists and frames never shows: the bytes are those of a first encoding, whatever was asked before.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CachedObject } from '../cacher/cached-object.ts';
import type { ServedResource } from '../registry/generic/served-resource.ts';
import type { MutableObject } from '../registry/strategy.ts';
import { encodeList } from './encoder.ts';
import { JSON_OUTPUT } from './negotiation.ts';

const served = {
  head: '{"kind":"ConfigMap","apiVersion":"v1",',
  listHead: '{"kind":"ConfigMapList","apiVersion":"v1","metadata":',
  itemsHaveKind: false,
  convert: undefined,
} as unknown as ServedResource;

function object(name: string): CachedObject {
  const value = { kind: 'ConfigMap', apiVersion: 'v1', metadata: { name, resourceVersion: '1' }, data: { text: 'é'.repeat(100_000) } };
  return new CachedObject(name, 1, value as unknown as MutableObject);
}

function listed(items: readonly CachedObject[], resourceVersion: string): unknown {
  const result = {
    type: 'list' as const,
    items,
    resourceVersion,
    continue: '',
    remainingItemCount: undefined,
    served,
    output: JSON_OUTPUT,
    query: new URLSearchParams(),
  };
  const chunks = [...encodeList(result, 0)].map((chunk) => (typeof chunk === 'string' ? Buffer.from(chunk) : chunk));
  return JSON.parse(Buffer.concat(chunks).toString());
}

const wanted = (items: readonly CachedObject[], resourceVersion: string) => ({
  kind: 'ConfigMapList',
  apiVersion: 'v1',
  metadata: { resourceVersion },
  items: items.map(({ object: { metadata, ...rest } }) => ({ metadata, data: rest['data'] })),
});

test('encodeList() gives the same items each time, with the revision of the time', () => {
  const items = [object('a'), object('b'), object('c'), object('d')];

  for (const revision of ['1', '2', '3', '4']) assert.deepEqual(listed(items, revision), wanted(items, revision));
});

test('encodeList() of an array that replaces another shows what changed', () => {
  const before = [object('a'), object('b')];
  const after = [object('a'), object('c')];

  for (const revision of ['1', '2', '3']) listed(before, revision);

  assert.deepEqual(listed(after, '4'), wanted(after, '4'));
  assert.deepEqual(listed([], '5'), wanted([], '5'));
});

test('frame() is shared by those who ask for the same, and another for others', () => {
  const cached = object('a');

  const added = cached.frame('{"type":"ADDED","object":{');
  const again = cached.frame('{"type":"ADDED","object":{');
  const modified = cached.frame('{"type":"MODIFIED","object":{');

  assert.equal(added, again);
  assert.deepEqual((JSON.parse(modified.toString()) as { type: string }).type, 'MODIFIED');
});
