// SPDX-License-Identifier: Apache-2.0
// References: the normal form of what people write, and what is refused.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { InvalidReferenceError, normalizeReference } from './reference.ts';

const DIGEST = `sha256:${'a'.repeat(64)}`;
const CASES: readonly (readonly [string, string])[] = [
  ['nginx', 'docker.io/library/nginx:latest'],
  ['nginx:1.27', 'docker.io/library/nginx:1.27'],
  ['team/app', 'docker.io/team/app:latest'],
  ['index.docker.io/nginx', 'docker.io/library/nginx:latest'],
  ['localhost/app', 'localhost/app:latest'],
  ['localhost:5000/app:v1', 'localhost:5000/app:v1'],
  ['registry.k8s.io/pause:3.10', 'registry.k8s.io/pause:3.10'],
  ['[::1]:5000/app', '[::1]:5000/app:latest'],
  [`nginx@${DIGEST}`, `docker.io/library/nginx@${DIGEST}`],
  [`nginx:1@${DIGEST}`, `docker.io/library/nginx:1@${DIGEST}`],
];

for (const [text, full] of CASES)
  test(`normalizeReference() makes ${text.slice(0, 40)} ${full.slice(0, 50)}`, () => assert.equal(normalizeReference(text), full));

for (const text of ['', 'Nginx', 'a:b:c', 'a//b', '/a', 'a/', `nginx@sha256:xyz`, 'a:', '-a', 'f'.repeat(64)])
  test(`normalizeReference() refuses "${text.slice(0, 20)}"`, () => assert.throws(() => normalizeReference(text), InvalidReferenceError));

test('normalizeReference() is idempotent or refuses, for any text', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[a-z0-9.:/@_-]{1,40}$/)), (text) => {
      try {
        const once = normalizeReference(text);
        assert.equal(normalizeReference(once), once);
      } catch (error) {
        assert.ok(error instanceof InvalidReferenceError);
      }
    }),
  );
});
