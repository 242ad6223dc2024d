// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { jsonLines } from './json-lines.ts';

async function* cut(bytes: Uint8Array, sizes: readonly number[]) {
  let at = 0;
  for (let turn = 0; at < bytes.length; turn++) {
    const size = sizes[turn % sizes.length] ?? 1;
    yield bytes.subarray(at, at + size);
    at += size;
  }
}

async function collect(values: AsyncIterable<unknown>): Promise<unknown[]> {
  const all: unknown[] = [];
  for await (const value of values) all.push(value);
  return all;
}

test('values come whole however the stream is cut', async () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 5 });
  await fc.assert(
    fc.asyncProperty(fc.array(fc.jsonValue(), { maxLength: 6 }), sizes, async (values, pieces) => {
      const texts = values.map((value) => JSON.stringify(value));
      const bytes = new TextEncoder().encode(texts.map((text) => `${text}\n`).join(''));

      const seen = await collect(jsonLines(cut(bytes, pieces)));

      assert.deepEqual(
        seen.map((value) => JSON.stringify(value)),
        texts,
      );
    }),
    { numRuns: 100 },
  );
});

test('a stream that ends inside a value throws', async () => {
  await assert.rejects(collect(jsonLines(cut(new TextEncoder().encode('{"a":'), [2]))), SyntaxError);
});
