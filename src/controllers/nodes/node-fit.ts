// SPDX-License-Identifier: Apache-2.0
// What controllers ask about nodes: their conditions, and which Pods their taints drive out.

import type { Node, Pod, Taint, Toleration } from '#api/core/v1';
import { tolerates } from '#api/node-selection';
import type { DeepReadonly } from '#machinery';

export type ReadNode = DeepReadonly<Node>;
export type ReadTaint = DeepReadonly<Taint>;
export type ReadToleration = DeepReadonly<Toleration>;

/** What a NoExecute taint means for a Pod. */
export type Eviction = { readonly type: 'never' } | { readonly type: 'now' } | { readonly type: 'after'; readonly seconds: number };

/** The shortest of the toleration times counts; a taint without toleration drives out at once. */
export function evictionOf({ spec }: DeepReadonly<Pod>, taints: readonly ReadTaint[]): Eviction {
  const noExecute = taints.filter(({ effect }) => effect === 'NoExecute');
  let seconds = Number.POSITIVE_INFINITY;
  for (const taint of noExecute) {
    const used = (spec.tolerations ?? []).filter((toleration) => tolerates(toleration, taint));
    if (used.length === 0) return { type: 'now' };
    for (const { tolerationSeconds } of used)
      if (tolerationSeconds !== undefined) seconds = Math.min(seconds, Math.max(0, tolerationSeconds));
  }
  if (seconds === Number.POSITIVE_INFINITY) return { type: 'never' };
  return seconds === 0 ? { type: 'now' } : { type: 'after', seconds };
}

export function nodeCondition({ status }: ReadNode, type: string) {
  return status?.conditions?.find((condition) => condition.type === type);
}
