// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Namespace } from '#api/core/v1';
import { ObjectCache } from '#client';
import { selectorOfMap } from '#machinery';
import { makeNode, makeNodeInfo, makePodInfo } from '../_objects.ts';
import type { NodeInfo } from '../cache/node-info.ts';
import type { PodInfo } from '../cache/pod-info.ts';
import { CycleState, type NodeView, type Plugin } from '../framework/plugin.ts';
import { balancedAllocation } from './balanced-allocation.ts';
import { interPodAffinity } from './inter-pod-affinity.ts';
import { nodeAffinity } from './node-affinity.ts';
import { nodeName } from './node-name.ts';
import { nodePorts } from './node-ports.ts';
import { nodeResourcesFit } from './node-resources-fit.ts';
import { nodeUnschedulable } from './node-unschedulable.ts';
import { podTopologySpread } from './pod-topology-spread.ts';
import { taintToleration } from './taint-toleration.ts';

function viewOf(...nodes: readonly NodeInfo[]): NodeView {
  return {
    nodes,
    find: (name) => nodes.find((node) => node.name === name),
    withAffinity: nodes.filter((node) => node.withAffinity.size > 0),
    withAntiAffinity: nodes.filter((node) => node.withAntiAffinity.size > 0),
  };
}

/** The reasons a node is rejected with, and how hard. */
function judge(plugin: Plugin, pod: PodInfo, nodes: readonly NodeInfo[]): string[] {
  const state = new CycleState();
  const before = plugin.preFilter?.(state, pod, viewOf(...nodes));
  if (before?.type === 'skip') return nodes.map(() => '');
  return nodes.map((node) => {
    const rejection = plugin.filter?.(state, pod, node);
    return rejection === undefined ? '' : `${rejection.code}: ${rejection.reasons.join(', ')}`;
  });
}

function scores(plugin: Plugin, pod: PodInfo, nodes: readonly NodeInfo[]): number[] {
  const state = new CycleState();
  if (plugin.preScore?.(state, pod, nodes, viewOf(...nodes)) === false) return nodes.map(() => 0);
  const raw = nodes.map((node) => plugin.score?.(state, pod, node) ?? 0);
  plugin.normalize?.(state, raw, nodes);
  return raw;
}

const plain = makeNodeInfo(makeNode('plain'));
const tainted = makeNodeInfo(makeNode('tainted', { spec: { taints: [{ key: 'k', value: 'v', effect: 'NoSchedule' }] } }));
const cordoned = makeNodeInfo(makeNode('cordoned', { spec: { unschedulable: true } }));
const labelled = makeNodeInfo(makeNode('labelled', { labels: { disk: 'ssd', gen: '7' } }));
const affinity = (...matchExpressions: object[]) => ({
  affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchExpressions }] } } },
});
const MISMATCH = "unresolvable: node(s) didn't match Pod's node affinity/selector";

const FILTERS: readonly (readonly [name: string, plugin: Plugin, pod: PodInfo, node: NodeInfo, expected: string])[] = [
  [
    'another node is named',
    nodeName,
    makePodInfo('p', { spec: { nodeName: 'other' } }),
    plain,
    "unresolvable: node(s) didn't match the requested node name",
  ],
  ['the node is cordoned', nodeUnschedulable, makePodInfo('p'), cordoned, 'unresolvable: node(s) were unschedulable'],
  ['the cordon is tolerated', nodeUnschedulable, makePodInfo('p', { spec: { tolerations: [{ operator: 'Exists' }] } }), cordoned, ''],
  ['a taint is not tolerated', taintToleration, makePodInfo('p'), tainted, 'unresolvable: node(s) had untolerated taint(s)'],
  [
    'the taint is tolerated',
    taintToleration,
    makePodInfo('p', { spec: { tolerations: [{ key: 'k', value: 'v', effect: 'NoSchedule' }] } }),
    tainted,
    '',
  ],
  ['the selector matches', nodeAffinity, makePodInfo('p', { spec: { nodeSelector: { disk: 'ssd' } } }), labelled, ''],
  ['the selector does not match', nodeAffinity, makePodInfo('p', { spec: { nodeSelector: { disk: 'ssd' } } }), plain, MISMATCH],
  ['In matches', nodeAffinity, makePodInfo('p', { spec: affinity({ key: 'disk', operator: 'In', values: ['hdd', 'ssd'] }) }), labelled, ''],
  [
    'NotIn matches what is absent',
    nodeAffinity,
    makePodInfo('p', { spec: affinity({ key: 'disk', operator: 'NotIn', values: ['ssd'] }) }),
    plain,
    '',
  ],
  [
    'Gt compares numbers',
    nodeAffinity,
    makePodInfo('p', { spec: affinity({ key: 'gen', operator: 'Gt', values: ['10'] }) }),
    labelled,
    MISMATCH,
  ],
  ['an empty term matches nothing', nodeAffinity, makePodInfo('p', { spec: affinity() }), labelled, MISMATCH],
  ['there is room', nodeResourcesFit, makePodInfo('p', { cpu: '4', memory: '8Gi' }), plain, ''],
  [
    'the node is full',
    nodeResourcesFit,
    makePodInfo('p', { cpu: '1500m' }),
    makeNodeInfo(makeNode('n'), makePodInfo('q', { cpu: '3' })),
    'unschedulable: Insufficient cpu',
  ],
  [
    'the node is too small',
    nodeResourcesFit,
    makePodInfo('p', { cpu: '5', memory: '9Gi' }),
    plain,
    'unresolvable: Insufficient cpu, Insufficient memory',
  ],
  [
    'there are too many Pods',
    nodeResourcesFit,
    makePodInfo('p'),
    makeNodeInfo(makeNode('n', { pods: '1' }), makePodInfo('q')),
    'unschedulable: Too many pods',
  ],
  [
    'a port is taken',
    nodePorts,
    makePodInfo('p', { spec: { containers: [{ name: 'c', ports: [{ hostPort: 80 }] }] } }),
    makeNodeInfo(makeNode('n'), makePodInfo('q', { spec: { containers: [{ name: 'c', ports: [{ hostPort: 80, hostIP: '10.0.0.1' }] }] } })),
    "unschedulable: node(s) didn't have free ports for the requested pod ports",
  ],
  [
    'the port is taken for another protocol',
    nodePorts,
    makePodInfo('p', { spec: { containers: [{ name: 'c', ports: [{ hostPort: 80, protocol: 'UDP' }] }] } }),
    makeNodeInfo(makeNode('n'), makePodInfo('q', { spec: { containers: [{ name: 'c', ports: [{ hostPort: 80 }] }] } })),
    '',
  ],
];
for (const [name, plugin, pod, node, expected] of FILTERS) {
  test(`${plugin.name}: ${name}`, () => {
    assert.deepEqual(judge(plugin, pod, [node]), [expected]);
  });
}

