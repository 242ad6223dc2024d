// SPDX-License-Identifier: Apache-2.0
// What an authorizer is asked when an expression asks it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Attributes } from '../../auth/authorizer.ts';
import { celAuthorizer } from './cel-authorizer.ts';

const USER = { name: 'ada', uid: '', groups: [], extra: {} };
const CHECK = { verb: 'list', group: '', resource: 'pods', subresource: '', namespace: 'a', name: '' };

test('celAuthorizer() passes selectors on, and what went wrong back', async () => {
  const asked: Attributes[] = [];
  const authorize = celAuthorizer((attributes) => {
    asked.push(attributes);
    return { verdict: 'no-opinion', reason: 'why', error: 'broken' };
  });

  const decision = await authorize(USER, { ...CHECK, fieldSelector: 'spec.nodeName=n1', labelSelector: 'app in (a)' });
  await authorize(USER, CHECK);

  assert.deepEqual(decision, { allowed: false, reason: 'why', error: 'broken' });
  assert.deepEqual(asked[0]?.fieldSelector?.(), [{ field: 'spec.nodeName', operator: '=', value: 'n1' }]);
  assert.equal(asked[0]?.labelSelector?.().length, 1);
  assert.deepEqual([asked[1]?.fieldSelector, asked[1]?.labelSelector], [undefined, undefined]);
});
