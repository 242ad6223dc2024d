// SPDX-License-Identifier: Apache-2.0
// Which Pods were promised room on which node by preemption, until they are bound, deleted or the promise is taken back.
import type { PodInfo } from '../cache/pod-info.ts';

const NONE: readonly PodInfo[] = Object.freeze([]);

export class Nominations {
  readonly #byKey = new Map<string, { readonly pod: PodInfo; readonly node: string }>();

  set(pod: PodInfo, node: string): void {
    this.#byKey.set(pod.key, { pod, node });
  }

  /** @returns Whether there was one. */
  delete(key: string): boolean {
    return this.#byKey.delete(key);
  }

  /** Others on a node of at least the Pod's priority. */
  on(node: string, pod: PodInfo): readonly PodInfo[] {
    if (this.#byKey.size === 0) return NONE;
    const found = [...this.#byKey.values()].filter(
      (entry) => entry.node === node && entry.pod.key !== pod.key && entry.pod.priority >= pod.priority,
    );
    return found.map((entry) => entry.pod);
  }
}
