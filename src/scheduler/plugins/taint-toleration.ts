// SPDX-License-Identifier: Apache-2.0
// TaintToleration: a Pod fits a node whose NoSchedule and NoExecute taints it tolerates, and prefers one without PreferNoSchedule
// taints that it does not.
import { isTolerated } from '#api/node-selection';
import { type Plugin, scaleToMax, unresolvable } from '../framework/plugin.ts';

const REJECTED = unresolvable('node(s) had untolerated taint(s)');

export const taintToleration: Plugin = {
  name: 'TaintToleration',
  weight: 3,
  requeueOn: [{ resource: 'Node', actions: ['add', 'update'] }],
  filter(_state, pod, { node }) {
    const taints = node?.spec.taints;
    if (taints === undefined) return undefined;
    for (const taint of taints) {
      if (taint.effect !== 'PreferNoSchedule' && !isTolerated(pod.tolerations, taint)) return REJECTED;
    }
    return undefined;
  },
  preScore: (_state, _pod, feasible) => feasible.some(({ node }) => node?.spec.taints?.some(({ effect }) => effect === 'PreferNoSchedule')),
  score(_state, pod, { node }) {
    const soft = pod.tolerations.filter(({ effect }) => !effect || effect === 'PreferNoSchedule');
    return (node?.spec.taints ?? []).filter((taint) => taint.effect === 'PreferNoSchedule' && !isTolerated(soft, taint)).length;
  },
  normalize: (_state, scores) => scaleToMax(scores, true),
};
