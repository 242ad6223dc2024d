// SPDX-License-Identifier: Apache-2.0
// The plan for a Pod, as a table: what is there, what is wanted, what is to be done.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { PodSpec } from '#api/core/v1';
import type { Draft } from '#machinery';
import { containerOf, podOf, runtimeOf, SANDBOX, spec } from '../testing/objects.ts';
import { type PlanInput, planPod } from './plan.ts';
import { EMPTY_RUNTIME, type PodRuntime, podRuntime } from './pod-runtime.ts';

function plan(podSpec: Draft<PodSpec>, runtime: PodRuntime, rest: Partial<PlanInput> = {}): string {
  const result = planPod({
    pod: podOf(podSpec),
    runtime,
    liveness: () => 'unknown',
    startup: () => 'unknown',
    started: () => true,
    crashWait: () => undefined,
    ...rest,
  });
  const parts = [
    result.finished ? 'finished' : '',
    result.createSandbox === undefined ? '' : `sandbox ${result.createSandbox}`,
    ...result.kill.map((step) => `kill ${step.spec.name}`),
    ...result.start.map((step) => `start ${step.spec.name}@${step.restartCount}`),
    ...result.waiting.map((wait) => `wait ${wait.spec.name}`),
  ];
  return parts.filter((part) => part !== '').join(', ');
}

const web = { containers: [spec('web')] };
const never = { ...web, restartPolicy: 'Never' as const };
const onFailure = { ...web, restartPolicy: 'OnFailure' as const };
const withInit = { ...web, initContainers: [spec('one'), spec('two')] };
const withSidecar = { ...web, initContainers: [spec('side', { restartPolicy: 'Always' }), spec('one')] };
const oldSandbox = podRuntime([{ ...SANDBOX, state: 'notready' }], [containerOf('web:0')]);

const TABLE: readonly (readonly [string, Draft<PodSpec>, PodRuntime, string])[] = [
  ['a new pod', web, EMPTY_RUNTIME, 'sandbox 0, start web@0'],
  ['a running pod', web, runtimeOf('web:running'), ''],
  ['an ended container that always restarts', web, runtimeOf('web:0'), 'start web@1'],
  ['an ended container that restarts on failure, without one', onFailure, runtimeOf('web:0'), 'finished'],
  ['an ended container that restarts on failure, with one', onFailure, runtimeOf('web:1@4'), 'start web@5'],
  ['an ended container that never restarts', never, runtimeOf('web:1'), 'finished'],
  ['a lost sandbox', web, oldSandbox, 'sandbox 1, start web@1'],
  ['a lost sandbox of a pod that is done', never, oldSandbox, 'finished'],
  ['the first init container', withInit, runtimeOf(), 'start one@0'],
  ['an init container that runs', withInit, runtimeOf('one:running'), ''],
  ['the second init container', withInit, runtimeOf('one:0'), 'start two@0'],
  ['a failed init container', withInit, runtimeOf('one:1'), 'start one@1'],
  ['a failed init container that never restarts', { ...withInit, restartPolicy: 'Never' }, runtimeOf('one:1'), 'finished'],
  ['mains after init', withInit, runtimeOf('one:0', 'two:0'), 'start web@0'],
  ['init containers that were cleaned away', withInit, runtimeOf('web:running'), ''],
  ['a sidecar first', withSidecar, runtimeOf(), 'start side@0'],
  ['init after a sidecar', withSidecar, runtimeOf('side:running'), 'start one@0'],
  ['mains beside a sidecar', withSidecar, runtimeOf('side:running', 'one:0'), 'start web@0'],
  ['a sidecar that ended', withSidecar, runtimeOf('side:1', 'one:0', 'web:running'), 'start side@1'],
  [
    'mains that are done end the sidecar too',
    { ...withSidecar, restartPolicy: 'Never' },
    runtimeOf('side:running', 'one:0', 'web:0'),
    'finished',
  ],
];

for (const [name, podSpec, runtime, wanted] of TABLE) {
  test(`planPod() for ${name}`, () => assert.equal(plan(podSpec, runtime), wanted));
}

test('planPod() kills and restarts what fails its liveness probe, and only kills it when nothing restarts', () => {
  const liveness = () => 'failure' as const;
  assert.equal(plan(web, runtimeOf('web:running'), { liveness }), 'kill web, start web@1');
  assert.equal(plan(never, runtimeOf('web:running'), { liveness }), 'kill web');
});

test('planPod() replaces a container whose image has changed', () => {
  assert.equal(plan({ containers: [spec('web', { image: 'other' })] }, runtimeOf('web:running')), 'kill web, start web@1');
});

test('planPod() waits for the crash back-off', () => {
  assert.equal(plan(web, runtimeOf('web:1'), { crashWait: () => 5000 }), 'wait web');
});

test('planPod() waits for a sidecar that has not started', () => {
  assert.equal(plan(withSidecar, runtimeOf('side:running'), { started: () => false }), '');
});

test('planPod() adds ephemeral containers to a running pod once', () => {
  const podSpec = { ...web, ephemeralContainers: [spec('debug')] } as Draft<PodSpec>;
  assert.equal(plan(podSpec, runtimeOf('web:running')), 'start debug@0');
  assert.equal(plan(podSpec, runtimeOf('web:running', 'debug:0')), '');
});

test('planPod() never starts a main while an init container is open, whatever the state', () => {
  const state = fc.constantFrom('running', '0', '1', 'none');
  fc.assert(
    fc.property(state, state, fc.constantFrom('Always', 'OnFailure', 'Never'), (one, two, restartPolicy) => {
      const there = [one === 'none' ? '' : `one:${one}`, two === 'none' ? '' : `two:${two}`].filter((text) => text !== '');
      const result = plan({ ...withInit, restartPolicy: restartPolicy as 'Always' }, runtimeOf(...there));
      if (one !== '0' || two !== '0') assert.ok(!result.includes('start web'), result);
    }),
  );
});
