// SPDX-License-Identifier: Apache-2.0
// Every controller, in start order. What others wait for comes first.
import type { ControllerEntry } from './context.ts';
import { clusterRoleAggregation } from './clusterrole-aggregation/mod.ts';
import { deployment } from './deployment/mod.ts';
import { endpointSlice } from './endpoint-slice/mod.ts';
import { endpointsController } from './endpoints/mod.ts';
import { garbageCollector } from './garbage-collector/mod.ts';
import { namespace } from './namespace/mod.ts';
import { nodeIpam } from './node-ipam/mod.ts';
import { nodeLifecycle } from './node-lifecycle/mod.ts';
import { podGc } from './pod-gc/mod.ts';
import { replicaSet, replicationController } from './replicaset/mod.ts';
import { rootCa } from './root-ca/mod.ts';
import { serviceAccount } from './service-account/mod.ts';
import { taintEviction } from './taint-eviction/mod.ts';

export const CONTROLLERS: readonly ControllerEntry[] = [
  serviceAccount,
  rootCa,
  clusterRoleAggregation,
  nodeIpam,
  nodeLifecycle,
  taintEviction,
  deployment,
  replicaSet,
  replicationController,
  endpointSlice,
  endpointsController,
  namespace,
  podGc,
  garbageCollector,
];
