// SPDX-License-Identifier: Apache-2.0
// The paths that columns and selectors use, as a table, and any text as a path.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { JsonPathError, parseJsonPath } from './json-path.ts';

const OBJECT = {
  metadata: { annotations: { 'example.com/x': 'anno' } },
  spec: { list: [{ n: 'x' }, { n: 'y', w: 2 }], deep: { a: { n: 'z' } } },
  status: { conditions: [{ type: 'Other' }, { type: 'Ready', status: 'True' }] },
};

const CASES: readonly (readonly [path: string, found: readonly unknown[]])[] = [
  ['.spec.list[0].n', ['x']],
  ['.spec.list[-1].n', ['y']],
  ['.spec.list[*].n', ['x', 'y']],
  ['.spec.list[0:1].n', ['x']],
  ['.spec.list[0,1].n', ['x', 'y']],
  [".status.conditions[?(@.type=='Ready')].status", ['True']],
  ['.status.conditions[?(@.type!="Ready")].type', ['Other']],
  ['.spec.list[?(@.w>1)].n', ['y']],
  ['.spec.list[?(@.w)].n', ['y']],
  ['.metadata.annotations.example\\.com/x', ['anno']],
  [".metadata.annotations['example\\.com/x']", ['anno']],
  [".metadata.annotations['example.com/x']", []],
  ['.spec.list[5].n', []],
  ['.spec.list[0:5].n', []],
  ['.spec.list[::2].n', ['x']],
  ['.spec.list[?(@.n==1)].n', []],
  ['.spec.list[?(@.w>1.5)].n', []],
  ['.spec.list[?(@.n==x)].n', []],
  ['.spec.list[?(@.n<>"x")].n', []],
  ['.spec.deep[0]', []],
  [".spec['list','deep']", [OBJECT.spec.list, OBJECT.spec.deep]],
  ['$.spec.list[0].n', ['x']],
  ['.spec..n', ['x', 'y', 'z']],
  ['.spec.deep.*.n', ['z']],
  ['.none.at.all', []],
];

for (const [path, found] of CASES) {
  test(`find() of ${path}`, () => {
    assert.deepEqual(parseJsonPath(path).find(OBJECT), found);
  });
}

test('parseJsonPath() parses any text or says why not', () => {
  const pieces = fc.array(fc.constantFrom('.', '[', ']', '*', "'", '"', 'a', '0', ':', '?(', ')', '@', '\\', '==', '..', '-'), {
    maxLength: 12,
  });
  fc.assert(
    fc.property(pieces, (parts) => {
      try {
        assert.ok(Array.isArray(parseJsonPath(parts.join('')).find(OBJECT)));
      } catch (error) {
        assert.ok(error instanceof JsonPathError, String(error));
      }
    }),
    { numRuns: 500 },
  );
});

for (const path of ['.a[?(@.n=~"x")]', '.a["b"]', '.a[x]', '.a[0', '.a[?(@.n==1]', '.a....b']) {
  test(`parseJsonPath() refuses ${path}`, () => {
    assert.throws(() => parseJsonPath(path), JsonPathError);
  });
}
