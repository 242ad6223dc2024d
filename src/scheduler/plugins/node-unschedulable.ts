// SPDX-License-Identifier: Apache-2.0
// NodeUnschedulable: cordoned nodes take only Pods that tolerate the taint of that name.
import { isTolerated } from '#api/node-selection';
import { type Plugin, unresolvable } from '../framework/plugin.ts';

const REJECTED = unresolvable('node(s) were unschedulable');
const TAINT = { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' } as const;

export const nodeUnschedulable: Plugin = {
  name: 'NodeUnschedulable',
  requeueOn: [{ resource: 'Node', actions: ['add', 'update'] }],
  filter(_state, pod, { node }) {
    return node?.spec.unschedulable !== true || isTolerated(pod.tolerations, TAINT) ? undefined : REJECTED;
  },
};
