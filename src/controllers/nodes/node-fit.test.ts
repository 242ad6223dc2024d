// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pod, Taint, Toleration } from '#api/core/v1';
import { evictionOf, tolerates } from './node-fit.ts';

const taint: Taint = { key: 'k', value: 'v', effect: 'NoExecute' };
const TOLERATIONS: readonly (readonly [toleration: Toleration, tolerated: boolean])[] = [
  [{ operator: 'Exists' }, true],
  [{ key: 'k', operator: 'Exists' }, true],
  [{ key: 'k', value: 'v' }, true],
  [{ key: 'k', operator: 'Equal', value: 'w' }, false],
  [{ key: 'j', operator: 'Exists' }, false],
  [{ key: 'k', operator: 'Exists', effect: 'NoSchedule' }, false],
];
for (const [toleration, tolerated] of TOLERATIONS) {
  test(`tolerates() is ${tolerated} for ${JSON.stringify(toleration)}`, () => {
    assert.equal(tolerates(toleration, taint), tolerated);
  });
}

test('evictionOf() takes the shortest time of what tolerates, and none where something does not', () => {
  const pod = (...tolerations: Toleration[]) => ({ spec: { tolerations } }) as unknown as Pod;

  assert.deepEqual(evictionOf(pod(), [taint]), { type: 'now' });
  assert.deepEqual(evictionOf(pod({ operator: 'Exists' }), [taint]), { type: 'never' });
  assert.deepEqual(
    evictionOf(pod({ operator: 'Exists', tolerationSeconds: 300 }, { key: 'k', operator: 'Exists', tolerationSeconds: 20 }), [taint]),
    { type: 'after', seconds: 20 },
  );
});
