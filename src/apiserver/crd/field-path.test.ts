// SPDX-License-Identifier: Apache-2.0
// Paths into schemas: what they find, and what is said of those that find nothing.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FieldPathError, findField } from './field-path.ts';
import type { SchemaProps } from './schema-props.ts';

const SCHEMA: SchemaProps = {
  type: 'object',
  properties: {
    spec: { type: 'object', properties: { size: { type: 'integer' }, 'a.b': { type: 'string' }, "it's": { type: 'string' } } },
    map: { type: 'object', additionalProperties: { type: 'string' } },
    list: { type: 'array', items: { type: 'string' } },
  },
};

for (const [text, path, type] of [
  ['.spec.size', 'spec.size', 'integer'],
  [".spec['a.b']", 'spec.a.b', 'string'],
  [".spec['it\\'s']", "spec.it's", 'string'],
  ['.map.any', 'map[any]', 'string'],
  [".map['x.y']", 'map[x.y]', 'string'],
] as const) {
  test(`findField() finds ${text}`, () => {
    const found = findField(text, SCHEMA);

    assert.equal(String(found.path), path);
    assert.equal(found.schema.type, type);
  });
}

for (const [text, why] of [
  ['spec', 'expected [ or . but got: spec'],
  ['.', 'unexpected end of JSON path'],
  ['.spec[', 'unexpected end of JSON path'],
  [".spec['size'", 'unexpected end of JSON path'],
  ['.list[0]', 'expected single quoted string but got 0'],
  ['.spec["size"]', 'expected single quoted string but got "size"'],
  [".spec['size'.x", 'expected ] but got .'],
  [".spec['\\q']", 'invalid string literal: invalid escape char \\q'],
  ['.spec.none', 'does not refer to a valid field'],
  ['.list.x', 'does not refer to a valid field'],
] as const) {
  test(`findField() refuses ${text}`, () => {
    assert.throws(() => findField(text, SCHEMA), new FieldPathError(why));
  });
}

test('findField() takes no brackets where they are not allowed', () => {
  assert.throws(() => findField(".spec['size']", SCHEMA, { brackets: false }), new FieldPathError('array notation is not allowed'));
});

test('findField() finds or refuses whatever it is given', () => {
  const parts = fc.constantFrom('.', '[', ']', "'", '\\', 'spec', 'size', 'map', 'x');
  fc.assert(
    fc.property(
      fc.array(parts).map((some) => some.join('')),
      (text) => {
        try {
          findField(text, SCHEMA);
        } catch (error) {
          assert.ok(error instanceof FieldPathError);
        }
      },
    ),
  );
});
