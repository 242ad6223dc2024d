// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Job, JobSpec } from '#api/batch/v1';
import type { Pod } from '#api/core/v1';
import { jobs, pods } from '#api/resources';
import { formatTime } from '#component';
import type { DeepReadonly, Draft } from '#machinery';
import { Lab } from '../_harness.ts';
import { indexOf } from './indexes.ts';
import { FAILURES, matchFailurePolicy, matchSuccessPolicy } from './policies.ts';

const KEY = { namespace: 'default', name: 'j' };
const selector = { matchLabels: { j: 'u' } };
const template = { metadata: { labels: { j: 'u' } }, spec: { containers: [{ name: 'c', image: 'i' }], restartPolicy: 'Never' as const } };
const jobOf = (spec: object) =>
  ({ metadata: KEY, spec: { backoffLimit: 6, parallelism: 3, selector, template, ...spec } }) as unknown as Draft<Job>;
const indexed = (spec: object) => jobOf({ completionMode: 'Indexed', completions: 3, ...spec });
const failedPod = (exitCode: number, conditions: object[] = []) =>
  ({
    metadata: { namespace: 'n', name: 'p' },
    status: { phase: 'Failed', conditions, containerStatuses: [{ name: 'c', state: { terminated: { exitCode } } }] },
  }) as unknown as DeepReadonly<Pod>;
const withRules = (rules: object[]) => ({ spec: { podFailurePolicy: { rules } } }) as unknown as DeepReadonly<Job>;

const DISRUPTED = { type: 'DisruptionTarget', status: 'True' };
const rule = (operator: string, values: number[], more: object = {}) => ({ action: 'FailJob', onExitCodes: { operator, values, ...more } });
const matches: readonly (readonly [string, object[], DeepReadonly<Pod>, string | undefined])[] = [
  [
    'a code that is listed',
    [rule('In', [3])],
    failedPod(3),
    'Container c for pod n/p failed with exit code 3 matching FailJob rule at index 0',
  ],
  ['a code that is not listed', [rule('In', [3])], failedPod(4), undefined],
  [
    'a code outside a list',
    [rule('NotIn', [3])],
    failedPod(4),
    'Container c for pod n/p failed with exit code 4 matching FailJob rule at index 0',
  ],
  ['success, whatever the operator', [rule('NotIn', [3])], failedPod(0), undefined],
  ['another container', [rule('In', [3], { containerName: 'd' })], failedPod(3), undefined],
  [
    'a condition, after a rule that does not match',
    [rule('In', [3]), { action: 'Ignore', onPodConditions: [DISRUPTED] }],
    failedPod(1, [DISRUPTED]),
    'Pod n/p has condition DisruptionTarget matching Ignore rule at index 1',
  ],
];
for (const [what, rules, pod, message] of matches) {
  test(`a failure policy ${message === undefined ? 'leaves out' : 'matches'} ${what}`, () => {
    assert.equal(matchFailurePolicy(withRules(rules), pod)?.message, message);
  });
}

const successes: readonly (readonly [object, number[], boolean])[] = [
  [{ succeededCount: 1 }, [], false],
  [{ succeededCount: 1 }, [2], true],
  [{ succeededIndexes: '0,2' }, [0, 1], false],
  [{ succeededIndexes: '0,2' }, [0, 2], true],
  [{ succeededIndexes: '0-2', succeededCount: 2 }, [0], false],
  [{ succeededIndexes: '0-2', succeededCount: 2 }, [0, 1], true],
];
for (const [one, done, expected] of successes) {
  test(`success by ${JSON.stringify(one)} with ${done} done is ${expected}`, () => {
    const job = { spec: { completions: 5, successPolicy: { rules: [one] } } } as unknown as DeepReadonly<Job>;
    assert.equal(matchSuccessPolicy(job, new Set(done)), expected ? 'Matched rules at index 0' : undefined);
  });
}

/** Ends the active Pods of some indexes (all without) with an exit code. */
async function end(lab: Lab, exitCode: number, indexes?: readonly number[], conditions: object[] = []): Promise<void> {
  const finishedAt = formatTime(lab.clock.now());
  for (const pod of lab.api.peekAll(pods)) {
    if (pod.status.phase === 'Failed' || pod.status.phase === 'Succeeded' || indexes?.includes(indexOf(pod) ?? -1) === false) continue;
    const status = {
      phase: exitCode === 0 ? 'Succeeded' : 'Failed',
      conditions,
      containerStatuses: [{ name: 'c', state: { terminated: { exitCode, finishedAt } } }],
    };
    await lab.api.patch(pods, pod.metadata, 'merge', { status }, { subresource: 'status' });
  }
  await lab.settle();
}