const zone = (name: string, value: string, ...pods: readonly PodInfo[]) =>
  makeNodeInfo(makeNode(name, { labels: { zone: value } }), ...pods);
const web = (name: string) => makePodInfo(name, { labels: { app: 'web' } });
const spread = (whenUnsatisfiable: string) =>
  makePodInfo('p', {
    labels: { app: 'web' },
    spec: {
      topologySpreadConstraints: [{ maxSkew: 1, topologyKey: 'zone', whenUnsatisfiable, labelSelector: { matchLabels: { app: 'web' } } }],
    },
  });

test('PodTopologySpread: a crowded zone is rejected, and a node without the key for good', () => {
  const nodes = [zone('a', 'z1', web('1'), web('2')), zone('b', 'z2', web('3')), makeNodeInfo(makeNode('c'))];

  assert.deepEqual(
    judge(
      podTopologySpread(() => undefined),
      spread('DoNotSchedule'),
      nodes,
    ),
    [
      "unschedulable: node(s) didn't match pod topology spread constraints",
      '',
      "unresolvable: node(s) didn't match pod topology spread constraints (missing required label)",
    ],
  );
});

test('PodTopologySpread: emptier domains score higher, also by default for the Pods of a Service', () => {
  const nodes = [zone('a', 'z1', web('1'), web('2')), zone('b', 'z2')];
  const [crowded = 0, empty = 0] = scores(
    podTopologySpread(() => undefined),
    spread('ScheduleAnyway'),
    nodes,
  );
  const [full = 0, free = 0] = scores(
    podTopologySpread(() => selectorOfMap({ app: 'web' })),
    web('p'),
    nodes,
  );

  assert.ok(empty > crowded && free > full);
});

const noNamespaces = new ObjectCache<Namespace>();
const term = { labelSelector: { matchLabels: { app: 'web' } }, topologyKey: 'zone' };
const near = { affinity: { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term] } } };
const apart = { affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term] } } };

test('InterPodAffinity: near wants the zone of a match, apart avoids it, and those that are there are asked too', () => {
  const plugin = interPodAffinity(noNamespaces);
  const nodes = [zone('a', 'z1', web('1')), zone('b', 'z1'), zone('c', 'z2')];
  const hostile = [zone('a', 'z1', makePodInfo('1', { spec: apart })), zone('c', 'z2')];

  assert.deepEqual(judge(plugin, makePodInfo('p', { spec: near }), nodes), [
    '',
    '',
    "unresolvable: node(s) didn't match pod affinity rules",
  ]);
  assert.deepEqual(
    judge(plugin, makePodInfo('p', { spec: apart }), nodes).map((text) => text !== ''),
    [true, true, false],
  );
  assert.deepEqual(judge(plugin, web('p'), hostile), ["unschedulable: node(s) didn't satisfy existing pods anti-affinity rules", '']);
});

test('InterPodAffinity: the first of a group that wants to be together may go anywhere', () => {
  const pod = makePodInfo('p', { labels: { app: 'web' }, spec: near });

  assert.deepEqual(judge(interPodAffinity(noNamespaces), pod, [zone('a', 'z1')]), ['']);
});

test('NodeResourcesFit and balanced allocation prefer the emptier and the more even node', () => {
  const busy = makeNodeInfo(makeNode('a'), makePodInfo('q', { cpu: '2', memory: '4Gi' }));
  const uneven = makeNodeInfo(makeNode('b'), makePodInfo('r', { cpu: '3', memory: '1Gi' }));
  const pod = makePodInfo('p', { cpu: '1', memory: '2Gi' });
  const [full = 0, empty = 0] = scores(nodeResourcesFit, pod, [busy, plain]);
  const [even = 0, skewed = 0] = scores(balancedAllocation, pod, [busy, uneven]);

  assert.ok(empty > full && even > skewed);
});

test('TaintToleration prefers nodes without soft taints', () => {
  const soft = makeNodeInfo(makeNode('soft', { spec: { taints: [{ key: 'k', effect: 'PreferNoSchedule' }] } }));

  assert.deepEqual(scores(taintToleration, makePodInfo('p'), [soft, plain]), [0, 100]);
});
