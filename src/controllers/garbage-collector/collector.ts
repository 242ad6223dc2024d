// SPDX-License-Identifier: Apache-2.0
// Decides about one node of the graph by asking the server, never by the cache alone: is it still there, are its owners?
//
// Guarantees: an object is deleted only if every owner it names was found absent by a live read (or waits for its dependents), with its
// uid and resourceVersion as preconditions, so that an object that was changed or made anew in between stays.
import type { Client } from '#client';
import { type DeepReadonly, isNotFound, type KubeObject, type OwnerReference, type Resource } from '#machinery';
import { FOREGROUND, type GraphNode, ORPHAN, type OwnerGraph } from './graph.ts';

type ReadObject = DeepReadonly<KubeObject>;
type Owner = DeepReadonly<OwnerReference>;

export interface CollectorDeps {
  readonly client: Client;
  readonly graph: OwnerGraph;
  /** Owners found absent, by uid. */
  readonly absent: AbsentOwners;
  readonly findResource: (apiVersion: string, kind: string) => Resource | undefined;
  readonly examine: (node: GraphNode) => void;
}

/** Remembers a bounded number of uids; they are never used again, so an entry is never wrong. */
export class AbsentOwners {
  readonly #uids = new Set<string>();
  readonly #most: number;

  constructor(most = 500) {
    this.#most = most;
  }

  has(uid: string): boolean {
    return this.#uids.has(uid);
  }

