// SPDX-License-Identifier: Apache-2.0
// Which events a backend gets, and in which batches, where their size is bounded.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AuditEvent } from './event.ts';
import { truncating } from './truncate.ts';

const event = (level: string, more: object = {}) =>
  ({ kind: 'Event', apiVersion: 'audit.k8s.io/v1', level, auditID: 'a', stage: 'ResponseComplete', ...more }) as AuditEvent;
const LARGE = 'x'.repeat(300);

function run(events: readonly AuditEvent[], limits: { readonly maxBatchBytes: number; readonly maxEventBytes: number }) {
  const batches: (readonly AuditEvent[])[] = [];
  let lost = 0;
  const backend = { name: 'b', process: (batch: readonly AuditEvent[]) => void batches.push(batch), shutdown: async () => {} };
  const done = truncating(backend, limits, (count) => {
    lost += count;
  }).process(events);
  return { batches, lost, done };
}

test('an event that fits goes as it is', () => {
  const small = event('RequestResponse', { requestObject: { a: 1 } });

  assert.deepEqual(run([small], { maxBatchBytes: 1_000, maxEventBytes: 300 }), { batches: [[small]], lost: 0, done: undefined });
});

test('a larger one goes without request and response, and says so', () => {
  const large = event('RequestResponse', { requestObject: { a: LARGE }, responseObject: { b: LARGE }, annotations: { c: 'd' } });
  const [[found] = []] = run([large], { maxBatchBytes: 1_000, maxEventBytes: 300 }).batches;

  assert.deepEqual(found, event('RequestResponse', { annotations: { c: 'd', 'audit.k8s.io/truncated': 'true' } }));
});

for (const [what, given] of [
  ['has nothing that may be left out', event('Metadata', { userAgent: LARGE })],
  ['is too large without them', event('Request', { userAgent: LARGE, requestObject: { a: 1 } })],
] as const) {
  test(`an event that ${what} is lost, and others are not`, () => {
    const found = run([given, event('Metadata')], { maxBatchBytes: 1_000, maxEventBytes: 300 });

    assert.deepEqual([found.batches, found.lost], [[[event('Metadata')]], 1]);
  });
}

test('a batch is split where it would be too large', () => {
  const events = Array.from({ length: 5 }, () => event('Metadata'));
  const { length } = JSON.stringify(events[0]);

  assert.deepEqual(
    run(events, { maxBatchBytes: 2 * length, maxEventBytes: 300 }).batches.map((batch) => batch.length),
    [2, 2, 1],
  );
});

test('a backend that has to be waited for is waited for', async () => {
  const backend = { name: 'b', strict: true, process: async () => Promise.reject(new Error('no')), shutdown: async () => {} };
  const bounded = truncating(backend, { maxBatchBytes: 1_000, maxEventBytes: 300 }, () => {});

  assert.equal(bounded.strict, true);
  await assert.rejects(async () => bounded.process([event('Metadata')]), { message: 'no' });
});
