// SPDX-License-Identifier: Apache-2.0
// Why a Pod fits nowhere, and the message users read about it (upstream's FitError).
import type { Plugin, Rejection } from './plugin.ts';

export interface Diagnosis {
  readonly nodeCount: number;
  /** Set when a Pod was rejected before any node was looked at. */
  readonly preFilter: string;
  /** How many nodes gave each reason. */
  readonly reasons: ReadonlyMap<string, number>;
  /** Why each node was rejected. */
  readonly byNode: ReadonlyMap<string, Rejection>;
  readonly plugins: ReadonlySet<Plugin>;
}

/** `0/3 nodes are available: 1 Insufficient cpu, 2 node(s) were unschedulable. preemption: …` */
export function fitMessage(
  { nodeCount, preFilter, reasons }: Pick<Diagnosis, 'nodeCount' | 'preFilter' | 'reasons'>,
  postFilter: string,
): string {
  const texts =
    preFilter === ''
      ? [...reasons]
          .map(([reason, count]) => `${count} ${reason}`)
          .sort()
          .join(', ')
      : preFilter;
  return `0/${nodeCount} nodes are available: ${texts}.${postFilter === '' ? '' : ` ${postFilter}`}`;
}

export function countReasons(rejections: Iterable<Rejection>): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { reasons } of rejections) for (const reason of reasons) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  return counts;
}
