// SPDX-License-Identifier: Apache-2.0
// The scheduler's picture of the cluster: nodes with their Pods, and Pods assumed to be on a node before the server has said so.
//
// Guarantees: an assumed Pod counts from the moment it is assumed until it is seen with a node, deleted, or forgotten after a failed
// bind. A cycle never pauses, so what it reads does not change under it; no snapshot is copied.
import type { Node } from '#api/core/v1';
import type { DeepReadonly } from '#machinery';
import type { NodeView } from '../framework/plugin.ts';
import { NodeInfo } from './node-info.ts';
import type { PodInfo } from './pod-info.ts';

export class SchedulerCache implements NodeView {
  readonly #infos = new Map<string, NodeInfo>();
  readonly #assumed = new Set<string>();
  /** Where each known Pod is. */
  readonly #nodeOf = new Map<string, string>();
  readonly withAffinity = new Set<NodeInfo>();
  readonly withAntiAffinity = new Set<NodeInfo>();
  /** On how many nodes each image is. */
  readonly #imageNodes = new Map<string, number>();
  #list: readonly NodeInfo[] | undefined;

  constructor() {
    this.#list = undefined;
  }

  /** Nodes, neighbours in different zones, so that trying some of them tries all zones. */
  get nodes(): readonly NodeInfo[] {
    this.#list ??= byZonesInTurn([...this.#infos.values()].filter(({ node }) => node !== undefined));
    return this.#list;
  }

  find(name: string): NodeInfo | undefined {
    const found = this.#infos.get(name);
    return found?.node === undefined ? undefined : found;
  }

  nodesWithImage(image: string): number {
    return this.#imageNodes.get(image) ?? 0;
  }

  setNode(node: DeepReadonly<Node>): void {
    const info = this.#infoOf(node.metadata.name);
    const isNew = info.node === undefined;
    const zone = zoneOf(info);
    this.#countImages(info, -1);
    info.setNode(node);
    this.#countImages(info, 1);
    if (isNew || zone !== zoneOf(info)) this.#list = undefined;
  }

  removeNode(name: string): void {
    const info = this.#infos.get(name);
    if (info === undefined) return;
    this.#countImages(info, -1);
    info.setNode(undefined);
    if (info.pods.size === 0) this.#infos.delete(name);
    this.#list = undefined;
  }

  isAssumed(key: string): boolean {
    return this.#assumed.has(key);
  }

  assume(pod: PodInfo, node: string): void {
    this.#place(pod, node);
    this.#assumed.add(pod.key);
  }

  /** Takes an assumed Pod back. */
  forget(key: string): void {
    if (this.#assumed.delete(key)) this.#displace(key);
  }

  /** A Pod was seen with its node. */
  setPod(pod: PodInfo): void {
    const isKnown = this.#nodeOf.get(pod.key) === (pod.pod.spec.nodeName ?? '');
    if (this.#assumed.delete(pod.key) && isKnown) {
      this.#replace(pod);
      return;
    }
    this.#displace(pod.key);
    this.#place(pod, pod.pod.spec.nodeName ?? '');
  }

  /** @returns What was known of the Pod. */
  removePod(key: string): PodInfo | undefined {
    this.#assumed.delete(key);
    return this.#displace(key);
  }

  findPod(key: string): PodInfo | undefined {
    const node = this.#nodeOf.get(key);
    return node === undefined ? undefined : this.#infos.get(node)?.pods.get(key);
  }

  /** Same Pod, newer object: sums only move if the Pod asks for something else now. */
  #replace(pod: PodInfo): void {
    this.#displace(pod.key);
    this.#place(pod, pod.pod.spec.nodeName ?? '');
  }

  #place(pod: PodInfo, node: string): void {
    const info = this.#infoOf(node);
    info.add(pod);
    this.#nodeOf.set(pod.key, node);
    if (info.withAffinity.size > 0) this.withAffinity.add(info);
    if (info.withAntiAffinity.size > 0) this.withAntiAffinity.add(info);
  }

  #displace(key: string): PodInfo | undefined {
    const node = this.#nodeOf.get(key);
    if (node === undefined) return undefined;
    this.#nodeOf.delete(key);
    const info = this.#infos.get(node);
    const pod = info?.remove(key);
    if (info === undefined) return pod;
    if (info.withAffinity.size === 0) this.withAffinity.delete(info);
    if (info.withAntiAffinity.size === 0) this.withAntiAffinity.delete(info);
    if (info.node === undefined && info.pods.size === 0) this.#infos.delete(node);
    return pod;
  }

  #infoOf(name: string): NodeInfo {
    let info = this.#infos.get(name);
    if (info === undefined) {
      info = new NodeInfo(name);
      this.#infos.set(name, info);
    }
    return info;
  }

  #countImages(info: NodeInfo, change: 1 | -1): void {
    for (const name of info.images.keys()) {
      const count = (this.#imageNodes.get(name) ?? 0) + change;
      if (count <= 0) this.#imageNodes.delete(name);
      else this.#imageNodes.set(name, count);
    }
  }
}

function zoneOf({ labels }: NodeInfo): string {
  return `${labels['topology.kubernetes.io/region'] ?? ''}/${labels['topology.kubernetes.io/zone'] ?? ''}`;
}

function byZonesInTurn(nodes: readonly NodeInfo[]): readonly NodeInfo[] {
  const zones = [...Map.groupBy(nodes, zoneOf).values()];
  if (zones.length <= 1) return nodes;
  const most = Math.max(...zones.map(({ length }) => length));
  return Array.from({ length: most }, (_, index) => zones.flatMap((zone) => zone[index] ?? [])).flat();
}
