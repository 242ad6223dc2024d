// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pod, Taint, Toleration } from '#api/core/v1';
import { evictionOf } from './node-fit.ts';

const taint: Taint = { key: 'k', value: 'v', effect: 'NoExecute' };
test('evictionOf() takes the shortest time of what tolerates, and none where something does not', () => {
  const pod = (...tolerations: Toleration[]) => ({ spec: { tolerations } }) as unknown as Pod;

  assert.deepEqual(evictionOf(pod(), [taint]), { type: 'now' });
  assert.deepEqual(evictionOf(pod({ operator: 'Exists' }), [taint]), { type: 'never' });
  assert.deepEqual(
    evictionOf(pod({ operator: 'Exists', tolerationSeconds: 300 }, { key: 'k', operator: 'Exists', tolerationSeconds: 20 }), [taint]),
    { type: 'after', seconds: 20 },
  );
});
