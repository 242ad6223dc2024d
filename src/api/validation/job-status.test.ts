// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Job, JobSpec, JobStatus } from '../generated/batch/v1.ts';
import { linesOf } from './_cases.ts';
import { jobStatusCauses } from './job-status.ts';

const [T1, T2] = ['2026-01-01T00:00:00Z', '2026-01-02T00:00:00Z'];
const is = (...types: readonly string[]) => types.map((type) => ({ type, status: 'True' }));
const DONE = { startTime: T1, completionTime: T2, conditions: is('SuccessCriteriaMet', 'Complete') };
const INDEXED = { completionMode: 'Indexed', completions: 5, parallelism: 5, backoffLimitPerIndex: 1 };

type Case = readonly [spec: object, before: object, now: object, ...expected: string[]];

const CASES: Readonly<Record<string, Case>> = {
  'may complete': [{}, { startTime: T1 }, DONE],
  'may fail': [{}, { startTime: T1 }, { startTime: T1, conditions: is('FailureTarget', 'Failed') }],
  'counts upwards': [
    {},
    { failed: 2, succeeded: 1 },
    { failed: 1, succeeded: 0 },
    'status.failed: Invalid value: 1: cannot decrease the failed counter',
    'status.succeeded: Invalid value: 0: cannot decrease the succeeded counter',
  ],
  'may lose successes when it is scaled down': [INDEXED, { succeeded: 5 }, { succeeded: 3 }],
  'ends in one way': [
    {},
    { startTime: T1 },
    { ...DONE, conditions: is('SuccessCriteriaMet', 'Complete', 'FailureTarget', 'Failed') },
    'status.conditions: Invalid value: cannot set Complete=True and Failed=true conditions',
    'status.conditions: Invalid value: cannot set Complete=True and FailureTarget=true conditions',
    'status.conditions: Invalid value: cannot set SuccessCriteriaMet=True and Failed=true conditions',
    'status.conditions: Invalid value: cannot set SuccessCriteriaMet=True and FailureTarget=true conditions',
  ],
  'says first why it ends': [
    {},
    { startTime: T1 },
    { startTime: T1, completionTime: T2, conditions: is('Complete') },
    'status.conditions: Invalid value: cannot set Complete=True condition without the SuccessCriteriaMet=true condition',
  ],
  'does not begin anew': [
    {},
    DONE,
    { startTime: T1 },
    'status.conditions: Invalid value: cannot disable the terminal Complete=True condition',
    'status.conditions: Invalid value: cannot disable the SuccessCriteriaMet=True condition',
  ],
  'completes at a time': [
    {},
    { startTime: T2 },
    { startTime: T2, conditions: is('SuccessCriteriaMet', 'Complete') },
    'status.completionTime: Required value: completionTime is required for Complete jobs',
  ],
  'completes once': [{}, DONE, { ...DONE, completionTime: T1 }, `status.completionTime: Invalid value: "${T1}": field is immutable`],
  'ends after it starts': [
    {},
    { startTime: T2 },
    { ...DONE, startTime: T2, completionTime: T1 },
    `status.completionTime: Invalid value: "${T1}": must be equal to or after \`startTime\``,
  ],
  'leaves nothing behind': [
    {},
    { startTime: T1 },
    { ...DONE, active: 1, terminating: 1, uncountedTerminatedPods: { failed: ['a'] } },
    'status.active: Invalid value: 1: active>0 is invalid for finished job',
    'status.uncountedTerminatedPods: Invalid value: {"Succeeded":null,"Failed":["a"]}: must be empty for finished job',
    'status.terminating: Invalid value: 1: terminating>0 is invalid for finished job',
  ],
  'keeps its start while it runs': [
    {},
    { startTime: T1 },
    { startTime: T2 },
    'status.startTime: Required value: startTime cannot be removed for unsuspended job',
  ],
  'loses its start when it is suspended': [{ suspend: true }, { startTime: T1 }, {}],
  'starts anew when it is resumed': [
    {},
    { startTime: T1, conditions: is('Suspended') },
    { startTime: T2, conditions: [{ type: 'Suspended', status: 'False' }] },
  ],
  'lists indexes if it has any': [
    {},
    {},
    { completedIndexes: '0', failedIndexes: '1' },
    'status.completedIndexes: Invalid value: "0": cannot set non-empty completedIndexes when non-indexed completion mode',
    'status.failedIndexes: Invalid value: "1": cannot set non-null failedIndexes when backoffLimitPerIndex is null',
  ],
  'lists indexes as they are written': [
    INDEXED,
    {},
    { completedIndexes: '1,5', failedIndexes: '3,2' },
    'status.completedIndexes: Invalid value: "1,5": error parsing completedIndexes: too large index: "5"',
    'status.failedIndexes: Invalid value: "3,2": error parsing failedIndexes: non-increasing order, previous: 3, current: 2',
  ],
  'lists an index as one thing': [
    INDEXED,
    {},
    { completedIndexes: '0,2-4', failedIndexes: '1,3' },
    'status.failedIndexes: Invalid value: "1,3": failedIndexes and completedIndexes overlap at index: 3',
  ],
  'is let be where nothing changes': [{}, { ...DONE, active: 1, ready: 2 }, { ...DONE, active: 1, ready: 2, failed: 1 }],
  'counts the ready among the active': [
    {},
    {},
    { ready: 2, active: 1 },
    'status.ready: Invalid value: 2: cannot set more ready pods than active',
  ],
  'names each Pod once': [
    {},
    {},
    { uncountedTerminatedPods: { succeeded: ['a', ''], failed: ['a'] } },
    'status.uncountedTerminatedPods.succeeded[1]: Invalid value: "": must not be empty',
    'status.uncountedTerminatedPods.failed[0]: Duplicate value: "a"',
  ],
};

describe('the status of a Job', () => {
  for (const [name, [spec, before, now, ...expected]] of Object.entries(CASES)) {
    it(name, () => {
      const job = (status: object) => ({ spec: spec as JobSpec, status: status as JobStatus }) as Job;
      assert.deepEqual(linesOf(jobStatusCauses(job(now), job(before))), expected);
    });
  }
});
