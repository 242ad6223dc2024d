// SPDX-License-Identifier: Apache-2.0
// ReplicaSets and ReplicationControllers seen alike: the second is the first with a plain map as selector.

import type { ReplicaSet } from '#api/apps/v1';
import type { PodTemplateSpec, ReplicationController } from '#api/core/v1';
import { replicasets, replicationcontrollers } from '#api/resources';
import { type DeepReadonly, type KubeObject, NOTHING, type Resource, type Selector, selectorOf, selectorOfMap } from '#machinery';

export interface ReplicaOwner extends KubeObject {
  spec: { replicas?: number; minReadySeconds?: number; selector?: unknown; template?: PodTemplateSpec };
  status?: { replicas: number; conditions?: ReplicaCondition[]; observedGeneration?: number };
}

export interface ReplicaCondition {
  type: string;
  status: 'True' | 'False' | 'Unknown';
  lastTransitionTime?: string;
  reason?: string;
  message?: string;
}

export interface ReplicaKind {
  readonly resource: Resource<ReplicaOwner>;
  readonly controller: string;
  readonly selectorOf: (owner: DeepReadonly<ReplicaOwner>) => Selector;
  /** Whether the status counts Pods that are going. */
  readonly countsTerminating: boolean;
}

export const REPLICA_SET: ReplicaKind = {
  resource: replicasets as unknown as Resource<ReplicaOwner>,
  controller: 'replicaset-controller',
  selectorOf: (owner) => selectorOf((owner as unknown as ReplicaSet).spec.selector),
  countsTerminating: true,
};

export const REPLICATION_CONTROLLER: ReplicaKind = {
  resource: replicationcontrollers as unknown as Resource<ReplicaOwner>,
  controller: 'replicationcontroller-controller',
  selectorOf(owner) {
    const { selector } = (owner as unknown as ReplicationController).spec;
    return selector === undefined || Object.keys(selector).length === 0 ? NOTHING : selectorOfMap(selector);
  },
  countsTerminating: false,
};