  add(uid: string): void {
    this.#uids.add(uid);
    if (this.#uids.size <= this.#most) return;
    const [oldest] = this.#uids;
    if (oldest !== undefined) this.#uids.delete(oldest);
  }
}

/** The object as the server has it; undefined if it is gone or another has its name. */
async function readLive(client: Client, resource: Resource, { ref, uid }: Pick<GraphNode, 'ref' | 'uid'>): Promise<ReadObject | undefined> {
  try {
    const found = await client.get(resource, resource.namespaced ? ref : { name: ref.name });
    return found.metadata.uid === uid ? found : undefined;
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

/** @throws {ApiError} On any failure but absence; the node is examined again. */
export async function examine(node: GraphNode, deps: CollectorDeps): Promise<void> {
  const { client, graph, absent } = deps;
  if (node.beingDeleted && !node.deletingDependents) return;
  const resource = node.resource ?? deps.findResource(node.apiVersion, node.kind);
  // A kind that nothing serves yet: looked at again when it appears.
  if (resource === undefined) return;
  const live = await readLive(client, resource, node);
  if (live === undefined) {
    absent.add(node.uid);
    graph.delete(node.uid);
    return;
  }
  if (node.virtual) return; // The informer will show it.
  if (node.deletingDependents) return await finishForeground(node, resource, deps);
  const owners = live.metadata.ownerReferences ?? [];
  if (owners.length > 0) await judge(node, { live, resource, owners }, deps);
}

/** An owner in foreground deletion may go when nothing that blocks it is left. */
async function finishForeground(node: GraphNode, resource: Resource, deps: CollectorDeps): Promise<void> {
  const blocking = [...node.dependents].filter(({ owners }) =>
    owners.some(({ uid, blockOwnerDeletion }) => uid === node.uid && blockOwnerDeletion === true),
  );
  if (blocking.length === 0) return await removeFinalizer(node, resource, FOREGROUND, deps);
  for (const dependent of blocking) if (!dependent.deletingDependents) deps.examine(dependent);
}

interface Judged {
  readonly live: ReadObject;
  readonly resource: Resource;
  readonly owners: readonly Owner[];
}

async function judge(node: GraphNode, { live, resource, owners }: Judged, deps: CollectorDeps): Promise<void> {
  const states = await Promise.all(owners.map((owner) => stateOf(owner, live, deps)));
  const solid = states.filter((state) => state === 'solid').length;
  const dangling = states.filter((state) => state === 'absent').length;
  if (solid > 0) {
    if (solid === owners.length) return;
    const kept = owners.filter((_, index) => states[index] === 'solid');
    return await patchOwners(node, { live, resource, owners: kept }, deps);
  }
  const waiting = owners.length - dangling;
  if (waiting > 0 && node.dependents.size > 0) {
    // A circle of foreground deletions would wait for itself.
    if ([...node.dependents].some(({ deletingDependents }) => deletingDependents)) {
      await patchOwners(node, { live, resource, owners: owners.map((owner) => ({ ...owner, blockOwnerDeletion: false })) }, deps);
    }
    return await remove(node, { live, resource }, 'Foreground', deps);
  }
  const { finalizers = [] } = live.metadata;
  await remove(
    node,
    { live, resource },
    finalizers.includes(ORPHAN) ? 'Orphan' : finalizers.includes(FOREGROUND) ? 'Foreground' : 'Background',
    deps,
  );
}

/** Absent, there, or going in the foreground and waiting for us. */
async function stateOf(
  owner: Owner,
  { metadata: { namespace } }: ReadObject,
  { client, absent, findResource }: CollectorDeps,
): Promise<'absent' | 'solid' | 'waiting'> {
  if (absent.has(owner.uid)) return 'absent';
  const resource = findResource(owner.apiVersion, owner.kind);
  // What cannot be looked up is not known to be absent; nor can what has no namespace have an owner in one.
  if (resource === undefined || (resource.namespaced && namespace === undefined)) return 'solid';
  const live = await readLive(client, resource, { uid: owner.uid, ref: { namespace, name: owner.name } });
  if (live === undefined) {
    absent.add(owner.uid);
    return 'absent';
  }
  return live.metadata.deletionTimestamp !== undefined && (live.metadata.finalizers ?? []).includes(FOREGROUND) ? 'waiting' : 'solid';
}

async function remove(
  { uid, ref }: GraphNode,
  { live, resource }: Omit<Judged, 'owners'>,
  propagationPolicy: 'Orphan' | 'Foreground' | 'Background',
  { client }: CollectorDeps,
): Promise<void> {
  if (live.metadata.deletionTimestamp !== undefined && propagationPolicy !== 'Foreground') return;
  const preconditions = { uid, resourceVersion: live.metadata.resourceVersion };
  await ignoreGone(client.delete(resource, resource.namespaced ? ref : { name: ref.name }, { propagationPolicy, preconditions }));
}

async function patchOwners({ uid, ref }: GraphNode, { live, resource, owners }: Judged, { client }: CollectorDeps): Promise<void> {
  const metadata = { uid, resourceVersion: live.metadata.resourceVersion, ownerReferences: owners.length === 0 ? null : owners };
  await ignoreGone(client.patch(resource, ref, 'merge', { metadata }));
}

/** Lets go of all dependents of an owner that is deleted with policy Orphan, then of the owner. */
export async function orphan(node: GraphNode, deps: CollectorDeps): Promise<void> {
  const { client } = deps;
  if (node.resource === undefined) return;
  await Promise.all(
    [...node.dependents].map(async (dependent) => {
      if (dependent.resource === undefined) return;
      const live = await readLive(client, dependent.resource, dependent);
      const owners = live?.metadata.ownerReferences ?? [];
      const kept = owners.filter(({ uid }) => uid !== node.uid);
      if (live !== undefined && kept.length < owners.length)
        await patchOwners(dependent, { live, resource: dependent.resource, owners: kept }, deps);
    }),
  );
  await removeFinalizer(node, node.resource, ORPHAN, deps);
}

async function removeFinalizer(node: GraphNode, resource: Resource, finalizer: string, { client }: CollectorDeps): Promise<void> {
  const live = await readLive(client, resource, node);
  const present = live?.metadata.finalizers ?? [];
  if (live === undefined || !present.includes(finalizer)) return;
  const finalizers = present.filter((other) => other !== finalizer);
  const metadata = {
    uid: node.uid,
    resourceVersion: live.metadata.resourceVersion,
    finalizers: finalizers.length === 0 ? null : finalizers,
  };
  await ignoreGone(client.patch(resource, node.ref, 'merge', { metadata }));
}

async function ignoreGone(work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}
