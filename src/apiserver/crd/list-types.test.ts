// SPDX-License-Identifier: Apache-2.0
// Lists without repetition, and embedded objects: what is said of which item.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { listTypeCauses } from './list-types.ts';
import { embeddedCauses } from './object-meta.ts';
import type { SchemaProps } from './schema-props.ts';

const list = (type: 'set' | 'map', ...keys: string[]): SchemaProps => ({
  type: 'object',
  properties: { l: { type: 'array', 'x-kubernetes-list-type': type, 'x-kubernetes-list-map-keys': keys, items: { type: 'object' } } },
});

const LISTS: readonly (readonly [fact: string, schema: SchemaProps, value: readonly unknown[], causes: readonly string[]])[] = [
  ['a value is reported once, at its second place', list('set'), ['a', 'a', 'a', 'b'], ['l[1] Duplicate value: "a"']],
  ['types tell values apart', list('set'), [1, '1', true, null], []],
  ['null is a value', list('set'), [null, null], ['l[1] Duplicate value: null']],
  [
    'objects are equal in any order of their members',
    list('set'),
    [
      { a: 1, b: 2 },
      { b: 2, a: 1 },
    ],
    ['l[1] Duplicate value: {"a":1,"b":2}'],
  ],
  [
    'keys count, not the rest',
    list('map', 'k'),
    [
      { k: 1, x: 1 },
      { k: 1, x: 2 },
    ],
    ['l[1] Duplicate value: {"k":1}'],
  ],
  ['items without the key are alike', list('map', 'k'), [{}, null], ['l[1] Duplicate value: {}']],
  [
    'all keys together count',
    list('map', 'k', 'n'),
    [
      { k: 1, n: 1 },
      { k: 1, n: 2 },
    ],
    [],
  ],
  [
    'the first item that is no object is the only one told of',
    list('map', 'k'),
    [{ k: 1 }, 'x', { k: 1 }, 2],
    ['l[1] Invalid value: "x": must be an object for an array of list-type map'],
  ],
];

for (const [fact, schema, value, expected] of LISTS) {
  test(`listTypeCauses(): ${fact}`, () => {
    const causes = listTypeCauses({ l: value }, schema);

    assert.deepEqual(
      causes.map(({ field, message }) => `${field} ${message}`),
      expected,
    );
  });
}

const EMBEDDED: SchemaProps = { type: 'object', properties: { e: { type: 'object', 'x-kubernetes-embedded-resource': true } } };
const whole = { apiVersion: 'v1', kind: 'K' };

for (const [fact, value, expected] of [
  ['both names of the kind are needed', {}, ['e.apiVersion FieldValueRequired', 'e.kind FieldValueRequired']],
  [
    'they may not be empty',
    { apiVersion: '', kind: '' },
    ['e.apiVersion Invalid value: "": must not be empty', 'e.kind Invalid value: "": must not be empty'],
  ],
  ['they are texts', { apiVersion: 1, kind: 'K' }, ['e.apiVersion Invalid value: 1: must be a string']],
  ['a name may be any segment of a path', { ...whole, metadata: { name: 'Any_Name' } }, []],
  ['a name is one segment', { ...whole, metadata: { name: 'a/b' } }, [`e.metadata.name Invalid value: "a/b": may not contain '/'`]],
  ['a kind may have upper case', { ...whole, kind: 'KiteRing' }, []],
] as const) {
  test(`embeddedCauses(): ${fact}`, () => {
    const causes = embeddedCauses({ e: value }, EMBEDDED);

    assert.deepEqual(
      causes.map(({ field, message, reason }) => `${field} ${reason === 'FieldValueRequired' ? reason : message}`),
      expected,
    );
  });
}

test('embeddedCauses() says how a kind may be written', () => {
  const [cause] = embeddedCauses({ e: { ...whole, kind: 'a_b' } }, EMBEDDED);

  assert.match(cause?.message ?? '', /^Invalid value: "a_b": may have mixed case, but should otherwise match: a DNS-1035 label must/);
});
