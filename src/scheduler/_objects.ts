// SPDX-License-Identifier: Apache-2.0
// For tests: nodes and Pods with only what a test says about them.
import type { Node, Pod, PodSpec } from '#api/core/v1';
import { NodeInfo } from './cache/node-info.ts';
import { type PodInfo, podInfoOf } from './cache/pod-info.ts';

export interface PodFacts {
  readonly labels?: Record<string, string>;
  readonly cpu?: string;
  readonly memory?: string;
  readonly node?: string;
  readonly spec?: object;
}

export function makePod(name: string, { labels = {}, cpu, memory, node, spec = {} }: PodFacts = {}): Pod {
  const requests = { ...(cpu === undefined ? {} : { cpu }), ...(memory === undefined ? {} : { memory }) };
  const full = {
    schedulerName: 'default-scheduler',
    containers: [{ name: 'c', image: 'i', resources: { requests } }],
    ...(node === undefined ? {} : { nodeName: node }),
    ...spec,
  };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { namespace: 'default', name, uid: `uid-${name}`, resourceVersion: '1', creationTimestamp: '2026-01-01T00:00:00Z', labels },
    spec: full as unknown as PodSpec,
    status: { phase: node === undefined ? 'Pending' : 'Running' },
  };
}

export function makePodInfo(name: string, facts?: PodFacts): PodInfo {
  return podInfoOf(makePod(name, facts));
}

export function makeNode(
  name: string,
  { labels = {}, spec = {}, cpu = '4', memory = '8Gi', pods = '110', images = [] as { names: string[]; sizeBytes: number }[] } = {},
): Node {
  const allocatable = { cpu, memory, pods };
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name,
      uid: `uid-${name}`,
      resourceVersion: '1',
      creationTimestamp: '2026-01-01T00:00:00Z',
      labels: { 'kubernetes.io/hostname': name, ...labels },
    },
    spec,
    status: { capacity: allocatable, allocatable, images, daemonEndpoints: {}, nodeInfo: {} },
  } as unknown as Node;
}

export function makeNodeInfo(node: Node, ...pods: readonly PodInfo[]): NodeInfo {
  const info = new NodeInfo(node.metadata.name);
  info.setNode(node);
  for (const pod of pods) info.add(pod);
  return info;
}
