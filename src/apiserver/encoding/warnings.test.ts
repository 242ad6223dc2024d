// SPDX-License-Identifier: Apache-2.0
// Warnings: how they are written, and how many of them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { warningHeaders } from './warnings.ts';

const FORMS: [text: string, header: string][] = [
  ['plain', '299 - "plain"'],
  ['a "quoted" \\ text', '299 - "a \\"quoted\\" \\\\ text"'],
  ['two\r\nlines', '299 - "two  lines"'],
  ['a\ttab and a \u0007bell', '299 - "a\ttab and a bell"'],
  ['\u65e5', '299 - "\u00e6\u0097\u00a5"'],
];
for (const [text, header] of FORMS) {
  test(`warningHeaders() writes ${JSON.stringify(text)}`, () => {
    assert.deepEqual(warningHeaders([text]), [header]);
  });
}

const lengths = (texts: readonly string[]) => warningHeaders(texts).map((header) => header.length - '299 - ""'.length);
const long = (count: number, length: number) => Array.from({ length: count }, (_, index) => String.fromCharCode(97 + index).repeat(length));

test('warningHeaders() leaves what fits as it is', () => {
  assert.deepEqual(lengths(long(2, 2048)), [2048, 2048]);
});

test('warningHeaders() shortens all once they do not fit', () => {
  assert.deepEqual(lengths(['x', ...long(2, 2048)]), [1, 256, 256]);
});

test('warningHeaders() leaves out what comes when the short ones have filled the room', () => {
  assert.deepEqual(
    lengths(long(20, 300)),
    Array.from({ length: 16 }, () => 256),
  );
});

test('warningHeaders() cuts between characters', () => {
  const [header = ''] = warningHeaders([`${'\u{1f600}'.repeat(300)}`, 'x'.repeat(4000)]);

  assert.equal(Buffer.from(header, 'latin1').toString(), `299 - "${'\u{1f600}'.repeat(256)}"`);
});
