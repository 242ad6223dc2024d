// SPDX-License-Identifier: Apache-2.0
// Which Pods nobody else will remove. Pure.
import type { Pod } from '#api/core/v1';
import { type DeepReadonly, timeMs } from '#machinery';
import { isTerminal } from '../pods/conditions.ts';

type ReadPod = DeepReadonly<Pod>;

/** The ended Pods beyond the threshold, oldest first; evicted ones go before others. */
export function surplus(pods: readonly ReadPod[], threshold: number): ReadPod[] {
  if (threshold <= 0) return [];
  const ended = pods.filter((pod) => isTerminal(pod) && pod.metadata.deletionTimestamp === undefined);
  if (ended.length <= threshold) return [];
  const rank = (pod: ReadPod) => (pod.status?.reason === 'Evicted' ? 0 : 1);
  const created = (pod: ReadPod) => timeMs(pod.metadata.creationTimestamp) || 0;
  return ended
    .sort((a, b) => rank(a) - rank(b) || created(a) - created(b) || (a.metadata.name < b.metadata.name ? -1 : 1))
    .slice(0, ended.length - threshold);
}

/** Being deleted although it never had a node: no kubelet will confirm it. */
export function isUnscheduledTerminating({ metadata, spec }: ReadPod): boolean {
  return metadata.deletionTimestamp !== undefined && !spec.nodeName;
}

/** On a node that is gone or has been declared out of service. */
export function isOrphaned(pod: ReadPod, hasNode: (name: string) => boolean): boolean {
  return Boolean(pod.spec.nodeName) && !hasNode(pod.spec.nodeName ?? '');
}
