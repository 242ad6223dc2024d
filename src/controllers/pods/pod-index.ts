// SPDX-License-Identifier: Apache-2.0
// The shared cache of Pods, indexed by the controller that owns them and by node.

import type { Pod } from '#api/core/v1';
import { pods } from '#api/resources';
import type { Informer, InformerFactory } from '#client';
import type { DeepReadonly } from '#machinery';
import { controllerOf } from '../context.ts';

const CONTROLLER = 'controller';
const NODE = 'node';

export class PodIndex {
  readonly informer: Informer<Pod>;

  constructor(informers: InformerFactory) {
    this.informer = informers.informer(pods);
    if (this.informer.hasSynced) return;
    this.informer.addIndex(CONTROLLER, (pod) => [controllerOf(pod)?.uid ?? `orphan/${pod.metadata.namespace}`]);
    this.informer.addIndex(NODE, (pod) => (pod.spec.nodeName ? [pod.spec.nodeName] : []));
  }

  find(key: string): DeepReadonly<Pod> | undefined {
    return this.informer.lister.find(key);
  }

  ownedBy(uid: string): readonly DeepReadonly<Pod>[] {
    return this.informer.lister.byIndex(CONTROLLER, uid);
  }

  /** Pods of a namespace that nothing controls. */
  orphansIn(namespace: string): readonly DeepReadonly<Pod>[] {
    return this.informer.lister.byIndex(CONTROLLER, `orphan/${namespace}`);
  }

  onNode(node: string): readonly DeepReadonly<Pod>[] {
    return this.informer.lister.byIndex(NODE, node);
  }

  in(namespace: string): readonly DeepReadonly<Pod>[] {
    return this.informer.lister.list(namespace);
  }
}
