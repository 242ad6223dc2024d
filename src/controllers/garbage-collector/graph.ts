// SPDX-License-Identifier: Apache-2.0
// Who owns whom, by uid, kept from the caches of all resources. An owner that is named and was not seen is `virtual`: it may be
// absent, or only not seen yet.
import { type DeepReadonly, type KubeObject, type ObjectRef, type OwnerReference, type Resource, semanticEqual } from '#machinery';

export interface GraphNode {
  readonly uid: string;
  /** Undefined for a virtual node whose kind is not known. */
  resource: Resource | undefined;
  ref: ObjectRef;
  readonly apiVersion: string;
  readonly kind: string;
  owners: readonly DeepReadonly<OwnerReference>[];
  readonly dependents: Set<GraphNode>;
  virtual: boolean;
  /** It has a deletionTimestamp. */
  beingDeleted: boolean;
  /** It waits for its dependents to go (foreground deletion). */
  deletingDependents: boolean;
}

export const FOREGROUND = 'foregroundDeletion';
export const ORPHAN = 'orphan';

type ReadObject = DeepReadonly<KubeObject>;

/** What a change asks for. */
export interface Work {
  /** Nodes to look at: should they go? */
  readonly examine: (node: GraphNode) => void;
  /** An owner whose dependents are to be let go. */
  readonly orphan: (node: GraphNode) => void;
}

export class OwnerGraph {
  readonly #nodes = new Map<string, GraphNode>();
  readonly #work: Work;

  constructor(work: Work) {
    this.#work = work;
  }

  get size(): number {
    return this.#nodes.size;
  }

  find(uid: string): GraphNode | undefined {
    return this.#nodes.get(uid);
  }

  /** Kinds of virtual nodes may become known. */
  *virtualNodes(): Iterable<GraphNode> {
    for (const node of this.#nodes.values()) if (node.virtual) yield node;
  }

  set(resource: Resource, object: ReadObject): void {
    const { metadata } = object;
    const { uid } = metadata;
    let node = this.#nodes.get(uid);
    if (node === undefined) {
      // Most objects have neither owners nor dependents; they are nodes all the same, since one may come to own something.
      node = makeNode(uid, { resource, object });
      this.#nodes.set(uid, node);
    }
    node.virtual = false;
    node.resource = resource;
    node.ref = { namespace: metadata.namespace, name: metadata.name };
    this.#setOwners(node, metadata.ownerReferences ?? []);
    this.#noteDeletion(node, object);
  }

  /** The object is gone, or was never there. */
  delete(uid: string): void {
    const node = this.#nodes.get(uid);
    if (node === undefined) return;
    this.#nodes.delete(uid);
    for (const owner of node.owners) {
      const found = this.#nodes.get(owner.uid);
      found?.dependents.delete(node);
      if (found?.virtual && found.dependents.size === 0) this.#nodes.delete(found.uid);
      // An owner that waits for its dependents may be done now.
      if (found?.deletingDependents) this.#work.examine(found);
    }
    for (const dependent of node.dependents) this.#work.examine(dependent);
  }

  #noteDeletion(node: GraphNode, { metadata }: ReadObject): void {
    const { deletionTimestamp, finalizers = [] } = metadata;
    if (deletionTimestamp === undefined) return;
    node.beingDeleted = true;
    if (finalizers.includes(ORPHAN)) this.#work.orphan(node);
    if (!finalizers.includes(FOREGROUND)) return;
    node.deletingDependents = true;
    for (const dependent of node.dependents) this.#work.examine(dependent);
    this.#work.examine(node);
  }

  #setOwners(node: GraphNode, owners: readonly DeepReadonly<OwnerReference>[]): void {
    if (owners.length === 0 && node.owners.length === 0) return;
    if (semanticEqual(owners, node.owners)) return;
    const before = node.owners;
    node.owners = owners;
    for (const { uid } of before) {
      if (owners.some((owner) => owner.uid === uid)) continue;
      const found = this.#nodes.get(uid);
      found?.dependents.delete(node);
      if (found?.deletingDependents) this.#work.examine(found);
    }
    for (const owner of owners) this.#addOwner(node, owner);
    // A reference that no longer blocks may end the wait of its owner.
    for (const { uid } of owners) {
      const found = this.#nodes.get(uid);
      if (found?.deletingDependents) this.#work.examine(found);
    }
    if (before.length > owners.length) this.#work.examine(node);
  }

  #addOwner(node: GraphNode, owner: DeepReadonly<OwnerReference>): void {
    let found = this.#nodes.get(owner.uid);
    if (found === undefined) {
      found = makeVirtual(owner, node.ref.namespace);
      this.#nodes.set(owner.uid, found);
      found.dependents.add(node);
      this.#work.examine(found);
      return;
    }
    found.dependents.add(node);
    if (found.deletingDependents) this.#work.examine(node);
  }
}

function makeNode(uid: string, { resource, object }: { resource: Resource; object: ReadObject }): GraphNode {
  const { apiVersion, kind, metadata } = object;
  const ref = { namespace: metadata.namespace, name: metadata.name };
  return {
    uid,
    resource,
    ref,
    apiVersion,
    kind,
    owners: [],
    dependents: new Set(),
    virtual: false,
    beingDeleted: false,
    deletingDependents: false,
  };
}

/** @param namespace Of the dependent: owners are in the same one, or in none. */
function makeVirtual({ uid, apiVersion, kind, name }: DeepReadonly<OwnerReference>, namespace: string | undefined): GraphNode {
  return {
    uid,
    resource: undefined,
    ref: { namespace, name },
    apiVersion,
    kind,
    owners: [],
    dependents: new Set(),
    virtual: true,
    beingDeleted: false,
    deletingDependents: false,
  };
}
