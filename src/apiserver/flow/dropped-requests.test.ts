// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DroppedRequests } from './dropped-requests.ts';

test('the pause doubles while many requests are dropped, and shrinks by seconds when few are', () => {
  const dropped = new DroppedRequests();
  const start = 1_767_225_600;
  const found: number[] = [];
  const steps = [
    [0, 5, 1],
    [1, 11, 2],
    [2, 1, 2],
    [3, 11, 4],
    [4, 1, 4],
    [7, 1, 8],
    [11, 1, 8],
    [15, 1, 7],
    [17, 1, 6],
    [21, 14, 5],
    [22, 1, 10],
  ] as const;
  for (const [second, count] of steps) {
    for (let request = 0; request < count; request++) dropped.record((start + second) * 1000 + request);
    found.push(dropped.retryAfterSeconds);
  }

  assert.deepEqual(
    found,
    steps.map(([, , expected]) => expected),
  );
});

test('the pause is never below a second nor above thirty-two', () => {
  const steps = fc.array(fc.tuple(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 1, max: 200 })), { maxLength: 40 });
  fc.assert(
    fc.property(steps, (list) => {
      const dropped = new DroppedRequests();
      let now = 1_767_225_600_000;
      for (const [seconds, count] of list) {
        now += seconds * 1000;
        for (let request = 0; request < count; request++) dropped.record(now);
        assert.ok(dropped.retryAfterSeconds >= 1 && dropped.retryAfterSeconds <= 32);
      }
    }),
  );
});
