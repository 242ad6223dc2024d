// SPDX-License-Identifier: Apache-2.0
// Pruning and defaulting: examples, and what holds for every value and schema.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DecodeError } from '#machinery';
import { dropForbiddenNulls, fillDefaults } from './defaulting.ts';
import { prune } from './pruning.ts';
import type { SchemaProps } from './schema-props.ts';

const SCHEMA: SchemaProps = {
  type: 'object',
  properties: {
    keep: { type: 'string' },
    list: { type: 'array', items: { type: 'object', properties: { a: { type: 'integer' } } } },
    open: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true, properties: { known: { type: 'object', properties: {} } } },
    map: { type: 'object', additionalProperties: { type: 'object', properties: { x: { type: 'integer' } } } },
    any: { 'x-kubernetes-preserve-unknown-fields': true },
  },
};

test('prune() leaves out what is not specified, and tells where it was', () => {
  const unknown: string[] = [];
  const value = {
    metadata: { name: 'm', odd: 1 },
    keep: 'k',
    drop: 1,
    list: [{ a: 1, b: 2 }],
    open: { free: { deep: 1 }, known: { gone: 1 } },
    map: { one: { x: 1, y: 2 } },
    any: [{ three: 3 }],
  };

  const pruned = prune(value, SCHEMA, true, unknown);

  assert.deepEqual(pruned, {
    metadata: { name: 'm', odd: 1 },
    keep: 'k',
    list: [{ a: 1 }],
    open: { free: { deep: 1 }, known: {} },
    map: { one: { x: 1 } },
    any: [{ three: 3 }],
  });
  assert.deepEqual(unknown, ['drop', 'list[0].b', 'map.one.y', 'open.known.gone']);
});

test('prune() refuses what is nested too deeply to walk', () => {
  let value: unknown = 1;
  for (let depth = 0; depth < 5_000; depth++) value = [value];

  assert.throws(() => prune({ any: value }, SCHEMA, true), DecodeError);
});

test('prune() changes nothing that it is given, and nothing twice', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.constantFrom('keep', 'drop', 'list', 'open', 'map', 'any', '__proto__'), fc.jsonValue()), (value) => {
      const before = JSON.stringify(value);
      const once = prune(value, SCHEMA, false);
      assert.equal(JSON.stringify(value), before);
      assert.deepEqual(prune(once, SCHEMA, false), once);
    }),
  );
});

const DEFAULTS: SchemaProps = {
  type: 'object',
  properties: {
    a: { type: 'string', default: 'A' },
    o: { type: 'object', default: {}, properties: { x: { type: 'boolean', default: true } } },
    n: { type: 'string', nullable: true, default: 'N' },
    plain: { type: 'string' },
    l: { type: 'array', items: { type: 'object', properties: { v: { type: 'integer', default: 1 } } } },
    m: { type: 'object', additionalProperties: { type: 'object', properties: { d: { type: 'string', default: 'D' } } } },
  },
};

test('fillDefaults() fills what is missing at every depth, and nulls where none may be', () => {
  const value = { a: null, n: null, plain: null, l: [{}, { v: 0 }], m: { p: {} } };

  fillDefaults(value, DEFAULTS);
  dropForbiddenNulls(value, DEFAULTS);

  assert.deepEqual(value, { a: 'A', n: null, o: { x: true }, l: [{ v: 1 }, { v: 0 }], m: { p: { d: 'D' } } });
});

test('fillDefaults() is done after once', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.constantFrom('a', 'o', 'n', 'l', 'm', 'plain'), fc.jsonValue()), (value) => {
      fillDefaults(value, DEFAULTS);
      const once = JSON.stringify(value);
      fillDefaults(value, DEFAULTS);
      assert.equal(JSON.stringify(value), once);
    }),
  );
});

const OPEN = { 'x-kubernetes-preserve-unknown-fields': true };

for (const [fact, schema, value, expected] of [
  ['members of a map without a schema stay, and lose their own', { additionalProperties: true }, { a: { b: 1 }, c: 2 }, { a: {}, c: 2 }],
  ['so they do where other members are ruled out, for validation to refuse', { additionalProperties: false }, { a: 1 }, { a: 1 }],
  [
    'an open object does not open the values of its map',
    { ...OPEN, additionalProperties: { properties: { x: {} } } },
    { a: { x: 1, y: 2 } },
    { a: { x: 1 } },
  ],
  ['an open list opens its items', { ...OPEN, items: { properties: { x: {} } } }, [{ x: { deep: 1 }, y: 2 }], [{ x: {}, y: 2 }]],
  ['an open list of lists opens theirs', { ...OPEN, items: { items: { properties: {} } } }, [[{ y: 2 }]], [[{ y: 2 }]]],
] as readonly (readonly [string, SchemaProps, unknown, unknown])[]) {
  test(`prune(): ${fact}`, () => {
    assert.deepEqual(prune(value, schema, false), expected);
  });
}
