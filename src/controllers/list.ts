// SPDX-License-Identifier: Apache-2.0
// Every controller, in start order. What others wait for comes first.
import type { ControllerEntry } from './context.ts';
import { namespace } from './namespace/mod.ts';
import { nodeIpam } from './node-ipam/mod.ts';
import { replicaSet, replicationController } from './replicaset/mod.ts';
import { rootCa } from './root-ca/mod.ts';
import { serviceAccount } from './service-account/mod.ts';

export const CONTROLLERS: readonly ControllerEntry[] = [serviceAccount, rootCa, nodeIpam, namespace, replicaSet, replicationController];
