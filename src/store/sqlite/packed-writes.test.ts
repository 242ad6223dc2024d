// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  type DeleteOperation,
  type PutOperation,
  pack,
  packAnswers,
  unpackAnswers,
  unpackWrites,
  type WriteAnswer,
} from './packed-writes.ts';

interface Find {
  readonly op: 'find';
  readonly key: string;
}

const revision = fc.nat({ max: Number.MAX_SAFE_INTEGER });
const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });
const plain = <T>(fields: { [Name in keyof T]: fc.Arbitrary<T[Name]> }) => fc.record<T>(fields, { noNullPrototype: true });
const put = plain<PutOperation>({
  op: fc.constant('put'),
  key: fc.string(),
  value: fc.uint8Array(),
  expected: maybe(revision),
  expiresAt: maybe(revision),
});
const remove = plain<DeleteOperation>({ op: fc.constant('delete'), key: fc.string(), expected: maybe(revision) });
const other = plain<Find>({ op: fc.constant('find'), key: fc.string() });
const kept = plain({ key: fc.string(), value: fc.uint8Array(), createRevision: revision, modRevision: revision });

test('pack() and unpackWrites() keep every operation, in order', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(put, remove, other)), (operations) => {
      const unpacked = pack<Find>(operations).flatMap((sent): unknown[] => (sent.op === 'writes' ? unpackWrites(sent) : [sent]));

      assert.deepEqual(unpacked, operations);
    }),
  );
});

test('pack() makes one of the writes that follow each other', () => {
  const write = { op: 'delete', key: '/a', expected: undefined } as const;
  const find = { op: 'find', key: '/a' } as const;

  assert.deepEqual(
    pack([write, write, find, write]).map(({ op }) => op),
    ['writes', 'find', 'writes'],
  );
});

test('packAnswers() and unpackAnswers() keep every answer, in order', () => {
  const written = plain({ ok: fc.constant(true as const), revision, createRevision: revision });
  const conflict = plain({ ok: fc.constant(false as const), current: maybe(kept) });
  fc.assert(
    fc.property(fc.array(fc.oneof(written, conflict)), (answers: WriteAnswer[]) => {
      assert.deepEqual(unpackAnswers(packAnswers(answers)), answers);
    }),
  );
});
