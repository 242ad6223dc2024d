// SPDX-License-Identifier: Apache-2.0
// Values against schemas: what is said of each fault, and that nothing a client sends can make the validator fail.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { SchemaProps } from './schema-props.ts';
import { valueValidator } from './value-validator.ts';

const CASES: readonly (readonly [name: string, schema: SchemaProps, value: unknown, causes: readonly string[]])[] = [
  ['a wrong type', { type: 'integer' }, 'x', ['a Invalid value: "string": a in body must be of type integer: "string"']],
  [
    'a fraction for an integer',
    { type: 'integer' },
    1.5,
    [
      'a Invalid value: "number": a in body must be of type integer: "number"',
      '<nil> Invalid value: "": Checked value must be of type integer (default format) in a',
    ],
  ],
  ['a whole number for a number', { type: 'number' }, 3, []],
  ['null', { type: 'string' }, null, ['a Invalid value: "null": a in body must be of type string: "null"']],
  ['null where it may be', { type: 'string', nullable: true }, null, []],
  ['null for an enum', { type: 'string', nullable: true, enum: ['a'] }, null, ['a Unsupported value: null: supported values: "a"']],
  [
    'an object for an enum, its members in order',
    { enum: [{ b: 1, a: 2 }] },
    { d: 1, c: 2 },
    ['a Unsupported value: {"c":2,"d":1}: supported values: "{\\"a\\":2,\\"b\\":1}"'],
  ],
  ['an enum', { enum: ['on', 2] }, 'x', ['a Unsupported value: "x": supported values: "on", "2"']],
  ['a minimum', { type: 'integer', minimum: 2 }, 1, ['a Invalid value: 1: a in body should be greater than or equal to 2']],
  [
    'an exclusive maximum',
    { type: 'integer', maximum: 2, exclusiveMaximum: true },
    2,
    ['a Invalid value: 2: a in body should be less than 2'],
  ],
  ['a multiple', { type: 'integer', multipleOf: 5 }, 7, ['a Invalid value: 7: a in body should be a multiple of 5']],
  ['a length in characters, not bytes', { type: 'string', maxLength: 2 }, 'äö', []],
  ['a pattern anywhere in the text', { type: 'string', pattern: 'b+' }, 'abba', []],
  ['a format', { type: 'string', format: 'date-time' }, 'now', ['a Invalid value: "now": a in body must be of type date-time: "now"']],
  ['a format that nobody knows', { type: 'string', format: 'odd' }, 'x', []],
  [
    'an integer or a string',
    { 'x-kubernetes-int-or-string': true },
    true,
    ['a Invalid value: "boolean": a in body must be of type integer,string: "boolean"'],
  ],
  ['what is required', { type: 'object', required: ['b'] }, {}, ['a.b Required value']],
  [
    'too few members, and nothing else',
    { type: 'object', minProperties: 1, required: ['b'] },
    {},
    ['a Invalid value: 0: a in body should have at least 1 properties'],
  ],
  [
    'an item',
    { type: 'array', items: { type: 'string' } },
    ['x', 1],
    ['a[1] Invalid value: "integer": a[1] in body must be of type string: "integer"'],
  ],
  [
    'none of oneOf',
    { oneOf: [{ required: ['x'] }, { required: ['y'] }] },
    {},
    ['<nil> Invalid value: "": "a" must validate one and only one schema (oneOf). Found none valid', 'a.x Required value'],
  ],
  [
    'members first, what is missing after them',
    { type: 'object', required: ['z'], properties: { b: { type: 'integer' } }, additionalProperties: { type: 'string' } },
    { b: 'x', c: 1 },
    [
      'a.c Invalid value: "integer": a.c in body must be of type string: "integer"',
      'a.b Invalid value: "string": a.b in body must be of type integer: "string"',
      'a.z Required value',
    ],
  ],
  [
    'a member that may not be',
    { type: 'object', additionalProperties: false },
    { b: 1 },
    ['a Invalid value: "b": a.b in body is a forbidden property'],
  ],
  [
    'a format, of a value that is no text',
    { type: 'string', format: 'date-time' },
    5,
    ['a Invalid value: "int64": a in body must be of type date-time: "int64"'],
  ],
  [
    'a format of numbers, of a value that is none',
    { type: 'integer', format: 'int32' },
    true,
    ['a Invalid value: "": a in body must be of type int32: ""'],
  ],
  [
    'a format without its hyphen',
    { type: 'string', format: 'datetime' },
    'now',
    ['a Invalid value: "now": a in body must be of type datetime: "now"'],
  ],
  [
    'the alternative that got farthest',
    { anyOf: [{ required: ['x'] }, { properties: { n: { type: 'integer', maximum: 1 } } }] },
    { n: 2 },
    [
      '<nil> Invalid value: "": "a" must validate at least one schema (anyOf)',
      'a.n Invalid value: 2: a.n in body should be less than or equal to 1',
    ],
  ],
  ['not', { not: { enum: ['bad'] } }, 'bad', ['<nil> Invalid value: "": "a" must not validate the schema (not)']],
];

