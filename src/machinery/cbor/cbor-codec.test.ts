// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { fuzzRuns } from '../_fuzzing.ts';
import { referenceFolder } from '../_test-schemas.ts';
import { JsonSyntaxError } from '../json-syntax.ts';
import { decodeCbor, encodeCbor, encodeCborList, isCbor } from './cbor-codec.ts';

const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex');

test('encodeCbor() writes a self-described item, text as byte strings', () => {
  assert.equal(Buffer.from(encodeCbor({ a: 'b', n: 1 })).toString('hex'), 'd9d9f7a2416141624' + '16e01');
});

test('decodeCbor() reads text and byte strings alike, with or without self-description', () => {
  assert.deepEqual(decodeCbor(hex('a1 61 61 61 62')), { a: 'b' });
  assert.deepEqual(decodeCbor(hex('d9d9f7 a1 41 61 41 62')), { a: 'b' });
});

test('decodeCbor() turns bytes that are meant as base64 into base64', () => {
  assert.deepEqual(decodeCbor(hex('a1 61 61 d6 42 0001')), { a: 'AAE=' });
});

const refused: readonly (readonly [string, string])[] = [
  ['nothing', ''],
  ['an item that is cut off', 'a1 61'],
  ['more than one item', '01 01'],
  ['an indefinite length', 'bf 61 61 01 ff'],
  ['undefined', 'f7'],
  ['not a number', 'f9 7e00'],
  ['infinity', 'f9 7c00'],
  ['a key that is a number', 'a1 01 01'],
  ['a key written twice', 'a2 61 61 01 61 61 02'],
  ['a key written twice, once as bytes', 'a2 61 61 01 41 61 02'],
  ['bytes that are no UTF-8', '41 ff'],
  ['an unknown tag', 'd8 64 01'],
];
for (const [what, text] of refused) {
  test(`decodeCbor() refuses ${what}`, () => assert.throws(() => decodeCbor(hex(text)), JsonSyntaxError));
}

test('decodeCbor() refuses what nests too deep, however deep', () => {
  const nested = (depth: number) => Buffer.concat([Buffer.alloc(depth, 0x81), Buffer.of(0x01)]);
  assert.doesNotThrow(() => decodeCbor(nested(64)));
  assert.throws(() => decodeCbor(nested(65)), /exceeded max nested level 64/);
  assert.throws(() => decodeCbor(nested(3_000_000)), JsonSyntaxError);
});

test('a value of JSON survives the way there and back', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 8 }), (value) => {
      const json = JSON.parse(JSON.stringify(value)) as unknown;
      assert.deepEqual(decodeCbor(encodeCbor(json)), json);
      assert.ok(isCbor(encodeCbor(json)));
    }),
  );
});

test('decodeCbor() throws a JsonSyntaxError or nothing, whatever it is given', () => {
  const runs = fuzzRuns(3_000);
  const valid = fc.jsonValue().map((value) => Buffer.from(encodeCbor(value)));
  const mutated = fc.tuple(valid, fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { maxLength: 4 })).map(([bytes, changes]) => {
    for (const [at, byte] of changes) bytes[at % bytes.length] = byte;
    return bytes;
  });
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 60 }), mutated), (bytes) => {
      try {
        decodeCbor(bytes);
      } catch (error) {
        assert.ok(error instanceof JsonSyntaxError, String(error));
      }
    }),
    { numRuns: runs },
  );
});

const folder = referenceFolder('test/roundtrip', '../shared/kubernetes/roundtrip');
test(`every kind of upstream's round-trip data is the same after CBOR${folder === undefined ? ' (skipped: no data)' : ''}`, {
  skip: folder === undefined,
}, () => {
  const names = readdirSync(folder ?? '.').filter((name) => name.endsWith('.json'));
  for (const name of names) {
    const text = readFileSync(join(folder ?? '.', name), 'utf8');
    const json = JSON.parse(text) as unknown;
    assert.equal(JSON.stringify(decodeCbor(encodeCbor(json))), JSON.stringify(json), name);
  }
  assert.ok(names.length > 50);
});

for (const count of [0, 1, 23, 24, 255, 256, 70_000]) {
  test(`encodeCborList() of ${count} items reads as the whole would, in chunks`, () => {
    const head = { kind: 'List', apiVersion: 'v1', metadata: { resourceVersion: '1' }, absent: undefined };
    const items = Array.from({ length: count }, (_, index) => ({ name: `item-${index}` }));

    const chunks = [...encodeCborList(head, 'items', items, count)];

    assert.deepEqual(decodeCbor(Buffer.concat(chunks)), { kind: 'List', apiVersion: 'v1', metadata: { resourceVersion: '1' }, items });
    assert.ok(chunks.every(({ length }) => length < 300 * 1024));
  });
}
