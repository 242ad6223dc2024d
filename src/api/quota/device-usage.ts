// SPDX-License-Identifier: Apache-2.0
// How many devices of each class a claim may take, which is what quotas limit.
// @source upstream pkg/quota/v1/evaluator/core/resource_claims.go
import type { DeepReadonly } from '../../machinery/mod.ts';
import type { DeviceSubRequest, ResourceClaim } from '../generated/resource/v1.ts';

/** Upstream's limit on the devices of one claim: what "all" may come to. */
const MAX_DEVICES = 32;

/** Modes that are not known count for nothing. */
function countOf({ allocationMode, count = 0 }: DeepReadonly<Pick<DeviceSubRequest, 'allocationMode' | 'count'>>): number {
  if (allocationMode === 'All') return MAX_DEVICES;
  return allocationMode === 'ExactCount' ? count : 0;
}

/** Amounts by the names that quotas know them by. Of alternatives, the most of each class counts. */
export function deviceUsage({ spec }: DeepReadonly<ResourceClaim>): Map<string, number> {
  const usage = new Map<string, number>();
  for (const { exactly, firstAvailable = [] } of spec.devices?.requests ?? []) {
    const most = new Map<string, number>();
    for (const request of firstAvailable.length > 0 || exactly === undefined ? firstAvailable : [exactly]) {
      const name = `${request.deviceClassName}.deviceclass.resource.k8s.io/devices`;
      most.set(name, Math.max(countOf(request), most.get(name) ?? 0));
    }
    for (const [name, count] of most) usage.set(name, count + (usage.get(name) ?? 0));
  }
  return usage;
}
