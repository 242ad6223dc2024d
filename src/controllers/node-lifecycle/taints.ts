// SPDX-License-Identifier: Apache-2.0
// The taints that follow from a node's conditions, and which of its taints to add or take away. Pure.
import type { Taint } from '#api/core/v1';
import { nodeCondition, type ReadNode, type ReadTaint } from '../nodes/node-fit.ts';

const PREFIX = 'node.kubernetes.io/';
export const NOT_READY = `${PREFIX}not-ready`;
export const UNREACHABLE = `${PREFIX}unreachable`;

const PRESSURES: Readonly<Record<string, string>> = {
  MemoryPressure: `${PREFIX}memory-pressure`,
  DiskPressure: `${PREFIX}disk-pressure`,
  NetworkUnavailable: `${PREFIX}network-unavailable`,
  PIDPressure: `${PREFIX}pid-pressure`,
};
const UNSCHEDULABLE = `${PREFIX}unschedulable`;
const NO_SCHEDULE_KEYS = new Set([NOT_READY, UNREACHABLE, UNSCHEDULABLE, ...Object.values(PRESSURES)]);

/** The NoSchedule taints a node must have. */
export function wantedNoSchedule(node: ReadNode): string[] {
  const keys = Object.entries(PRESSURES).flatMap(([type, key]) => (nodeCondition(node, type)?.status === 'True' ? [key] : []));
  const ready = readinessTaint(node);
  return [...(ready === undefined ? [] : [ready]), ...keys, ...(node.spec.unschedulable === true ? [UNSCHEDULABLE] : [])];
}

/** The taint of the Ready condition; undefined when ready, or when nothing was ever said. */
export function readinessTaint(node: ReadNode): string | undefined {
  const status = nodeCondition(node, 'Ready')?.status;
  return status === 'False' ? NOT_READY : status === 'Unknown' ? UNREACHABLE : undefined;
}

/**
 * The list of taints after all changes, or undefined where nothing changes.
 *
 * @param evicts Whether NoExecute taints may be set now.
 */
export function plannedTaints(node: ReadNode, { evicts, now }: { evicts: boolean; now: string }): ReadTaint[] | undefined {
  const present = node.spec.taints ?? [];
  const noSchedule = new Set(wantedNoSchedule(node));
  const ready = readinessTaint(node);
  const kept = present.filter(({ key, effect }) => {
    if (effect === 'NoSchedule' && NO_SCHEDULE_KEYS.has(key)) return noSchedule.has(key);
    if (effect === 'NoExecute' && (key === NOT_READY || key === UNREACHABLE)) return key === ready;
    return true;
  });
  const has = (key: string, effect: string) => kept.some((taint) => taint.key === key && taint.effect === effect);
  const added: Taint[] = [...noSchedule]
    .filter((key) => !has(key, 'NoSchedule'))
    .map((key) => ({ key, effect: 'NoSchedule', timeAdded: now }));
  if (ready !== undefined && evicts && !has(ready, 'NoExecute')) added.push({ key: ready, effect: 'NoExecute', timeAdded: now });
  return added.length === 0 && kept.length === present.length ? undefined : [...kept, ...added];
}

/** Whether a NoExecute taint is due that the node does not have. */
export function needsEviction(node: ReadNode): boolean {
  const ready = readinessTaint(node);
  return ready !== undefined && !(node.spec.taints ?? []).some(({ key, effect }) => key === ready && effect === 'NoExecute');
}
