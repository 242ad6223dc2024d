// SPDX-License-Identifier: Apache-2.0
// What keeps a schema from being structural: one rule per row.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FieldPath } from '#machinery';
import type { SchemaProps } from './schema-props.ts';
import { hasUnsupportedParts, structuralCauses } from './structural-validation.ts';

const object = (more: object = {}): SchemaProps => ({ type: 'object', ...more });
const withField = (more: object): SchemaProps => object({ properties: { a: { type: 'object', ...more } } });

const CASES: readonly (readonly [fact: string, schema: SchemaProps, causes: readonly string[]])[] = [
  [
    'a field that only logic names is missing',
    object({ anyOf: [{ properties: { a: {} } }] }),
    ['s.properties[a] Required value: because it is defined in s.anyOf[0].properties[a]'],
  ],
  [
    'a field that both name is complete',
    object({ properties: { a: { type: 'string' } }, not: { properties: { a: { pattern: 'x' } } } }),
    [],
  ],
  [
    'items that only logic names are missing',
    object({
      properties: { l: { 'x-kubernetes-preserve-unknown-fields': true } },
      allOf: [{ properties: { l: { items: { minLength: 1 } } } }],
    }),
    ['s.properties[l].items Required value: because it is defined in s.allOf[0].properties[l].items'],
  ],
  [
    'logic within logic is followed',
    object({ oneOf: [{ not: { properties: { a: {} } } }] }),
    ['s.properties[a] Required value: because it is defined in s.oneOf[0].not.properties[a]'],
  ],
  ['logic below the root is not asked', withField({ anyOf: [{ properties: { b: {} } }] }), []],
  [
    'logic has no map type',
    withField({ not: { 'x-kubernetes-map-type': 'atomic' } }),
    ['s.properties[a].not.x-kubernetes-map-type Forbidden: must be undefined to be structural'],
  ],
  [
    'logic has no rules',
    withField({ not: { 'x-kubernetes-validations': [{ rule: 'true' }] } }),
    ['s.properties[a].not.x-kubernetes-validations Forbidden: must be empty to be structural'],
  ],
  ['logic may rule out other fields', withField({ not: { additionalProperties: false } }), []],
  [
    'logic has no schema for other fields',
    withField({ not: { additionalProperties: true } }),
    ['s.properties[a].not.additionalProperties Forbidden: must be undefined to be structural'],
  ],
];

for (const [fact, schema, expected] of CASES) {
  test(`structuralCauses(): ${fact}`, () => {
    const causes = structuralCauses(schema, new FieldPath('s'));

    assert.deepEqual(
      causes.map(({ field, message }) => `${field} ${message}`),
      expected,
    );
  });
}

test('hasUnsupportedParts() knows what the structural form cannot hold, at any depth', () => {
  const unsupported: readonly object[] = [
    { $ref: 'x' },
    { id: 'x' },
    { $schema: 'x' },
    { additionalItems: true },
    { 'x-kubernetes-preserve-unknown-fields': false },
  ];
  const supported: readonly object[] = [{ uniqueItems: true }, { items: [] }, { 'x-kubernetes-preserve-unknown-fields': true }, {}];

  assert.deepEqual(
    unsupported.map((part) => hasUnsupportedParts(withField(part))),
    unsupported.map(() => true),
  );
  assert.deepEqual(
    supported.map((part) => hasUnsupportedParts(withField(part))),
    supported.map(() => false),
  );
});
