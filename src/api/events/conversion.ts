// SPDX-License-Identifier: Apache-2.0
// Events of events.k8s.io/v1 are stored as core/v1 Events: the same data under other names.
import type { KubeObject } from '../../machinery/mod.ts';
import type { Event as CoreEvent } from '../generated/core/v1.ts';
import type { Event } from '../generated/events/v1.ts';

/** events.k8s.io name to core name, top level. */
const NAMES: readonly (readonly [keyof Event, keyof CoreEvent])[] = [
  ['metadata', 'metadata'],
  ['eventTime', 'eventTime'],
  ['series', 'series'],
  ['reportingController', 'reportingComponent'],
  ['reportingInstance', 'reportingInstance'],
  ['action', 'action'],
  ['reason', 'reason'],
  ['regarding', 'involvedObject'],
  ['related', 'related'],
  ['note', 'message'],
  ['type', 'type'],
  ['deprecatedSource', 'source'],
  ['deprecatedFirstTimestamp', 'firstTimestamp'],
  ['deprecatedLastTimestamp', 'lastTimestamp'],
  ['deprecatedCount', 'count'],
];

export function eventToStorage(event: KubeObject): KubeObject {
  const from = event as unknown as Record<string, unknown>;
  const to: Record<string, unknown> = { kind: 'Event', apiVersion: 'v1' };
  for (const [own, core] of NAMES) if (from[own] !== undefined) to[core] = from[own];
  return to as unknown as KubeObject;
}

export function eventFromStorage(event: KubeObject): KubeObject {
  const from = event as unknown as Record<string, unknown>;
  const to: Record<string, unknown> = { kind: 'Event', apiVersion: 'events.k8s.io/v1' };
  for (const [own, core] of NAMES) if (from[core] !== undefined && from[core] !== '') to[own] = from[core];
  return to as unknown as KubeObject;
}
