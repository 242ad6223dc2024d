// SPDX-License-Identifier: Apache-2.0
// Pod statuses: phases, conditions, container states, and the patches that write them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PodSpec, PodStatus } from '#api/core/v1';
import type { Draft } from '#machinery';
import { EMPTY_RUNTIME, type PodRuntime } from '../pod/pod-runtime.ts';
import { podOf, runtimeOf, spec } from '../testing/objects.ts';
import { mergeConditions } from './conditions.ts';
import { generateStatus, type StatusInput } from './generate.ts';
import { statusPatch } from './status-manager.ts';

function statusOf(podSpec: Draft<PodSpec>, runtime: PodRuntime, rest: Partial<StatusInput> = {}, known: Draft<PodStatus> = {}): PodStatus {
  return generateStatus({
    pod: podOf(podSpec, { status: known }),
    runtime,
    scheme: 'x',
    hostIps: ['192.168.0.1'],
    now: 0,
    waiting: new Map(),
    started: () => true,
    ready: () => true,
    terminating: false,
    failure: undefined,
    findImage: () => undefined,
    message: () => undefined,
    ...rest,
  });
}

const web = { containers: [spec('web')], restartPolicy: 'Always' as const };
const two = { containers: [spec('web'), spec('db')], restartPolicy: 'Never' as const };
const init = { ...web, initContainers: [spec('one')] };
const side = { ...web, initContainers: [spec('s', { restartPolicy: 'Always' })] };

const PHASES: readonly (readonly [string, Draft<PodSpec>, PodRuntime, string])[] = [
  ['nothing runs yet', web, EMPTY_RUNTIME, 'Pending'],
  ['all run', web, runtimeOf('web:running'), 'Running'],
  ['one of two runs and the other never did', two, runtimeOf('web:running'), 'Pending'],
  ['one of two has ended', two, runtimeOf('web:running', 'db:0'), 'Running'],
  ['all ended well', two, runtimeOf('web:0', 'db:0'), 'Succeeded'],
  ['one ended badly', two, runtimeOf('web:0', 'db:1'), 'Failed'],
  ['an end that restarts', web, runtimeOf('web:0'), 'Running'],
  ['init runs', init, runtimeOf('one:running'), 'Pending'],
  ['init failed for good', { ...init, restartPolicy: 'Never' }, runtimeOf('one:1'), 'Failed'],
  ['a sidecar does not keep it running', { ...side, restartPolicy: 'Never' }, runtimeOf('s:0', 'web:0'), 'Succeeded'],
];

for (const [name, podSpec, runtime, wanted] of PHASES) {
  test(`the phase is ${wanted} when ${name}`, () => assert.equal(statusOf(podSpec, runtime).phase, wanted));
}

test('the end of a pod is told only when nothing runs any more', () => {
  const failure = { reason: 'Evicted', message: 'why' };
  const running = statusOf(web, runtimeOf('web:running'), { failure, terminating: true }, { phase: 'Running' });
  const ended = statusOf(web, runtimeOf('web:137'), { failure, terminating: true }, { phase: 'Running' });
  assert.deepEqual([running.phase, running.reason], ['Running', undefined]);
  assert.deepEqual([ended.phase, ended.reason, ended.message], ['Failed', 'Evicted', 'why']);
});

test('a pod that has ended keeps its statuses when its containers are gone', () => {
  const known = {
    phase: 'Succeeded' as const,
    containerStatuses: [{ name: 'web', containerID: 'x://1', state: { terminated: { exitCode: 0, reason: 'Completed' } }, lastState: {} }],
  };
  const status = statusOf(web, EMPTY_RUNTIME, {}, known);
  assert.equal(status.phase, 'Succeeded');
  assert.equal(status.containerStatuses?.[0]?.state.terminated?.reason, 'Completed');
});

test('a crash shows the wait and the last end', () => {
  const waiting = new Map([['web', { reason: 'CrashLoopBackOff', message: 'm' }]]);
  const [container] = statusOf(web, runtimeOf('web:1@2', 'web:0@1'), { waiting }).containerStatuses ?? [];
  assert.deepEqual(container?.state, { waiting: { reason: 'CrashLoopBackOff', message: 'm' } });
  assert.deepEqual([container?.lastState.terminated?.exitCode, container?.restartCount, container?.ready], [1, 2, false]);
});

test('mains wait for init with PodInitializing and conditions name what is open', () => {
  const status = statusOf(init, runtimeOf('one:running'));
  const find = (type: string) => status.conditions?.find((condition) => condition.type === type);
  assert.equal(status.containerStatuses?.[0]?.state.waiting?.reason, 'PodInitializing');
  assert.deepEqual(
    [find('Initialized')?.reason, find('Initialized')?.message],
    ['ContainersNotInitialized', 'containers with incomplete status: [one]'],
  );
  assert.deepEqual([find('Ready')?.reason, find('Ready')?.message], ['ContainersNotReady', 'containers with unready status: [web]']);
  assert.equal(find('PodReadyToStartContainers')?.status, 'True');
});

test('readiness gates hold the pod back', () => {
  const gated = { ...web, readinessGates: [{ conditionType: 'gate' }] };
  const ready = (known: Draft<PodStatus>) =>
    statusOf(gated, runtimeOf('web:running'), {}, known).conditions?.find((condition) => condition.type === 'Ready');
  assert.equal(ready({})?.message, 'corresponding condition of pod readiness gate "gate" does not exist.');
  assert.equal(
    ready({ conditions: [{ type: 'gate', status: 'False' }] })?.message,
    'the status of pod readiness gate "gate" is not "True", but False',
  );
  assert.equal(ready({ conditions: [{ type: 'gate', status: 'True' }] })?.status, 'True');
});

test('mergeConditions() moves the transition time only with the status', () => {
  const known = [{ type: 'Ready', status: 'True' as const, lastTransitionTime: 'old' }];
  assert.deepEqual(
    mergeConditions(
      [
        { type: 'Ready', status: 'True' },
        { type: 'Other', status: 'False' },
      ],
      known,
      'new',
    ).map((condition) => condition.lastTransitionTime),
    ['old', 'new'],
  );
  assert.equal(mergeConditions([{ type: 'Ready', status: 'False' }], known, 'new')[0]?.lastTransitionTime, 'new');
});

test('statusPatch() holds only what differs', () => {
  const status: PodStatus = { phase: 'Running', podIP: '1', podIPs: [{ ip: '1' }], conditions: [{ type: 'Ready', status: 'True' }] };
  assert.deepEqual(statusPatch(status, structuredClone(status)), {});
  assert.deepEqual(statusPatch(status, { ...status, phase: 'Pending', message: 'm', podIPs: [{ ip: '2' }] }), {
    phase: 'Running',
    message: null,
    podIPs: [{ ip: '1' }, { $patch: 'replace' }],
  });
  const turned = statusPatch(status, {
    ...status,
    conditions: [
      { type: 'Ready', status: 'False', reason: 'r' },
      { type: 'theirs', status: 'True' },
    ],
  });
  assert.deepEqual(turned['conditions'], [{ type: 'Ready', status: 'True', reason: null, message: null }]);
  assert.deepEqual(turned['$setElementOrder/conditions'], [{ type: 'Ready' }, { type: 'theirs' }]);
});
