// SPDX-License-Identifier: Apache-2.0
// NodePorts: the host ports of a Pod must be free on the node.
import { CONTINUE, type Plugin, SKIP, unschedulable } from '../framework/plugin.ts';

const REJECTED = unschedulable("node(s) didn't have free ports for the requested pod ports");

export const nodePorts: Plugin = {
  name: 'NodePorts',
  requeueOn: [
    {
      resource: 'Pod',
      actions: ['delete'],
      helps: (pod, event) =>
        event.resource === 'Pod' && event.pod.hostPorts.some(({ port }) => pod.hostPorts.some((own) => own.port === port)),
    },
    { resource: 'Node', actions: ['add'] },
  ],
  preFilter: (_state, pod) => (pod.hostPorts.length === 0 ? SKIP : CONTINUE),
  filter(_state, pod, node) {
    for (const port of pod.hostPorts) if (node.hasPortConflict(port)) return REJECTED;
    return undefined;
  },
};
