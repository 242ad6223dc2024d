// SPDX-License-Identifier: Apache-2.0
// TaintNodesByCondition: a new Node takes no Pods until the node controller has seen it ready.
import type { Node } from '#api/core/v1';
import type { AdmissionPlugin } from './admission.ts';
import { isFor, isOperation } from './match.ts';

const NOT_READY = { key: 'node.kubernetes.io/not-ready', effect: 'NoSchedule' as const };

export const taintNodesByCondition: AdmissionPlugin = {
  name: 'TaintNodesByCondition',
  handles: (request) => isFor(request, 'nodes') && isOperation(request, 'CREATE'),
  admit(request) {
    const node = request.object as unknown as Node;
    node.spec ??= {};
    const taints = node.spec.taints ?? [];
    if (!taints.some(({ key, effect }) => key === NOT_READY.key && effect === NOT_READY.effect))
      node.spec.taints = [...taints, { ...NOT_READY }];
  },
};
