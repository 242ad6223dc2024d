// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newAuditId } from './audit-id.ts';

test('newAuditId() gives UUIDs, and none twice', () => {
  const ids = Array.from({ length: 20_000 }, newAuditId);

  assert.equal(new Set(ids).size, ids.length);
  for (const id of ids) assert.match(id, /^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/);
});
