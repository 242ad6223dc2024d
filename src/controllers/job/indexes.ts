// SPDX-License-Identifier: Apache-2.0
// Completion indexes of indexed Jobs: the compact text `0-2,5` of a status, and the index of a Pod. Pure.
import type { Pod } from '#api/core/v1';
import type { DeepReadonly } from '#machinery';

export const INDEX_ANNOTATION = 'batch.kubernetes.io/job-completion-index';

/** Undefined where the Pod has none. */
export function indexOf({ metadata }: DeepReadonly<Pod>): number | undefined {
  const text = metadata.annotations?.[INDEX_ANNOTATION] ?? '';
  return /^\d+$/.test(text) ? Number(text) : undefined;
}

/** What does not parse, or lies at or above `completions`, is left out. */
export function parseIndexes(text: string, completions: number): Set<number> {
  const found = new Set<number>();
  for (const part of text.split(',')) {
    const match = /^(\d+)(?:-(\d+))?$/.exec(part);
    if (match === null) continue;
    const last = Math.min(Number(match[2] ?? match[1]), completions - 1);
    for (let index = Number(match[1]); index <= last; index++) found.add(index);
  }
  return found;
}

/** Two neighbours are written `0,1`, three `0-2`. */
export function formatIndexes(indexes: Iterable<number>): string {
  const sorted = [...new Set(indexes)].sort((a, b) => a - b);
  const parts: string[] = [];
  for (let start = 0; start < sorted.length; ) {
    let end = start;
    while (sorted[end + 1] === (sorted[end] ?? 0) + 1) end += 1;
    const [first, last] = [sorted[start], sorted[end]];
    parts.push(first === last ? `${first}` : (last ?? 0) - (first ?? 0) === 1 ? `${first},${last}` : `${first}-${last}`);
    start = end + 1;
  }
  return parts.join(',');
}

/** The lowest indexes that are neither taken nor done. */
export function freeIndexes(taken: ReadonlySet<number>, count: number, completions: number): number[] {
  const free: number[] = [];
  for (let index = 0; index < completions && free.length < count; index++) if (!taken.has(index)) free.push(index);
  return free;
}
