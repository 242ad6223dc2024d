// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseSelector } from './labels.ts';
import {
  checkDns1035Label,
  checkDns1123Label,
  checkDns1123Subdomain,
  checkLabelValue,
  checkPathSegmentName,
  checkQualifiedName,
  generateName,
} from './names.ts';
import { canonicalQuantity, QUANTITY_RULE, quantityProblem } from './quantity.ts';
import { canonicalMicroTime, canonicalTime, TimeParseError } from './time.ts';

const checks: readonly (readonly [string, (text: string) => readonly string[], string, readonly RegExp[]])[] = [
  ['label', checkDns1123Label, 'a-1', []],
  [
    'label',
    checkDns1123Label,
    'A',
    [/^a lowercase RFC 1123 label must consist of .* \(e\.g\. 'my-name', {2}or '123-abc', regex used for validation is/],
  ],
  ['label', checkDns1123Label, 'a'.repeat(64), [/^must be no more than 63 characters$/]],
  ['label', checkDns1123Label, 'a.b', [/^must not contain dots$/]],
  ['label', checkDns1123Label, `a.${'b'.repeat(64)}`, [/^must be no more than 63 characters$/, /^must not contain dots$/]],
  ['subdomain', checkDns1123Subdomain, 'a.b-c', []],
  ['subdomain', checkDns1123Subdomain, '-a', [/^a lowercase RFC 1123 subdomain must consist of/]],
  ['DNS-1035 label', checkDns1035Label, '1a', [/^a DNS-1035 label must consist of/]],
  ['qualified name', checkQualifiedName, 'example.com/Name', []],
  ['qualified name', checkQualifiedName, '/x', [/^prefix part must be non-empty$/]],
  ['qualified name', checkQualifiedName, 'a/b/c', [/with an optional DNS subdomain prefix and '\/' \(e\.g\. 'example\.com\/MyName'\)$/]],
  ['qualified name', checkQualifiedName, '', [/^name part must be non-empty$/, /^name part must consist of alphanumeric/]],
  ['qualified name', checkQualifiedName, 'a'.repeat(64), [/^name part must be no more than 63 bytes$/]],
  ['qualified name', checkQualifiedName, `${'a'.repeat(254)}/b`, [/^prefix part must be no more than 253 bytes$/]],
  ['label value', checkLabelValue, 'a'.repeat(64), [/^must be no more than 63 bytes$/]],
  ['label value', checkLabelValue, '', []],
  ['label value', checkLabelValue, 'a b', [/^a valid label must be an empty string or consist of/]],
  ['path segment', checkPathSegmentName, '..', [/^may not be '\.\.'$/]],
  ['path segment', checkPathSegmentName, 'a/b', [/^may not contain '\/'$/]],
];
for (const [what, check, text, problems] of checks) {
  test(`${JSON.stringify(text.slice(0, 20))} as a ${what} has ${problems.length} problems`, () => {
    const found = check(text);
    assert.equal(found.length, problems.length, found.join('; '));
    for (const [index, problem] of problems.entries()) assert.match(found[index] ?? '', problem);
  });
}

test('generateName() adds five characters within 63', () => {
  assert.equal(
    generateName('web-', () => 0),
    'web-bbbbb',
  );
  assert.equal(generateName('x'.repeat(80)).length, 63);
});

const quantities: readonly (readonly [string | number, string])[] = [
  ['1000m', '1'],
  ['1024Mi', '1Gi'],
  ['0.5', '500m'],
  ['1e3', '1e3'],
  ['1.5Gi', '1536Mi'],
  ['100M', '100M'],
  ['0.1n', '1n'],
  ['1.500', '1.500'],
  ['1E3', '1E3'],
  ['12E', '12E'],
  ['.', '0'],
  ['Ki', '0'],
  [0, '0'],
  ['-1', '-1'],
];
for (const [text, canonical] of quantities) {
  test(`the quantity ${text} is ${canonical}`, () => assert.equal(canonicalQuantity(text), canonical));
}
test('the rule of quantities is upstream`s', () => assert.match(QUANTITY_RULE, /^quantities must match the regular expression/));

test('a number with a suffix of the right letters in the wrong order is told so', () => {
  assert.equal(quantityProblem('1x'), QUANTITY_RULE);
  assert.equal(quantityProblem('1iK'), "unable to parse quantity's suffix");
});

test('times are kept in UTC, cut to their form', () => {
  assert.equal(canonicalTime('2026-02-28T23:59:59.999+02:00'), '2026-02-28T21:59:59Z');
  assert.equal(canonicalTime('2026-02-28T1:59:59Z'), '2026-02-28T01:59:59Z');
  assert.equal(canonicalMicroTime('2026-02-28T21:59:59,123456+01:00'), '2026-02-28T20:59:59.123456Z');
  const micro = (rest: string, what: string, layout: string) =>
    `parsing time "2026-02-28T21:59:59${rest}" as "2006-01-02T15:04:05.000000Z07:00": cannot parse "${what}" as "${layout}"`;
  for (const [rest, what, layout] of [
    ['Z', 'Z', '.000000'],
    ['.123Z', '.123Z', '.000000'],
    ['.1234567Z', '7Z', 'Z07:00'],
  ] as const)
    assert.throws(() => canonicalMicroTime(`2026-02-28T21:59:59${rest}`), new TimeParseError(micro(rest, what, layout)));
  assert.throws(() => canonicalTime('2026-02-30T00:00:00Z'), /^TimeParseError: parsing time "2026-02-30T00:00:00Z": day out of range$/);
});

test('label selectors select', () => {
  const labels = { a: '1', tier: 'web' };
  for (const [text, matches] of [
    ['a=1', true],
    ['a!=1', false],
    ['a in (1,2),tier', true],
    ['!b', true],
    ['b notin (x)', true],
    ['a>0', true],
  ] as const) {
    assert.equal(parseSelector(text).matches(labels), matches, text);
  }
  assert.throws(() => parseSelector('a in x'), SyntaxError);
});
