// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findTypeProblem } from '#machinery';
import { customSchema } from './custom-schema.ts';
import type { SchemaProps } from './schema-props.ts';

const KEEP = 'x-kubernetes-preserve-unknown-fields';
const schema = customSchema({ group: 'g', version: 'v1', kind: 'K' }, {
  type: 'object',
  properties: {
    closed: { type: 'object', properties: { a: { type: 'string' } } },
    bare: { type: 'object' },
    open: { type: 'object', [KEEP]: true, properties: { inner: { type: 'object', properties: { a: { type: 'string' } } } } },
    list: { type: 'array', items: { type: 'object', properties: { a: { type: 'integer' } } } },
    when: { type: 'string', format: 'date-time' },
    bytes: { type: 'string', format: 'byte' },
  },
} as SchemaProps);

const rows: readonly (readonly [value: object, problem: string | undefined])[] = [
  [{ closed: { b: 1 } }, '.closed.b: field not declared in schema'],
  [{ unknown: 1 }, '.unknown: field not declared in schema'],
  [{ bare: { b: { c: 1 } } }, undefined],
  [{ open: { b: 1, inner: { c: [1] } } }, undefined],
  [{ open: { inner: { a: 1 } } }, '.open.inner.a: expected string, got &value.valueUnstructured{Value:1}'],
  [{ list: [{ b: 1 }] }, '.list[0].b: field not declared in schema'],
  [{ when: 5 }, undefined],
  [{ when: [] }, '.when: expected any scalar, got &{[]}'],
  [{ bytes: 5 }, '.bytes: expected string, got &value.valueUnstructured{Value:5}'],
];

for (const [value, problem] of rows)
  test(`an applied custom object: ${JSON.stringify(value)}`, () => {
    assert.equal(findTypeProblem(value, schema, ''), problem);
  });
