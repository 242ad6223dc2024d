// SPDX-License-Identifier: Apache-2.0
// How fast Pods may be driven from nodes that fell silent. Where most of a zone is silent at once the network is the likelier culprit:
// small zones then stop, large ones slow down, and when everything is silent nothing is evicted at all.
import { nodeCondition, type ReadNode } from '../nodes/node-fit.ts';

/** @source upstream's defaults: node-eviction-rate, secondary-node-eviction-rate, unhealthy-zone-threshold, large-cluster-size-threshold */
const INTERVAL_MS = 10_000;
const SLOW_INTERVAL_MS = 100_000;
const UNHEALTHY_SHARE = 0.55;
const LARGE_ZONE = 50;

export function zoneOf({ metadata: { labels = {} } }: ReadNode): string {
  return `${labels['topology.kubernetes.io/region'] ?? ''}:${labels['topology.kubernetes.io/zone'] ?? ''}`;
}

function isSilent(node: ReadNode): boolean {
  return nodeCondition(node, 'Ready')?.status !== 'True';
}

/** Milliseconds between two nodes of a zone; undefined: none may be emptied. */
export function evictionInterval(zone: string, nodes: readonly ReadNode[]): number | undefined {
  if (nodes.every(isSilent)) return undefined;
  const own = nodes.filter((node) => zoneOf(node) === zone);
  const silent = own.filter(isSilent).length;
  if (silent === own.length) return INTERVAL_MS;
  if (silent <= 2 || silent / own.length < UNHEALTHY_SHARE) return INTERVAL_MS;
  return own.length > LARGE_ZONE ? SLOW_INTERVAL_MS : undefined;
}

/** One node after the other in each zone. */
export class EvictionPace {
  readonly #next = new Map<string, number>();

  /** @returns Milliseconds to wait; 0: go ahead now. */
  reserve(zone: string, intervalMs: number, now: number): number {
    const next = this.#next.get(zone) ?? 0;
    if (next > now) return next - now;
    this.#next.set(zone, now + intervalMs);
    return 0;
  }
}
