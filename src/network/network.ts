// SPDX-License-Identifier: Apache-2.0
// How a sandbox gets its network. The runtime calls it with a pinned namespace; CNI plugins do the work (cni/).
import type { PortMapping } from '#runtime';

export interface PodNetworkRequest {
  readonly sandboxId: string;
  readonly podName: string;
  readonly podNamespace: string;
  readonly podUid: string;
  /** A pinned network namespace, `/run/…/netns/<id>`. */
  readonly networkNamespace: string;
  readonly portMappings: readonly PortMapping[];
}

export interface PodNetworkResult {
  readonly ips: readonly string[];
}

export interface PodNetwork {
  setUp(request: PodNetworkRequest, signal?: AbortSignal): Promise<PodNetworkResult>;
  /** Idempotent; works from what the plugins cached if the namespace is gone. */
  tearDown(request: PodNetworkRequest): Promise<void>;
  /** Undefined if ready, else why not, as the node's `NetworkReady` condition shows. */
  notReadyReason(): string | undefined;
}
