// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { list, map, number, root, struct, text, truth } from './_flows.ts';
import { findTypeProblem } from './mod.ts';

const item = struct({ key: text, id: number, pairs: map(text) });
const schema = root({ text, number, truth, set: list(text, 'set'), items: list(item, 'map', ['key', 'id']), plain: list(text) });

const rows: readonly (readonly [value: object, problem: string | undefined])[] = [
  [{ text: null, number: null, set: null, items: null }, undefined],
  [{ items: [{ key: 'a', id: 1 }, { key: 'a', id: 2 }, { key: 'b' }], plain: ['a', 'a'] }, undefined],
  [{ text: 5 }, '.text: expected string, got &value.valueUnstructured{Value:5}'],
  [{ text: [null, true] }, '.text: expected string, got &value.valueUnstructured{Value:[]interface {}{interface {}(nil), true}}'],
  [{ number: 'x' }, '.number: expected numeric (int or float), got string'],
  [{ number: {} }, '.number: expected numeric (int or float), got map[string]interface {}'],
  [{ truth: 'x' }, '.truth: expected boolean, got &{x}'],
  [{ set: { a: 1 } }, '.set: expected list, got &{map[a:1]}'],
  [{ items: [{ key: 'a', pairs: [1] }] }, '.items[key="a"].pairs: expected map, got &{[1]}'],
  [{ set: [null] }, ".set: element 0: associative list without keys has an element that's an explicit null"],
  [{ set: ['a', {}] }, ".set: element 1: associative list without keys has an element that's a map type"],
  [{ set: [[]] }, '.set: element 0: not supported: associative list with lists as elements'],
  [{ items: [null] }, '.items: element 0: associative list with keys may not have a null element'],
  [{ items: ['x'] }, '.items: element 0: associative list with keys may not have non-map elements'],
  [
    { items: [{}] },
    `.items: element 0: associative list with keys has an element that omits all key fields ["key" "id"] (and doesn't have default values for any key fields)`,
  ],
  [{ set: ['a', 'a'] }, '.set: duplicate entries for key [="a"]'],
  [
    { set: ['a', 'a', 'a'], text: 1 },
    [
      'errors:',
      '  .set: duplicate entries for key [="a"]',
      '  .set: duplicate entries for key [="a"]',
      '  .text: expected string, got &value.valueUnstructured{Value:1}',
    ].join('\n'),
  ],
  [{ nope: 1, text: 5 }, '.nope: field not declared in schema'],
];

for (const [value, problem] of rows)
  test(`findTypeProblem() of ${JSON.stringify(value)}`, () => {
    assert.equal(findTypeProblem(value, schema, ''), problem);
  });

test('findTypeProblem() lets stored objects have items twice', () => {
  const twice = { set: ['a', 'a'], items: [{ key: 'a' }, { key: 'a' }] };

  assert.equal(findTypeProblem(twice, schema, '', { allowDuplicates: true }), undefined);
});
