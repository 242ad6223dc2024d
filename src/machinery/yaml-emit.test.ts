// SPDX-License-Identifier: Apache-2.0
// The bytes of YAML answers.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseYaml } from './yaml-codec.ts';
import { compareNaturally, emitYaml } from './yaml-emit.ts';

const SCALARS: [value: unknown, written: string][] = [
  ['plain text', 'plain text'],
  ["it's", "it's"],
  ['a:b', 'a:b'],
  ['\u65e5', '\u65e5'],
  ['NaN', 'NaN'],
  ['', '""'],
  ['yes', '"yes"'],
  ['N', '"N"'],
  ['null', '"null"'],
  ['1', '"1"'],
  ['0x1f', '"0x1f"'],
  ['0o10', '"0o10"'],
  ['1_000', '"1_000"'],
  ['08', '"08"'],
  ['1e3', '"1e3"'],
  ['.5', '".5"'],
  ['.inf', '".inf"'],
  ['22:22', '"22:22"'],
  ['2026-01-01', '"2026-01-01"'],
  ['2026-01-01T00:00:00Z', '"2026-01-01T00:00:00Z"'],
  ['*', "'*'"],
  ['a: b', "'a: b'"],
  ['{"a":"b"}', `'{"a":"b"}'`],
  ["'q'", "'''q'''"],
  ['- x', "'- x'"],
  ['-', "'-'"],
  ['a #b', "'a #b'"],
  [' a', "' a'"],
  ['---', "'---'"],
  ['a\tb', '"a\\tb"'],
  ['\u{1f600}', '"\\U0001F600"'],
  ['\u0085', '"\\N"'],
  [' \nb', '" \\nb"'],
  ['a\nb', '|-\n  a\n  b'],
  ['a\n', '|\n  a'],
  ['a\n\n', '|+\n  a\n'],
  [' a\nb\n', '|2\n   a\n  b'],
  [null, 'null'],
  [true, 'true'],
  [0.5, '0.5'],
  [1e21, '1e+21'],
  [1234567.5, '1.2345675e+06'],
  [0.00001, '1e-05'],
  [12345678, '12345678'],
  [{}, '{}'],
  [[], '[]'],
];
for (const [value, written] of SCALARS) {
  test(`emitYaml() writes ${JSON.stringify(value)}`, () => {
    assert.equal(emitYaml({ a: value }), `a: ${written}\n`);
  });
}

const words = (count: number, word: string) => Array.from({ length: count }, () => word).join(' ');

test('lines are broken at the first space past the 80th column', () => {
  assert.equal(emitYaml({ key: words(20, 'word') }), `key: ${words(16, 'word')}\n  ${words(4, 'word')}\n`);
  assert.equal(emitYaml({ key: `${words(20, 'word')}:` }), `key: '${words(16, 'word')}\n  ${words(4, 'word')}:'\n`);
  assert.equal(emitYaml({ key: `${words(20, 'word')}\t` }), `key: "${words(16, 'word')}\n  ${words(4, 'word')}\\t"\n`);
  assert.equal(emitYaml({ [words(20, 'word')]: 1 }), `${words(20, 'word')}: 1\n`);
});

test('maps are indented, lists within them are not', () => {
  const value = { b: ['x', { d: 1, c: [[1, 2], []] }], a: { e: {}, f: { g: null } }, left: undefined };

  assert.equal(emitYaml(value), 'a:\n  e: {}\n  f:\n    g: null\nb:\n- x\n- c:\n  - - 1\n    - 2\n  - []\n  d: 1\n');
});

test('a key that is too long, or goes over lines, stands by itself', () => {
  const long = 'k'.repeat(129);

  assert.equal(emitYaml({ [long]: { a: 1, b: [2] } }), `? ${long}\n: a: 1\n  b:\n  - 2\n`);
  assert.equal(emitYaml({ 'a\nb': 1 }), '? |-\n  a\n  b\n: 1\n');
});

test('keys are in natural order', () => {
  const keys = ['key10', 'key2', 'a', 'B', '_x', '1', 'key02', '.', 'f:b', 'k:{"a":1}', 'ab', 'a-b'];

  assert.deepEqual(keys.sort(compareNaturally), ['.', '_x', '1', 'B', 'a', 'a-b', 'ab', 'f:b', 'k:{"a":1}', 'key2', 'key02', 'key10']);
});

test('what emitYaml() writes reads back the same', () => {
  const long = fc.array(fc.stringMatching(/^[a-z'":#,-]{0,12}$/), { minLength: 15, maxLength: 40 }).map((parts) => parts.join(' '));
  const text = fc.oneof(long, fc.string(), fc.string({ unit: 'binary' }), fc.stringMatching(/^[-+.0-9a-fxonyeE:_ \n'"#]*$/));
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof(
      { maxDepth: 4 },
      text,
      fc.integer(),
      fc.boolean(),
      fc.constant(null),
      fc.array(tie('tree')),
      fc.dictionary(text, tie('tree')),
    ),
  }));
  fc.assert(
    fc.property(fc.dictionary(text, tree), (value) => {
      const written = JSON.stringify(value); // Lone surrogates become what both forms make of them.
      if (/\\ud[89a-f]/.test(written) || written.includes('"<<"') || written.includes('"__proto__"')) return;
      assert.deepEqual(parseYaml(emitYaml(value)).value, JSON.parse(written));
    }),
  );
});
