// SPDX-License-Identifier: Apache-2.0
// A node with the Pods on it and running sums of what they take, kept up to date Pod by Pod.
import type { Node } from '#api/core/v1';
import { type DeepReadonly, type Selector, unitsOf } from '#machinery';
import type { HostPort, PodInfo } from './pod-info.ts';
import { addResources, emptyResources, parseResources, type Resources } from './resources.ts';

const MOST_COUNTS = 256;

export class NodeInfo {
  readonly name: string;
  /** Absent while Pods are known for a node that is not (yet, or any more). */
  node: DeepReadonly<Node> | undefined;
  readonly pods = new Map<string, PodInfo>();
  readonly withAffinity = new Set<PodInfo>();
  readonly withAntiAffinity = new Set<PodInfo>();
  readonly requested: Resources = emptyResources();
  readonly nonZero = { milliCpu: 0, memory: 0 };
  allocatable: Resources;
  mostPods: number;
  labels: Readonly<Record<string, string>>;
  readonly images = new Map<string, number>();
  /** Raised by every change: whoever remembers something about the node compares it. */
  generation: number;
  readonly #ports = new Map<string, number>();
  readonly #counts = new Map<string, { generation: number; count: number }>();

  constructor(name: string) {
    this.name = name;
    this.node = undefined;
    this.allocatable = emptyResources();
    this.mostPods = 0;
    this.labels = {};
    this.generation = 0;
  }

  setNode(node: DeepReadonly<Node> | undefined): void {
    this.node = node;
    this.generation += 1;
    this.allocatable = parseResources(node?.status?.allocatable);
    this.mostPods = unitsOf(node?.status?.allocatable?.['pods'] ?? '0');
    this.labels = node?.metadata.labels ?? {};
    this.images.clear();
    for (const { names = [], sizeBytes = 0 } of node?.status?.images ?? []) for (const name of names) this.images.set(name, sizeBytes);
  }

  add(pod: PodInfo): void {
    this.pods.set(pod.key, pod);
    this.#account(pod, 1);
    if (pod.affinity.length + pod.antiAffinity.length + pod.preferredAffinity.length + pod.preferredAntiAffinity.length > 0)
      this.withAffinity.add(pod);
    if (pod.antiAffinity.length > 0) this.withAntiAffinity.add(pod);
  }

  /** @returns The Pod that was there under the key. */
  remove(key: string): PodInfo | undefined {
    const pod = this.pods.get(key);
    if (pod === undefined) return undefined;
    this.pods.delete(key);
    this.#account(pod, -1);
    this.withAffinity.delete(pod);
    this.withAntiAffinity.delete(pod);
    return pod;
  }

  #account(pod: PodInfo, factor: 1 | -1): void {
    addResources(this.requested, pod.requests, factor);
    this.nonZero.milliCpu += factor * pod.nonZero.milliCpu;
    this.nonZero.memory += factor * pod.nonZero.memory;
    for (const port of pod.hostPorts) {
      const key = portKey(port);
      this.#ports.set(key, (this.#ports.get(key) ?? 0) + factor);
    }
    this.generation += 1;
  }

  /** Whether a port is taken, on its address or on all. */
  hasPortConflict({ ip, protocol, port }: HostPort): boolean {
    if (this.#ports.size === 0) return false;
    if (ip !== '0.0.0.0') return this.#taken(portKey({ ip, protocol, port })) || this.#taken(portKey({ ip: '0.0.0.0', protocol, port }));
    const suffix = `/${protocol}/${port}`;
    for (const [key, count] of this.#ports) if (count > 0 && key.endsWith(suffix)) return true;
    return false;
  }

  #taken(key: string): boolean {
    return (this.#ports.get(key) ?? 0) > 0;
  }

  /** How many Pods of a namespace match; remembered until the node changes. Pods that are going do not count. */
  countMatching(namespace: string, selectorKey: string, selector: Selector): number {
    if (this.pods.size === 0) return 0;
    const key = `${namespace}\n${selectorKey}`;
    const known = this.#counts.get(key);
    if (known?.generation === this.generation) return known.count;
    let count = 0;
    for (const pod of this.pods.values()) {
      if (pod.namespace === namespace && pod.pod.metadata.deletionTimestamp === undefined && selector.matches(pod.labels)) count += 1;
    }
    if (this.#counts.size >= MOST_COUNTS) this.#counts.clear();
    this.#counts.set(key, { generation: this.generation, count });
    return count;
  }

  /** A copy to try something on. */
  clone(): NodeInfo {
    const copy = new NodeInfo(this.name);
    copy.setNode(this.node);
    for (const pod of this.pods.values()) copy.add(pod);
    return copy;
  }
}

function portKey({ ip, protocol, port }: HostPort): string {
  return `${ip}/${protocol}/${port}`;
}