for (const [name, schema, value, expected] of CASES) {
  test(`validate() tells of ${name} in upstream's words`, () => {
    const causes = valueValidator({ type: 'object', properties: { a: schema } }).validate({ a: value });

    assert.deepEqual(
      causes.map(({ field, message }) => `${field} ${message}`),
      expected,
    );
  });
}

test('validate() names places below a base in causes only', () => {
  const [cause] = valueValidator({ type: 'object', properties: { n: { type: 'integer' } } }).validate({ n: 'x' }, 'status');

  assert.equal(cause?.field, 'status.n');
  assert.match(cause?.message ?? '', /: n in body must be/);
});

test('validate() names members of a map at the root with a dot, in messages only', () => {
  const validator = valueValidator({ type: 'object', additionalProperties: { type: 'integer' } });

  const [bare] = validator.validate({ n: 'x' });
  const [based] = validator.validate({ n: 'x' }, 'status');

  assert.deepEqual([bare?.field, based?.field], ['n', 'status.n']);
  assert.match(bare?.message ?? '', /: \.n in body must be/);
});

const types = fc.constantFrom('string', 'integer', 'number', 'boolean', 'object', 'array');
/** Schemas nested this deep at most. */
function schemas(depth: number): fc.Arbitrary<SchemaProps> {
  const flat = {
    type: types,
    nullable: fc.boolean(),
    format: fc.constantFrom('date', 'duration', 'ipv4', 'cidr', 'email', 'uri', 'byte', 'isbn', 'hostname'),
    minLength: fc.nat(3),
    maxLength: fc.nat(5),
    pattern: fc.constantFrom('^a', 'b$', '[0-9]+'),
    minimum: fc.integer({ min: -5, max: 5 }),
    multipleOf: fc.constantFrom(0.5, 2, 3),
    minItems: fc.nat(2),
    maxProperties: fc.nat(3),
    required: fc.uniqueArray(fc.constantFrom('a', 'b', '__proto__')),
    enum: fc.array(fc.jsonValue(), { maxLength: 2 }),
  };
  if (depth === 0) return fc.record(flat, { requiredKeys: [] }) as fc.Arbitrary<SchemaProps>;
  const inner = schemas(depth - 1);
  const nested = {
    items: inner,
    properties: fc.dictionary(fc.constantFrom('a', 'b', 'c'), inner, { maxKeys: 2 }),
    additionalProperties: inner,
    anyOf: fc.array(inner, { maxLength: 2 }),
    not: inner,
  };
  return fc.record({ ...flat, ...nested }, { requiredKeys: [] }) as fc.Arbitrary<SchemaProps>;
}

test('validate() takes any JSON against any schema, and says the same twice', () => {
  fc.assert(
    fc.property(schemas(2), fc.jsonValue(), (schema, value) => {
      const validator = valueValidator(schema);
      const causes = validator.validate(value, 'base');
      assert.deepEqual(validator.validate(value, 'base'), causes);
      for (const { field, message, reason } of causes) assert.ok(field.startsWith('base') && message !== '' && reason !== '');
    }),
    { numRuns: 300 },
  );
});
