// SPDX-License-Identifier: Apache-2.0
// Item by item, the bytes are those of the whole encoded at once.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findSchema } from '#api';
import { encodeProtobuf, formatYaml } from '#machinery';
import { CachedObject } from '../cacher/cached-object.ts';
import type { MutableObject } from '../registry/strategy.ts';
import { encodeByItem, type ListForm } from './list-form.ts';
import { JSON_OUTPUT, type Output } from './negotiation.ts';

/** More than a chunk, more than a turn of counting; with what YAML and indenting could trip over. */
function objects(count: number): CachedObject[] {
  return Array.from({ length: count }, (_, index) => {
    const data = { text: `line ${index}\nnext: []\n\n  items: []\n`, é: '日本 '.repeat(50), empty: '', list: '[]\n}\n' };
    const value = { metadata: { name: `m-${index}`, labels: {} }, data };
    return new CachedObject(`m-${index}`, 1, value as unknown as MutableObject);
  });
}

function formOf(count: number, member: 'items' | 'rows' = 'items'): ListForm {
  const columns = member === 'rows' ? { columnDefinitions: [{ name: 'A', description: 'x\nrows: []\n' }] } : {};
  return {
    head: { kind: 'ConfigMapList', apiVersion: 'v1', metadata: { resourceVersion: '7' }, ...columns },
    member,
    items: objects(count),
    itemOf: ({ object }) => object,
    whenEmpty: [],
    schema: findSchema({ group: '', version: 'v1', kind: 'ConfigMapList' }),
  };
}

const whole = ({ head, member, items, itemOf }: ListForm) => ({ ...head, [member]: items.map(itemOf) });
const bytesOf = (form: ListForm, output: Output) =>
  Buffer.concat([...encodeByItem(form, output)].map((chunk) => (typeof chunk === 'string' ? Buffer.from(chunk) : chunk))).toString(
    'latin1',
  );
const latin1 = (text: string) => Buffer.from(text).toString('latin1');

for (const count of [0, 1, 2, 3_000]) {
  for (const member of ['items', 'rows'] as const) {
    const form = formOf(count, member);

    test(`${count} ${member} are the same JSON in chunks`, () => {
      assert.equal(bytesOf(form, JSON_OUTPUT), latin1(`${JSON.stringify(whole(form))}\n`));
      assert.equal(bytesOf(form, { ...JSON_OUTPUT, pretty: true }), latin1(`${JSON.stringify(whole(form), undefined, 2)}\n`));
    });
  }

  test(`${count} items are the same YAML and protobuf in chunks`, () => {
    const form = formOf(Math.min(count, 100));
    const large = formOf(count);
    assert.ok(large.schema);

    assert.equal(bytesOf(form, { ...JSON_OUTPUT, mediaType: 'yaml' }), latin1(formatYaml(whole(form))));
    const wanted = encodeProtobuf(whole(large), large.schema).toString('latin1');
    assert.equal(bytesOf(large, { ...JSON_OUTPUT, mediaType: 'protobuf' }), wanted);
  });
}

test('no items are null where the type says so', () => {
  const form: ListForm = { ...formOf(0), whenEmpty: null };

  assert.match(bytesOf(form, JSON_OUTPUT), /"items":null\}\n$/);
  assert.match(bytesOf(form, { ...JSON_OUTPUT, mediaType: 'yaml' }), /^items: null$/m);
});

test('no chunk is much larger than the others, however long the list', () => {
  const form = formOf(3_000);

  for (const mediaType of ['json', 'protobuf'] as const) {
    const sizes = [...encodeByItem(form, { ...JSON_OUTPUT, mediaType })].map(({ length }) => length);
    assert.ok(sizes.length > 3 && Math.max(...sizes) < 300 * 1024, `${mediaType}: ${sizes.join(' ')}`);
  }
});
