// SPDX-License-Identifier: Apache-2.0
// Mirror Pods: the API's picture of static Pods, made and removed by the kubelet, owned by the Node.
// @source upstream pkg/kubelet/pod/mirror_client.go

import type { Pod } from '#api/core/v1';
import { pods } from '#api/resources';
import type { Client } from '#client';
import type { Logger } from '#component';
import { type Draft, isAlreadyExists, isNotFound } from '#machinery';
import type { NodeView } from '../node/node-status.ts';
import { CONFIG_HASH, CONFIG_MIRROR, type PodView, podRef } from '../pod/pod.ts';

export class MirrorPods {
  readonly #client: Client;
  readonly #logger: Logger;
  /** Full name to the mirror as the API has it. */
  readonly #mirrors = new Map<string, PodView>();

  constructor(client: Client, logger: Logger) {
    this.#client = client;
    this.#logger = logger;
  }

  of(pod: PodView): PodView | undefined {
    const mirror = this.#mirrors.get(keyOf(pod));
    return mirror?.metadata.annotations?.[CONFIG_MIRROR] === pod.metadata.annotations?.[CONFIG_HASH] ? mirror : undefined;
  }

  observe(mirror: PodView, gone: boolean): void {
    if (gone) this.#mirrors.delete(keyOf(mirror));
    else this.#mirrors.set(keyOf(mirror), mirror);
  }

  /** Makes the mirror of a static Pod, in place of one of an earlier text or one somebody deletes. */
  async ensure(pod: PodView, node: NodeView | undefined): Promise<void> {
    const present = this.#mirrors.get(keyOf(pod));
    if (present !== undefined) {
      const good = this.of(pod) !== undefined && present.metadata.deletionTimestamp === undefined;
      if (good) return;
      await this.remove(present);
    }
    await this.#create(pod, node);
  }

  async remove(mirror: PodView): Promise<void> {
    const options = { gracePeriodSeconds: 0, preconditions: { uid: mirror.metadata.uid } };
    await this.#client.delete(pods, podRef(mirror), options).catch((error: unknown) => {
      if (!isNotFound(error)) this.#logger.warn({ err: error, pod: mirror.metadata.name }, 'Mirror Pod was not deleted');
    });
  }

  /** Mirrors whose static Pod is gone. */
  orphans(statics: ReadonlyMap<string, PodView>): PodView[] {
    const wanted = new Set([...statics.values()].map(keyOf));
    return [...this.#mirrors.values()].filter((mirror) => !wanted.has(keyOf(mirror)));
  }

  async #create(pod: PodView, node: NodeView | undefined): Promise<void> {
    const { uid: _, creationTimestamp: __, resourceVersion: ___, ...metadata } = pod.metadata;
    const hash = pod.metadata.annotations?.[CONFIG_HASH] ?? '';
    const owner =
      node === undefined ? [] : [{ apiVersion: 'v1', kind: 'Node', name: node.metadata.name, uid: node.metadata.uid, controller: true }];
    const mirror = {
      metadata: { ...metadata, annotations: { ...metadata.annotations, [CONFIG_MIRROR]: hash }, ownerReferences: owner },
      spec: pod.spec,
    };
    await this.#client.create(pods, mirror as unknown as Draft<Pod>).catch((error: unknown) => {
      if (!isAlreadyExists(error)) this.#logger.warn({ err: error, pod: metadata.name }, 'Mirror Pod was not created');
    });
  }
}

const keyOf = (pod: PodView) => `${pod.metadata.namespace}/${pod.metadata.name}`;
