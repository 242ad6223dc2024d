// SPDX-License-Identifier: Apache-2.0
// The history of a DaemonSet or StatefulSet as ControllerRevisions: each distinct template once, numbered; going back to an old one gives
// it a new number (upstream's controller/history). Old ones that no Pod uses are removed beyond the limit.
import type { ControllerRevision } from '#api/apps/v1';
import type { PodTemplateSpec } from '#api/core/v1';
import { controllerrevisions } from '#api/resources';
import type { Client, Lister } from '#client';
import { type DeepReadonly, deepCopy, isAlreadyExists, isNotFound, type KubeObject, type Resource, semanticEqual } from '#machinery';
import { controllerOf, controllerReference } from '../context.ts';
import { templateHash } from '../deployment/template.ts';

export const REVISION_HASH = 'controller-revision-hash';

export type ReadRevision = DeepReadonly<ControllerRevision>;

export interface HistoryInput {
  readonly owner: DeepReadonly<KubeObject>;
  readonly resource: Pick<Resource, 'kind' | 'group' | 'version'>;
  readonly template: DeepReadonly<PodTemplateSpec>;
  /** What revisions bear: the labels of the template. */
  readonly labels: Readonly<Record<string, string>>;
  readonly collisionCount: number | undefined;
}

export interface History {
  readonly current: ReadRevision;
  /** All, oldest first. */
  readonly all: readonly ReadRevision[];
}

export interface HistoryDeps {
  readonly client: Client;
  readonly revisions: Lister<ControllerRevision>;
}

/** Thrown when another template has the same hash: the owner counts it and tries again. */
export class HashCollisionError extends Error {
  override readonly name = 'HashCollisionError';
}

export function ownRevisions({ revisions }: HistoryDeps, owner: DeepReadonly<KubeObject>): ReadRevision[] {
  const own = revisions.list(owner.metadata.namespace).filter((revision) => controllerOf(revision)?.uid === owner.metadata.uid);
  return own.sort((a, b) => a.revision - b.revision || (a.metadata.name < b.metadata.name ? -1 : 1));
}

/** The revision of the present template, made or renumbered where needed. @throws {HashCollisionError} */
export async function syncHistory(deps: HistoryDeps, input: HistoryInput): Promise<History> {
  const all = ownRevisions(deps, input.owner);
  const data = dataOf(input.template);
  const number = (all.at(-1)?.revision ?? 0) + 1;
  const equal = all.filter((revision) => semanticEqual(revision.data, data)).at(-1);
  if (equal === undefined) {
    const current = await createRevision(deps, input, { data, number });
    return { current, all: [...all.filter(({ metadata }) => metadata.uid !== current.metadata.uid), current] };
  }
  if (equal === all.at(-1)) return { current: equal, all };
  const current = await deps.client.update(controllerrevisions, { ...equal, revision: number });
  return { current, all: [...all.filter((revision) => revision !== equal), current] };
}

/** As upstream keeps it: a patch that puts the template in place. */
function dataOf(template: DeepReadonly<PodTemplateSpec>): unknown {
  return deepCopy({ spec: { template: { ...template, $patch: 'replace' } } });
}

async function createRevision(
  { client }: HistoryDeps,
  input: HistoryInput,
  { data, number }: { data: unknown; number: number },
): Promise<ReadRevision> {
  const { owner, resource, template, labels, collisionCount } = input;
  const { namespace } = owner.metadata;
  const hash = templateHash(template, collisionCount);
  const name = `${owner.metadata.name}-${hash}`;
  const metadata = {
    namespace,
    name,
    labels: { ...labels, [REVISION_HASH]: hash },
    ownerReferences: [controllerReference(owner, resource)],
  };
  try {
    return await client.create(controllerrevisions, { metadata, data, revision: number });
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
    const found = await client.get(controllerrevisions, { namespace, name });
    if (controllerOf(found)?.uid === owner.metadata.uid && semanticEqual(found.data, data)) return found;
    throw new HashCollisionError(`name a revision of ${namespace}/${owner.metadata.name}: "${name}" is taken by another template`, {
      cause: error,
    });
  }
}

/** Removes the oldest that are not in use beyond the limit. */
export async function truncateHistory(
  { client }: HistoryDeps,
  { all, current }: History,
  { inUse, limit }: { inUse: (revision: ReadRevision) => boolean; limit: number },
): Promise<void> {
  const free = all.filter((revision) => revision !== current && !inUse(revision));
  for (const { metadata } of free.slice(0, Math.max(0, free.length - limit))) {
    await client.delete(controllerrevisions, { namespace: metadata.namespace, name: metadata.name }).catch((error: unknown) => {
      if (!isNotFound(error)) throw error;
    });
  }
}

export function hashOf({ metadata }: ReadRevision): string {
  return metadata.labels?.[REVISION_HASH] ?? '';
}
