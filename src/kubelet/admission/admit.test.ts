// SPDX-License-Identifier: Apache-2.0
// What the node refuses, with upstream's reasons.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Node, PodSpec } from '#api/core/v1';
import type { Draft } from '#machinery';
import { podOf, spec } from '../testing/objects.ts';
import { admitPod } from './admit.ts';

const NODE = {
  metadata: { name: 'n', labels: { zone: 'a', 'kubernetes.io/os': 'linux' } },
  spec: { taints: [{ key: 'k', effect: 'NoExecute' }] },
  status: { allocatable: { cpu: '1', memory: '1Gi', pods: '2' } },
} as unknown as Node;

const tolerant = { tolerations: [{ operator: 'Exists' as const }] };
const requests = (cpu: string) => ({ containers: [spec('web', { resources: { requests: { cpu } } })] });
const port = (hostPort: number, hostIP?: string) => ({
  containers: [spec('web', { ports: [{ containerPort: 1, hostPort, ...(hostIP === undefined ? {} : { hostIP }) }] })],
});
const required = (key: string) => ({
  affinity: {
    nodeAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchExpressions: [{ key, operator: 'Exists' as const }] }] },
    },
  },
});

const TABLE: readonly (readonly [string, Draft<PodSpec>, readonly Draft<PodSpec>[], string | undefined])[] = [
  ['a pod that fits', requests('1'), [], undefined],
  ['too much CPU', requests('600m'), [requests('500m')], 'OutOfcpu'],
  ['one pod too many', requests('0'), [requests('0'), requests('0')], 'OutOfpods'],
  ['another zone', { ...requests('0'), nodeSelector: { zone: 'b' } }, [], 'NodeAffinity'],
  ['an affinity that matches', { ...requests('0'), ...required('zone') }, [], undefined],
  ['an affinity that does not', { ...requests('0'), ...required('rack') }, [], 'NodeAffinity'],
  ['a taken host port', port(80), [port(80)], 'NodePorts'],
  ['a host port on another address', port(80, '1.1.1.1'), [port(80, '2.2.2.2')], undefined],
  ['another system', { ...requests('0'), os: { name: 'windows' } }, [], 'PodOSNotSupported'],
  [
    'an extended resource the node lacks',
    { containers: [spec('web', { resources: { limits: { 'example.com/gpu': '1' } } })] },
    [],
    'OutOfexample.com/gpu',
  ],
];

for (const [name, podSpec, others, reason] of TABLE) {
  test(`admitPod() for ${name}`, () => {
    const refusal = admitPod(
      podOf({ ...tolerant, ...podSpec }),
      others.map((other) => podOf(other)),
      NODE,
    );
    assert.equal(refusal?.reason, reason);
  });
}

test('admitPod() refuses a pod that does not tolerate NoExecute', () => {
  assert.equal(admitPod(podOf(requests('0')), [], NODE)?.reason, 'TaintToleration');
});

test('admitPod() says what was short in the unit of the resource', () => {
  assert.equal(
    admitPod(podOf({ ...tolerant, ...requests('600m') }), [podOf(requests('500m'))], NODE)?.message,
    "Node didn't have enough resource: cpu, requested: 600, used: 500, capacity: 1000",
  );
});