const conditionsOf = (lab: Lab) => lab.api.peek(jobs, KEY)?.status.conditions?.map(({ type, reason }) => `${type} ${reason}`);

async function start(spec: Partial<Record<keyof JobSpec, unknown>>, mode: typeof jobOf = indexed): Promise<Lab> {
  const lab = new Lab(['job-controller']);
  await lab.api.create(jobs, mode(spec));
  await lab.settle();
  return lab;
}

test('a Job fails early when its failure policy says so', async () => {
  await using lab = await start({ completions: 3, podFailurePolicy: { rules: [rule('In', [42])] }, podReplacementPolicy: 'Failed' }, jobOf);
  const [first] = lab.api.peekAll(pods);
  const terminated = { exitCode: 42, finishedAt: formatTime(lab.clock.now()) };
  await lab.api.patch(
    pods,
    first?.metadata ?? KEY,
    'merge',
    { status: { phase: 'Failed', containerStatuses: [{ name: 'c', state: { terminated } }] } },
    { subresource: 'status' },
  );
  await lab.settle();
  await lab.runPods();
  assert.deepEqual(conditionsOf(lab), ['FailureTarget PodFailurePolicy', 'Failed PodFailurePolicy']);
});

test('ignored failures count against no limit, and their Pods are replaced', async () => {
  const podFailurePolicy = { rules: [{ action: 'Ignore', onPodConditions: [DISRUPTED] }] };
  await using lab = await start({ completions: 3, backoffLimit: 0, podFailurePolicy, podReplacementPolicy: 'Failed' }, jobOf);
  await end(lab, 1, undefined, [DISRUPTED]);
  const job = lab.api.peek(jobs, KEY);
  assert.deepEqual([job?.status.failed ?? 0, job?.status.active], [0, 3]);
  assert.equal(lab.api.peekAll(pods).filter(({ status }) => status.phase !== 'Failed').length, 3);
});

test('a Job that met its success policy stops what still runs and completes', async () => {
  await using lab = await start({ successPolicy: { rules: [{ succeededIndexes: '0' }] } });
  await end(lab, 0, [0]);
  await lab.runPods();
  await lab.settle();
  assert.deepEqual(conditionsOf(lab), ['SuccessCriteriaMet SuccessPolicy', 'Complete SuccessPolicy']);
  assert.equal(lab.api.peek(jobs, KEY)?.status.completedIndexes, '0');
});

test('with a limit per index the others go on, and the Job fails when all have ended', async () => {
  await using lab = await start({ backoffLimit: undefined, backoffLimitPerIndex: 1 });
  await end(lab, 1, [1]);
  assert.equal(lab.api.peekAll(pods).length, 3, 'the index waits');
  await lab.settle(10_000);
  const second = lab.api.peekAll(pods).find((pod) => indexOf(pod) === 1 && pod.status.phase !== 'Failed');
  assert.equal(second?.metadata.annotations?.[FAILURES], '1');

  await end(lab, 1, [1]);
  assert.equal(lab.api.peek(jobs, KEY)?.status.failedIndexes, '1');
  assert.equal(conditionsOf(lab), undefined);
  await end(lab, 0);
  const job = lab.api.peek(jobs, KEY);
  assert.deepEqual([job?.status.completedIndexes, job?.status.failedIndexes, job?.status.failed], ['0,2', '1', 2]);
  assert.deepEqual(conditionsOf(lab), ['FailureTarget FailedIndexes', 'Failed FailedIndexes']);
});

test('a Job ends when more indexes failed than it bears', async () => {
  await using lab = await start({ backoffLimit: undefined, backoffLimitPerIndex: 0, maxFailedIndexes: 1 });
  await end(lab, 1, [0, 1]);
  await lab.runPods();
  assert.deepEqual(conditionsOf(lab), ['FailureTarget MaxFailedIndexesExceeded', 'Failed MaxFailedIndexesExceeded']);
});

test('FailIndex gives an index up at once', async () => {
  const podFailurePolicy = { rules: [{ action: 'FailIndex', onExitCodes: { operator: 'In', values: [7] } }] };
  await using lab = await start({ backoffLimit: undefined, backoffLimitPerIndex: 5, podFailurePolicy, podReplacementPolicy: 'Failed' });
  await end(lab, 7, [2]);
  assert.equal(lab.api.peek(jobs, KEY)?.status.failedIndexes, '2');
});
