// SPDX-License-Identifier: Apache-2.0
// NodeAffinity: nodeSelector, required and preferred node affinity. Without added affinity (a scheduler profile's option).
import type { NodeInfo } from '../cache/node-info.ts';
import type { PodInfo } from '../cache/pod-info.ts';
import { CONTINUE, type Plugin, SKIP, scaleToMax, unresolvable } from '../framework/plugin.ts';

const REJECTED = unresolvable("node(s) didn't match Pod's node affinity/selector");

export const nodeAffinity: Plugin = {
  name: 'NodeAffinity',
  weight: 2,
  requeueOn: [
    {
      resource: 'Node',
      actions: ['add', 'update'],
      helps: (pod, event) => event.resource === 'Node' && matchesNode(pod, event.node.metadata.name, event.node.metadata.labels ?? {}),
    },
  ],
  preFilter(_state, pod) {
    if (pod.requiredNodes === undefined) return SKIP;
    return pod.onlyNode === undefined ? CONTINUE : { type: 'nodes', names: pod.onlyNode };
  },
  filter: (_state, pod, node) => (matches(pod, node) ? undefined : REJECTED),
  preScore: (_state, pod) => pod.preferredNodes.length > 0,
  score: (_state, pod, { name, labels }) =>
    pod.preferredNodes.reduce((sum, term) => sum + (term.matches(name, labels) ? term.weight : 0), 0),
  normalize: (_state, scores) => scaleToMax(scores, false),
};

/** Whether a node is one the Pod's selector and required affinity ask for. */
export function matches(pod: PodInfo, { name, labels }: NodeInfo): boolean {
  return matchesNode(pod, name, labels);
}

function matchesNode(pod: PodInfo, name: string, labels: Readonly<Record<string, string>>): boolean {
  return pod.requiredNodes === undefined || pod.requiredNodes(name, labels);
}
