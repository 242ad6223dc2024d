// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testSchema } from './_test-schemas.ts';
import { normalize } from './normalize.ts';
import type { StructSchema } from './schema.ts';

const pod = testSchema('v1', 'Pod') as StructSchema;

test('fields that there are none of are told in the order of sorted keys and of list places, whatever the order they came in', () => {
  const errors: string[] = [];
  const containers = Array.from({ length: 11 }, (_, index) => ({ name: 'c', ...(index === 2 || index === 10 ? { odd: 1 } : {}) }));

  normalize({ z: 1, spec: { unknown: 1, containers, a: 1 }, metadata: { zzz: 1, name: 'a' }, b: 1 }, pod, { strictErrors: errors });

  assert.deepEqual(
    errors.map((error) => error.replace(/^unknown field "(.*)"$/, '$1')),
    ['b', 'metadata.zzz', 'spec.a', 'spec.containers[2].odd', 'spec.containers[10].odd', 'spec.unknown', 'z'],
  );
});
