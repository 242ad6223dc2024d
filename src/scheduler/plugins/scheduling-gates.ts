// SPDX-License-Identifier: Apache-2.0
// SchedulingGates: a Pod with gates is not tried, and does not even enter the queue. PrioritySort is the queue's own order.
import type { Pod } from '#api/core/v1';
import type { DeepReadonly } from '#machinery';

export function isGated({ spec }: DeepReadonly<Pod>): boolean {
  return (spec.schedulingGates ?? []).length > 0;
}
