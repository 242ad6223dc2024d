// SPDX-License-Identifier: Apache-2.0
// SetDefaults of resource.k8s.io/v1: requests of claims, tolerations.
import { setDefault, setNonZero } from '../defaulting.ts';
import type { DeviceToleration, ResourceClaimSpec } from '../generated/resource/v1.ts';

interface Request {
  allocationMode?: string;
  count?: number;
  tolerations?: DeviceToleration[];
}

function defaultRequest(request: Request): void {
  setDefault(request, 'allocationMode', 'ExactCount');
  if (request.allocationMode === 'ExactCount') setNonZero(request, 'count', 1);
  for (const toleration of request.tolerations ?? []) setDefault(toleration, 'operator', 'Equal');
}

export function defaultClaimDevices(spec: ResourceClaimSpec | undefined): void {
  for (const request of spec?.devices?.requests ?? []) {
    if (request.exactly) defaultRequest(request.exactly);
    for (const alternative of request.firstAvailable ?? []) defaultRequest(alternative);
  }
}
