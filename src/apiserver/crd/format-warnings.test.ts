// SPDX-License-Identifier: Apache-2.0
// Formats of texts that nobody checks are told of where they are new.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { definitionOf } from './_kites.ts';
import { formatWarnings } from './format-warnings.ts';
import type { SchemaProps } from './schema-props.ts';
import type { Definition } from './served-definition.ts';

const withSpec = (properties: Readonly<Record<string, SchemaProps>>) =>
  definitionOf({ spec: { type: 'object', properties } }) as unknown as Definition;

const CASES: readonly (readonly [fact: string, schema: SchemaProps, warnings: readonly string[]])[] = [
  ['a known format', { type: 'string', format: 'date-time' }, []],
  ['a name of Kubernetes', { type: 'string', format: 'k8s-short-name' }, []],
  ['an unknown format', { type: 'string', format: 'odd' }, ['unrecognized format "odd"']],
  ['an unknown format of a number', { type: 'integer', format: 'odd' }, []],
  ['an unknown format without a type', { format: 'odd', 'x-kubernetes-preserve-unknown-fields': true }, []],
  ['an unknown format of items', { type: 'array', items: { type: 'string', format: 'odd' } }, ['unrecognized format "odd"']],
];

for (const [fact, schema, warnings] of CASES) {
  test(`formatWarnings() of ${fact}`, () => {
    assert.deepEqual(formatWarnings(withSpec({ a: schema }), undefined), warnings);
  });
}

test('formatWarnings() lets be what was there before', () => {
  const before = { a: { type: 'string', format: 'odd' } } as const;

  const warnings = formatWarnings(withSpec({ ...before, b: { type: 'string', format: 'new' } }), withSpec(before));

  assert.deepEqual(warnings, ['unrecognized format "new"']);
});
