// SPDX-License-Identifier: Apache-2.0
// NodeName: a Pod that names its node fits no other.
import type { NodeInfo } from '../cache/node-info.ts';
import type { PodInfo } from '../cache/pod-info.ts';
import { type Plugin, unresolvable } from '../framework/plugin.ts';

const REJECTED = unresolvable("node(s) didn't match the requested node name");

export const nodeName: Plugin = {
  name: 'NodeName',
  requeueOn: [{ resource: 'Node', actions: ['add'] }],
  filter: (_state, pod, node) => (fits(pod, node) ? undefined : REJECTED),
};

export function fits({ pod }: PodInfo, node: NodeInfo): boolean {
  return !pod.spec.nodeName || pod.spec.nodeName === node.name;
}
