// SPDX-License-Identifier: Apache-2.0
// What was wrong before stays, if it has not changed; so for schemas and for rules.
import assert from 'node:assert/strict';
import { test } from 'node:test';
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
    shorter: {
      type: 'array',
      maxItems: 1,
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['k'],
      items: { type: 'object', required: ['k'], properties: { k: { type: 'string' } } },
    },
    open: { type: 'object', maxProperties: 1, 'x-kubernetes-preserve-unknown-fields': true, properties: { k: { type: 'string' } } },
    logic: { type: 'object', properties: { k: { type: 'string' } }, allOf: [{ properties: { k: { maxLength: 1 } } }] },
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

/** What rules have no counterpart for. */
const OF_SCHEMAS: typeof CASES = [
  ['items with keys in another order', { shorter: [{ k: 'a' }, { k: 'b' }] }, { shorter: [{ k: 'b' }, { k: 'a' }] }, []],
  ['an item with another key', { shorter: [{ k: 'a' }, { k: 'b' }] }, { shorter: [{ k: 'a' }, { k: 'c' }] }, ['shorter']],
  ['an object with members that are not declared', { open: { k: 'a', z: 1 } }, { open: { k: 'a', z: 1 }, other: 1 }, ['open']],
  ['logic over what is as it was', { logic: { k: 'ab' } }, { logic: { k: 'ab' }, other: 1 }, []],
];

for (const [fact, previous, next, left] of OF_SCHEMAS) {
  test(`validateUpdate() of ${fact}`, () => {
    const causes = valueValidator(SCHEMA).validateUpdate(next, previous);

    assert.deepEqual(
      causes.map(({ field }) => field),
      left,
    );
  });
}

test('validateUpdate() holds a fault that logic finds against the whole object that changed', () => {
  const schema: SchemaProps = {
    type: 'object',
    properties: { k: { type: 'string' }, n: { type: 'integer' } },
    allOf: [{ properties: { k: { maxLength: 1 } } }],
  };

  const causes = valueValidator(schema).validateUpdate({ k: 'ab', n: 2 }, { k: 'ab', n: 1 });

  assert.deepEqual(
    causes.map(({ field }) => field),
    ['k', '<nil>'],
  );
});

test('validateUpdate() does not let what an object is pass', () => {
  const schema: SchemaProps = { type: 'object', properties: { kind: { type: 'string', maxLength: 1 }, a: { type: 'object' } } };

  const causes = valueValidator(schema).validateUpdate({ kind: 'ab', a: {} }, { kind: 'ab', b: {} });

  assert.deepEqual(
    causes.map(({ field }) => field),
    ['kind'],
  );
});

for (const [fact, previous, next, left] of CASES) {
  test(`validateUpdate() lets pass: ${fact}`, () => {
    const causes = valueValidator(SCHEMA).validateUpdate(next, previous);

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
