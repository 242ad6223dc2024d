// SPDX-License-Identifier: Apache-2.0
// What happens in a cluster that may make a waiting Pod schedulable.
import type { Node } from '#api/core/v1';
import type { DeepReadonly } from '#machinery';
import type { PodInfo } from '../cache/pod-info.ts';

export type ClusterEvent =
  | {
      readonly resource: 'Node';
      readonly action: 'add' | 'update' | 'delete';
      readonly node: DeepReadonly<Node>;
      readonly before?: DeepReadonly<Node>;
    }
  /** Of Pods that have a node. */
  | { readonly resource: 'Pod'; readonly action: 'add' | 'update' | 'delete'; readonly pod: PodInfo }
  | { readonly resource: 'Volume'; readonly action: 'add' | 'update' | 'delete' }
  | { readonly resource: 'Namespace'; readonly action: 'update' };
