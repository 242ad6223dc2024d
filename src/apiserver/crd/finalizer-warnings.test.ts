// SPDX-License-Identifier: Apache-2.0
// Which finalizers are warned about.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { MutableObject } from '../registry/strategy.ts';
import { finalizerWarnings } from './finalizer-warnings.ts';

const holding = (...finalizers: string[]) => ({ metadata: { name: 'x', finalizers } }) as unknown as MutableObject;

test('finalizerWarnings() tells of names without a domain, once each, in order', () => {
  const warnings = finalizerWarnings(holding('b', 'example.com/mine', 'a.example.com', 'b', 'orphan', 'foregroundDeletion'), undefined);

  assert.deepEqual(
    warnings.map((text) => text.replace(/: prefer.*/, '')),
    ['metadata.finalizers: "a.example.com"', 'metadata.finalizers: "b"'],
  );
});

test('finalizerWarnings() leaves alone what was there before', () => {
  assert.deepEqual(finalizerWarnings(holding('a', 'b'), holding('b', 'a')), []);
});

test('finalizerWarnings() says what is wrong with a name that is none', () => {
  const [first] = finalizerWarnings(holding('/x'), undefined);

  assert.equal(first, 'metadata.finalizers: "/x": prefix part must be non-empty');
});
