// SPDX-License-Identifier: Apache-2.0
// What was wrong before stays, if it has not changed; so for schemas and for rules.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ratchet } from './ratcheting.ts';
import { RuleEngine } from './rule-engine.ts';
import { ruleValidator } from './rule-validator.ts';
import type { SchemaProps } from './schema-props.ts';
import { valueValidator } from './value-validator.ts';

const text: SchemaProps = { type: 'string', maxLength: 2, 'x-kubernetes-validations': [{ rule: 'self.size() < 3' }] };
const SCHEMA: SchemaProps = {
  type: 'object',
  properties: {
    a: text,
    list: { type: 'array', items: text },
    map: {
      type: 'array',
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['k'],
      items: { type: 'object', required: ['k'], properties: { k: { type: 'string' }, v: text } },
    },
    other: { type: 'integer' },
  },
};

const CASES: readonly (readonly [fact: string, previous: object, next: object, left: readonly string[]])[] = [
  ['a field as it was', { a: 'long' }, { a: 'long', other: 1 }, []],
  ['a field that changed', { a: 'long' }, { a: 'longer' }, ['a']],
  ['items of a list as it was', { list: ['long'] }, { list: ['long'], other: 1 }, []],
  ['items of a list that changed, though they did not', { list: ['long'] }, { list: ['long', 'b'] }, ['list[0]']],
  ['items with a key, wherever they are now', { map: [{ k: 'x', v: 'long' }] }, { map: [{ k: 'y' }, { k: 'x', v: 'long' }] }, []],
  ['an item with a key that changed', { map: [{ k: 'x', v: 'long' }] }, { map: [{ k: 'x', v: 'longer' }] }, ['map[0].v']],
];

for (const [fact, previous, next, left] of CASES) {
  test(`ratchet(): ${fact}`, () => {
    const causes = ratchet(valueValidator(SCHEMA).validate(next), next, previous, SCHEMA);

    assert.deepEqual(
      causes.map(({ field }) => field),
      left,
    );
  });

  test(`rules are ratcheted alike, into warnings: ${fact}`, async () => {
    const engine = new RuleEngine();
    await engine.load();
    const warnings: string[] = [];
    const validator = ruleValidator(SCHEMA, engine, false);

    const causes = validator?.validate(next, previous, (warning) => warnings.push(warning)) ?? [];

    assert.deepEqual(
      causes.map(({ field }) => field),
      left,
    );
    assert.equal(warnings.length + causes.length, 1);
  });
}
