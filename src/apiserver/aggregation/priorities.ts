// SPDX-License-Identifier: Apache-2.0
// The APIServices that this server registers for what it serves itself: one per built-in group and version, with upstream's
// priorities, which order groups and versions in discovery; and one per served version of a CustomResourceDefinition.
// @source upstream pkg/controlplane/apiserver/aggregator.go, cmd/kube-apiserver/app/aggregator.go, controller/crdregistration
import type { APIService } from '#api/apiregistration/v1';
import type { Draft } from '#machinery';

export const AUTOMANAGED = 'kube-aggregator.kubernetes.io/automanaged';
/** Made at start, then left to whoever changes it. */
export const ON_START = 'onstart';
/** Kept as it is, and taken away with its reason. */
export const MANAGED = 'true';

interface Priority {
  readonly group: number;
  readonly version: number;
}

/** By group; versions that are not named have `DEFAULT_VERSION`. */
const GROUPS: Readonly<Record<string, number>> = {
  '': 18_000,
  apps: 17_800,
  'events.k8s.io': 17_750,
  'authentication.k8s.io': 17_700,
  'authorization.k8s.io': 17_600,
  autoscaling: 17_500,
  batch: 17_400,
  'certificates.k8s.io': 17_300,
  'networking.k8s.io': 17_200,
  policy: 17_100,
  'rbac.authorization.k8s.io': 17_000,
  'storage.k8s.io': 16_800,
  'apiextensions.k8s.io': 16_700,
  'admissionregistration.k8s.io': 16_700,
  'scheduling.k8s.io': 16_600,
  'coordination.k8s.io': 16_500,
  'node.k8s.io': 16_300,
  'discovery.k8s.io': 16_200,
  'flowcontrol.apiserver.k8s.io': 16_100,
  'internal.apiserver.k8s.io': 16_000,
  'resource.k8s.io': 16_200,
  'storagemigration.k8s.io': 15_800,
};
const VERSIONS: Readonly<Record<string, number>> = {
  '/v1': 1,
  'autoscaling/v2': 30,
  'flowcontrol.apiserver.k8s.io/v1': 21,
  'resource.k8s.io/v1': 20,
};
const DEFAULT_VERSION = 15;
const CUSTOM: Priority = { group: 1000, version: 100 };

/** Undefined: not one of upstream's own. */
function priorityOf(group: string, version: string): Priority | undefined {
  const found = GROUPS[group];
  return found === undefined ? undefined : { group: found, version: VERSIONS[`${group}/${version}`] ?? DEFAULT_VERSION };
}

/** Where a built-in group stands among others. */
export function builtInGroupPriority(group: string): number | undefined {
  // The aggregator's own group comes before all others.
  return group === 'apiregistration.k8s.io' ? Number.MAX_SAFE_INTEGER : GROUPS[group];
}

export interface GroupVersion {
  readonly group: string;
  readonly version: string;
}

export const nameOfApiService = ({ group, version }: GroupVersion) => `${version}.${group}`;

/** The APIService of a built-in group and version; the aggregator's own group has none. */
export function localApiService(of: GroupVersion): Draft<APIService> | undefined {
  const priority = priorityOf(of.group, of.version);
  return priority === undefined ? undefined : draft(of, priority, ON_START);
}

/** The APIService of a CustomResourceDefinition's version. */
export function customApiService(of: GroupVersion): Draft<APIService> {
  return draft(of, CUSTOM, MANAGED);
}

function draft(of: GroupVersion, priority: Priority, managed: string): Draft<APIService> {
  return {
    metadata: { name: nameOfApiService(of), labels: { [AUTOMANAGED]: managed } },
    spec: {
      ...(of.group === '' ? {} : { group: of.group }),
      version: of.version,
      groupPriorityMinimum: priority.group,
      versionPriority: priority.version,
    },
  };
}
