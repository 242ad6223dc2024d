// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { testSchema } from './_test-schemas.ts';
import { JsonSyntaxError } from './json-syntax.ts';
import { DecodeError } from './normalize.ts';
import { decodeYaml, formatYaml, parseYaml } from './yaml-codec.ts';

const configMap = testSchema('v1', 'ConfigMap');
const decode = (text: string) => decodeYaml(text, configMap, { strict: true });

test('decodeYaml() reads the first document by the rules of YAML 1.1', () => {
  const { object } = decode(
    'kind: ConfigMap\nmetadata: {name: m1, labels: {on: "off"}}\ndata:\n  a: "yes"\n  b: |-\n    x\n    y\n---\nkind: Other\n',
  );

  assert.deepEqual(object, { kind: 'ConfigMap', metadata: { name: 'm1', labels: { true: 'off' } }, data: { a: 'yes', b: 'x\ny' } });
});

test('decodeYaml() reports duplicates with their line, and the last wins', () => {
  const found = decode('apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: i\ndata:\n  k: "1"\n  k: "2"\nunknown: 1\n');

  assert.deepEqual(found.strictErrors, ['yaml: unmarshal errors:\n  line 7: key "k" already set in map', 'unknown field "unknown"']);
  assert.deepEqual(found.warnings, ['line 7: key "k" already set in map', 'unknown field "unknown"']);
  assert.deepEqual(found.object['data'], { k: '2' });
});

const refused: readonly (readonly [string, string])[] = [
  ['metadata:\n  name: y\n', 'json: cannot unmarshal bool into Go struct field ObjectMeta.metadata.name of type string'],
  ['data: {k: yes}', 'json: cannot unmarshal bool into Go struct field ConfigMap.data of type string'],
  ['apiVersion: v1\nkind: [ConfigMap\n', "yaml: line 2: did not find expected ',' or ']'"],
  ['data: {a: *x}', "yaml: unknown anchor 'x' referenced"],
  ['data: {a: .inf}', 'json: unsupported value: +Inf'],
  ['kind: [ConfigMap', "yaml: did not find expected ',' or ']'"],
  ['kind: @x', 'yaml: found character that cannot start any token'],
  ['kind: a: b', 'yaml: mapping values are not allowed in this context'],
  ['apiVersion: v1\nkind: "x\n', 'yaml: line 3: found unexpected end of stream'],
  ['apiVersion: v1\nkind: ConfigMap\nmetadata:\n\tname: t\n', 'yaml: line 4: found character that cannot start any token'],
];
for (const [text, message] of refused) {
  test(`decodeYaml(${JSON.stringify(text)}) is refused`, () => {
    assert.throws(
      () => decode(text),
      (error) => error instanceof Error && error.message === message,
    );
  });
}

const texts: readonly string[] = ['.', 'e1', '1e', '0x', '-.', '1e5.0', '2020-01-01', '2020-01-01T10:00:00Z', '22:22', '1:30.5'];
for (const text of texts) {
  test(`${text} is text, as upstream's parser has it`, () => {
    assert.deepEqual(parseYaml(`a: ${text}`).value, { a: text });
  });
}

const numbers: readonly (readonly [string, number])[] = [
  ['010', 8],
  ['0o10', 8],
  ['-0x1f', -31],
  ['0b11', 3],
  ['1_000', 1000],
  ['08', 8],
  ['1.', 1],
  ['.5e1', 5],
  ['+1', 1],
  ['!!int "1"', 1],
];
for (const [text, number] of numbers) {
  test(`${text} is the number ${number}`, () => {
    assert.deepEqual(parseYaml(`a: ${text}`).value, { a: number });
  });
}

test('a point may be a key: it is one in managedFields', () => {
  assert.deepEqual(parseYaml('f:metadata: {.: {}}').value, { 'f:metadata': { '.': {} } });
});

test('aliases cannot blow up', () => {
  const bomb = [
    'a: &a [x,x,x,x,x,x,x,x,x]',
    ...[...'bcdefgh'].map((name, index) => `${name}: &${name} [${`*${'abcdefg'[index]},`.repeat(9)}]`),
  ].join('\n');

  assert.throws(() => parseYaml(bomb), /excessive aliasing/);
});

test('what formatYaml() writes reads back the same', () => {
  const json = fc.jsonValue({ maxDepth: 3 }).map((value) => JSON.parse(JSON.stringify(value ?? null)) as unknown);
  fc.assert(
    fc.property(json, (value) => assert.equal(JSON.stringify(sorted(parseYaml(formatYaml(value)).value)), JSON.stringify(sorted(value)))),
    { numRuns: 200 },
  );
});

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, inner]) => [key, sorted(inner)]),
  );
}

test('decodeYaml() of any text gives an object or a told error', () => {
  const piece = fc.constantFrom(
    'a',
    ': ',
    '\n',
    '  ',
    '- ',
    '{',
    '}',
    '[',
    ']',
    '&x',
    '*x',
    '"',
    "'",
    '|',
    '#',
    '---',
    '!!set',
    '1',
    'data',
    '<<',
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 25 }), (pieces) => {
      try {
        decode(pieces.join(''));
      } catch (error) {
        assert.ok(error instanceof JsonSyntaxError || error instanceof DecodeError, String((error as Error).stack));
      }
    }),
    { numRuns: 500 },
  );
});

test('what a YAML body is has to be an object that says so in texts, as in JSON', () => {
  assert.throws(() => decode('- a'), /^JsonSyntaxError: json: cannot unmarshal array into Go value of type struct \{ APIVersion string /);
  assert.throws(() => decode('kind: 5'), /json: cannot unmarshal number into Go struct field \.kind of type string$/);
});
