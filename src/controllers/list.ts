// SPDX-License-Identifier: Apache-2.0
// Every controller, in start order. What others wait for comes first.

import { csrApproving, csrCleaner, csrSigning } from './certificates/mod.ts';
import { clusterRoleAggregation } from './clusterrole-aggregation/mod.ts';
import type { ControllerEntry } from './context.ts';
import { cronJob } from './cronjob/mod.ts';
import { daemonSet } from './daemonset/mod.ts';
import { deployment } from './deployment/mod.ts';
import { disruption } from './disruption/mod.ts';
import { endpointSlice } from './endpoint-slice/mod.ts';
import { endpointSliceMirroring } from './endpoint-slice-mirroring/mod.ts';
import { endpointsController } from './endpoints/mod.ts';
import { garbageCollector } from './garbage-collector/mod.ts';
import { job } from './job/mod.ts';
import { namespace } from './namespace/mod.ts';
import { nodeIpam } from './node-ipam/mod.ts';
import { nodeLifecycle } from './node-lifecycle/mod.ts';
import { podGc } from './pod-gc/mod.ts';
import { replicaSet, replicationController } from './replicaset/mod.ts';
import { resourceQuota } from './resource-quota/mod.ts';
import { rootCa } from './root-ca/mod.ts';
import { serviceAccount } from './service-account/mod.ts';
import { serviceAccountTokens } from './service-account-tokens/mod.ts';
import { serviceCidrs } from './service-cidrs/mod.ts';
import { statefulSet } from './statefulset/mod.ts';
import { taintEviction } from './taint-eviction/mod.ts';
import { ttl } from './ttl/mod.ts';
import { ttlAfterFinished } from './ttl-after-finished/mod.ts';
import { attributesClassProtection, claimProtection, volumeProtection } from './volume-protection/mod.ts';

export const CONTROLLERS: readonly ControllerEntry[] = [
  serviceAccount,
  serviceAccountTokens,
  rootCa,
  clusterRoleAggregation,
  nodeIpam,
  nodeLifecycle,
  taintEviction,
  deployment,
  replicaSet,
  replicationController,
  daemonSet,
  statefulSet,
  job,
  cronJob,
  endpointSlice,
  endpointsController,
  endpointSliceMirroring,
  serviceCidrs,
  namespace,
  podGc,
  csrApproving,
  csrSigning,
  csrCleaner,
  disruption,
  resourceQuota,
  ttl,
  ttlAfterFinished,
  claimProtection,
  volumeProtection,
  attributesClassProtection,
  garbageCollector,
];
