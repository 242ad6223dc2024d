// SPDX-License-Identifier: Apache-2.0
// Label and field selectors of the query string: what they mean, and what is said of those that do not parse.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { parseFieldSelector } from './fields.ts';
import { parseSelector } from './labels.ts';
import { checkLabelValue } from './names.ts';

const LABELS = { app: 'web', tier: '', n: '5' };

describe('label selectors', () => {
  const matching: readonly (readonly [string, boolean])[] = [
    ['', true],
    ['app', true],
    ['!app', false],
    ['app=web', true],
    ['app==web', true],
    ['app!=web', false],
    ['none!=web', true],
    ['tier=', true],
    ['app in (a, web)', true],
    ['app notin (a, web)', false],
    ['none notin (a)', true],
    ['tier in ()', true],
    ['n>4', true],
    ['n<5', false],
    ['app=web,tier', true],
    ['app=web,!tier', false],
    ['in in (a)', false],
  ];
  for (const [text, expected] of matching) {
    test(`"${text}" ${expected ? 'matches' : 'does not match'}`, () => assert.equal(parseSelector(text).matches(LABELS), expected));
  }

  const refused: readonly (readonly [string, string])[] = [
    ['=', "found '=', expected: !, identifier, or 'end of string'"],
    ['a,', "found '', expected: identifier after ','"],
    ['a b', "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"],
    ['a=b c', "found 'c', expected: ',' or 'end of string'"],
    ['a in b', "unable to parse requirement: found 'b' expected: '('"],
    ['a in (b', "unable to parse requirement: found '', expected: ',' or ')'"],
    [
      'a>9223372036854775808',
      "unable to parse requirement: values[0]: Invalid value: \"9223372036854775808\": for 'Gt', 'Lt' operators, the value must be an integer",
    ],
    [
      'a in (-b, c-)',
      `unable to parse requirement: [${['-b', 'c-'].map((value, index) => `values[${index}][a]: Invalid value: "${value}": ${checkLabelValue(value)[0]}`).join(', ')}]`,
    ],
    ['a>x', "unable to parse requirement: values[0]: Invalid value: \"x\": for 'Gt', 'Lt' operators, the value must be an integer"],
  ];
  for (const [text, message] of refused) {
    test(`"${text}" is refused`, () => assert.throws(() => parseSelector(text), { name: 'SyntaxError', message }));
  }

  test('any text parses or is refused, and what parses means the same once written again', () => {
    fc.assert(
      fc.property(
        fc.string({ maxLength: 30, unit: fc.constantFrom('a', 'b', '=', '!', ',', '(', ')', ' ', 'in', 'notin', '<', '>', '1', '/') }),
        (text) => {
          let selector: ReturnType<typeof parseSelector>;
          try {
            selector = parseSelector(text);
          } catch (error) {
            assert.ok(error instanceof SyntaxError);
            return;
          }
          const again = parseSelector(selector.toString());
          for (const labels of [{}, { a: '' }, { a: 'b' }, { b: '1', a: 'ab' }])
            assert.equal(again.matches(labels), selector.matches(labels));
        },
      ),
    );
  });
});

describe('field selectors', () => {
  const read = (field: string) => ({ 'metadata.name': 'a', 'status.phase': 'x=y' })[field] ?? '';
  const matching: readonly (readonly [string, boolean])[] = [
    ['', true],
    ['metadata.name=a', true],
    ['metadata.name==b', false],
    ['metadata.name!=b', true],
    ['metadata.name=a,status.phase!=z', true],
    ['status.phase=x\\=y', true],
    [',metadata.name=a,', true],
  ];
  for (const [text, expected] of matching) {
    test(`"${text}" ${expected ? 'matches' : 'does not match'}`, () => assert.equal(parseFieldSelector(text).matches(read), expected));
  }

  const refused: readonly (readonly [string, RegExp])[] = [
    ['a=b,c', /^invalid selector: 'a=b,c'; can't understand 'c'$/],
    ['metadata.name', /^invalid selector: 'metadata.name'; can't understand 'metadata.name'$/],
    ['a=b=c', /unescaped character in value: 61/],
    ['a=\\b', /invalid escape sequence: \\b/],
    ['a=b\\', /invalid escape sequence: \\$/],
  ];
  for (const [text, message] of refused) {
    test(`"${text}" is refused`, () => assert.throws(() => parseFieldSelector(text), { message }));
  }
});
