// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type SchemaFacts, SchemaRegistry, type StructSchema } from './schema.ts';
import { emptyToNull } from './stored-form.ts';

const facts: SchemaFacts = {
  'x.Root': {
    fields: [
      { name: 'always', type: '[]string' },
      { name: 'omitted', type: '[]string', omit: 'omitempty' },
      { name: 'inner', type: 'x.Inner', omit: 'omitempty', pointer: true },
      { name: 'list', type: '[]x.Inner', omit: 'omitempty' },
      { name: 'self', type: 'x.Root', omit: 'omitempty', pointer: true },
    ],
  },
  'x.Inner': {
    fields: [
      { name: 'rules', type: '[]string' },
      { name: 'labels', type: 'map[string]string' },
    ],
  },
};
const schema = new SchemaRegistry(facts).get('x.Root') as StructSchema;

test('empty lists and maps that are always printed become null, at any depth; all else stays', () => {
  const object = { always: [], omitted: [], inner: { rules: [], labels: {} }, list: [{ rules: ['a'] }, { rules: [] }] };

  emptyToNull(object, schema);

  assert.deepEqual(object, { always: null, omitted: [], inner: { rules: null, labels: null }, list: [{ rules: ['a'] }, { rules: null }] });
});
