// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { humanDuration, labelsText, selectorText } from './cells.ts';

for (const [seconds, text] of [
  [0, '0s'],
  [119, '119s'],
  [150, '2m30s'],
  [3600, '60m'],
  [4 * 3600 + 60, '4h1m'],
  [3 * 86_400 + 3600, '3d1h'],
  [100 * 86_400, '100d'],
  [800 * 86_400, '2y70d'],
] as const) {
  test(`${seconds} seconds read ${text}`, () => {
    assert.equal(humanDuration(seconds * 1000), text);
  });
}

test('labels and selectors read as queries write them, keys in order', () => {
  assert.equal(labelsText({ b: '2', a: '1' }), 'a=1,b=2');
  assert.equal(labelsText({}), '<none>');
  assert.equal(
    selectorText({ matchLabels: { a: 'b' }, matchExpressions: [{ key: 'k', operator: 'In', values: ['y', 'x'] }] }),
    'a=b,k in (x,y)',
  );
});
