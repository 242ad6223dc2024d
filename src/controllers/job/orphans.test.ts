// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Job } from '#api/batch/v1';
import type { Pod } from '#api/core/v1';
import { jobs, pods } from '#api/resources';
import type { Draft } from '#machinery';
import { Lab } from '../_harness.ts';
import { TRACKING } from './plan.ts';

const KEY = { namespace: 'default', name: 'j' };
const matchLabels = { j: 'u' };
const container = { name: 'c', image: 'i' };
const draft = {
  metadata: KEY,
  spec: {
    backoffLimit: 6,
    parallelism: 2,
    completions: 2,
    selector: { matchLabels },
    template: { metadata: { labels: matchLabels }, spec: { containers: [container], restartPolicy: 'Never' } },
  },
} as unknown as Draft<Job>;
const tracked = (lab: Lab) => lab.api.peekAll(pods).filter(({ metadata }) => metadata.finalizers?.includes(TRACKING) === true);

async function start(): Promise<Lab> {
  const lab = new Lab(['job-controller']);
  await lab.settle();
  await lab.api.create(jobs, draft);
  await lab.settle();
  await lab.runPods();
  assert.equal(tracked(lab).length, 2);
  return lab;
}

test('Pods of a Job that is gone are let go of, so that they can be deleted', async () => {
  await using lab = await start();

  await lab.api.delete(jobs, KEY, { propagationPolicy: 'Background' });
  await lab.settle();

  assert.deepEqual(tracked(lab), []);
});

test('a Pod that is tracked by a Job of another time is let go of', async () => {
  await using lab = await start();
  const owner = { apiVersion: 'batch/v1', kind: 'Job', name: KEY.name, uid: 'another', controller: true };

  await lab.api.create(pods, {
    metadata: { namespace: 'default', name: 'old', finalizers: [TRACKING], ownerReferences: [owner] },
    spec: { containers: [container] },
  } as unknown as Draft<Pod>);
  await lab.settle();

  assert.equal(
    tracked(lab).some(({ metadata }) => metadata.name === 'old'),
    false,
  );
  assert.equal(tracked(lab).length, 2, 'those of the Job itself stay');
});

test('a Pod that is released loses the finalizer with its owner, and one that is adopted gets it', async () => {
  await using lab = await start();
  const released = tracked(lab)[0]?.metadata ?? KEY;

  await lab.api.patch(pods, released, 'merge', { metadata: { labels: { j: 'not-matching' } } });
  await lab.settle();

  const after = lab.api.peek(pods, released);
  assert.deepEqual([after?.metadata.ownerReferences ?? [], after?.metadata.finalizers ?? []], [[], []]);

  await lab.api.patch(pods, released, 'merge', { metadata: { labels: matchLabels } });
  await lab.settle();

  assert.deepEqual(lab.api.peek(pods, released)?.metadata.finalizers, [TRACKING]);
});
