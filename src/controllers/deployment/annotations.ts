// SPDX-License-Identifier: Apache-2.0
// What a Deployment writes down on its ReplicaSets: revision and its history, wanted and greatest counts, and a copy of its own annotations.
import type { Deployment, ReplicaSet } from '#api/apps/v1';
import type { DeepReadonly } from '#machinery';

export const REVISION = 'deployment.kubernetes.io/revision';
export const REVISION_HISTORY = 'deployment.kubernetes.io/revision-history';
export const DESIRED_REPLICAS = 'deployment.kubernetes.io/desired-replicas';
export const MAX_REPLICAS = 'deployment.kubernetes.io/max-replicas';
const MOST_HISTORY_LENGTH = 2000;

type Annotations = Readonly<Record<string, string>>;
type Annotated = { readonly metadata: { readonly annotations?: Annotations } };

const NOT_COPIED = new Set([
  'kubectl.kubernetes.io/last-applied-configuration',
  REVISION,
  REVISION_HISTORY,
  DESIRED_REPLICAS,
  MAX_REPLICAS,
  'deprecated.deployment.rollback.to',
]);

/** A number in an annotation; 0 where there is none. */
export function readNumber({ metadata }: Annotated, name: string): number {
  const text = metadata.annotations?.[name] ?? '';
  return /^\d+$/.test(text) ? Number(text) : 0;
}

export function revisionOf(set: Annotated): number {
  return readNumber(set, REVISION);
}

export function maxRevision(sets: readonly Annotated[]): number {
  return Math.max(0, ...sets.map(revisionOf));
}

/** The annotations of the new set at a revision; those it has for itself stay. */
export function annotationsFor(
  deployment: DeepReadonly<Deployment>,
  set: DeepReadonly<ReplicaSet> | undefined,
  revision: number,
): Record<string, string> {
  const before = set?.metadata.annotations ?? {};
  const copied = Object.entries(deployment.metadata.annotations ?? {}).filter(([name]) => !NOT_COPIED.has(name));
  const next: Record<string, string> = { ...before, ...Object.fromEntries(copied) };
  const old = before[REVISION] ?? '';
  if (Number(old || 0) >= revision) return next;
  next[REVISION] = String(revision);
  if (set !== undefined && old !== '') next[REVISION_HISTORY] = withHistory(before[REVISION_HISTORY] ?? '', old);
  return next;
}

/** Drops the oldest where the list becomes too long. */
function withHistory(history: string, revision: string): string {
  const parts = history === '' ? [] : history.split(',');
  while (parts.length > 0 && [...parts, revision].join(',').length > MOST_HISTORY_LENGTH) parts.shift();
  return [...parts, revision].join(',');
}

/** Whether the two counts must be written anew. */
export function countsDiffer(set: Annotated, desired: number, most: number): boolean {
  const { annotations } = set.metadata;
  return annotations?.[DESIRED_REPLICAS] !== String(desired) || annotations[MAX_REPLICAS] !== String(most);
}

export function withCounts(annotations: Annotations | undefined, desired: number, most: number): Record<string, string> {
  return { ...annotations, [DESIRED_REPLICAS]: String(desired), [MAX_REPLICAS]: String(most) };
}
