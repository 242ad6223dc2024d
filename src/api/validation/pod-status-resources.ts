// SPDX-License-Identifier: Apache-2.0
// What the status of a Pod says of resources: how the devices of containers are, which claim stands for extended resources.
// @source upstream pkg/apis/core/validation/validation.go validateContainerStatusAllocatedResourcesStatus,
// validatePodExtendedResourceClaimStatus
import {
  checkDns1123Label,
  checkDns1123Subdomain,
  type DeepReadonly,
  duplicateValue,
  type FieldCause,
  type FieldPath,
  field,
  forbiddenField,
  invalidValue,
  required,
} from '../../machinery/mod.ts';
import type { Container, ContainerStatus, Pod, ResourceStatus } from '../generated/core/v1.ts';
import { enumCauses, problems } from './rules.ts';

type Statuses = readonly DeepReadonly<ContainerStatus>[] | undefined;
type Containers = readonly DeepReadonly<Container>[] | undefined;

const HEALTH = ['Healthy', 'Unhealthy', 'Unknown'];
const CLAIM = 'claim:';
const NO_CLAIM =
  "must match one of the container's resource claims in a format 'claim:<claimName>/<request>' or 'claim:<claimName>' if request is empty";

function isAsked({ resources }: DeepReadonly<Container>, name: string): boolean {
  if (!name.startsWith(CLAIM)) return resources?.requests?.[name] !== undefined;
  return (resources?.claims ?? []).some(({ name: claim, request }) => name === `${CLAIM}${claim}${request ? `/${request}` : ''}`);
}

function deviceCauses({ name, resources }: DeepReadonly<ResourceStatus>, container: Containers, path: FieldPath): FieldCause[] {
  const isWrong = container?.some((it) => !isAsked(it, name)) === true;
  const why = name.startsWith(CLAIM) ? NO_CLAIM : "must match one of the container's resource requests";
  const causes = isWrong ? [invalidValue(path.child('name'), name, why)] : [];
  const seen = new Set<string>();
  for (const [index, { resourceID: id, health = '' }] of (resources ?? []).entries()) {
    const at = path.child('resources').index(index);
    causes.push(...enumCauses(health, HEALTH, at.child('health'), true));
    if (seen.has(id)) causes.push(duplicateValue(at.child('resourceID'), id));
    seen.add(id);
  }
  return causes;
}

/** Statuses of containers that the Pod does not have are not compared. */
function allocatedCauses(statuses: Statuses, containers: Containers, path: FieldPath): FieldCause[] {
  return (statuses ?? []).flatMap(({ name, allocatedResourcesStatus }, index) => {
    const own = containers?.filter((it) => it.name === name);
    const at = path.index(index).child('allocatedResourcesStatus');
    return (allocatedResourcesStatus ?? []).flatMap((resource, position) => deviceCauses(resource, own, at.index(position)));
  });
}

export function deviceStatusCauses({ spec, status }: DeepReadonly<Pod>): FieldCause[] {
  const path = field('status');
  const ephemeral = path.child('ephemeralContainerStatuses');
  return [
    ...allocatedCauses(status?.containerStatuses, spec.containers, path.child('containerStatuses')),
    ...allocatedCauses(status?.initContainerStatuses, spec.initContainers, path.child('initContainerStatuses')),
    ...(status?.ephemeralContainerStatuses ?? []).flatMap(({ allocatedResourcesStatus: list }, index) =>
      (list ?? []).length === 0
        ? []
        : [forbiddenField(ephemeral.index(index).child('allocatedResourcesStatus'), 'must not be specified in container status')],
    ),
  ];
}

const [NO_CONTAINER, NO_RESOURCE] = [
  'must match the name of an entry in spec.initContainers.name or spec.containers.name',
  'must match the extended resource name of an entry in spec.initContainers.resources.requests or spec.containers.resources.requests',
];

export function extendedClaimCauses({ spec, status }: DeepReadonly<Pod>): FieldCause[] {
  const claim = status?.extendedResourceClaimStatus;
  if (!claim) return [];
  const path = field('status', 'extendedResourceClaimStatus');
  const mappings = claim.requestMappings ?? [];
  const list = path.child('requestMappings');
  const causes = mappings.length === 0 ? [required(list, 'at least one request mapping is required')] : [];
  const containers = new Map([...(spec.initContainers ?? []), ...spec.containers].map((it) => [it.name, it]));
  const seen = new Set<string>();
  for (const [index, { containerName, resourceName, requestName }] of mappings.entries()) {
    const at = list.index(index);
    const container = containers.get(containerName);
    if (!container) causes.push(invalidValue(at.child('containerName'), containerName, NO_CONTAINER));
    else if (container.resources?.requests?.[resourceName] === undefined)
      causes.push(invalidValue(at.child('resourceName'), resourceName, NO_RESOURCE));
    causes.push(...problems(checkDns1123Label(requestName), path.child('requestName'), requestName));
    const key = JSON.stringify([containerName, resourceName, requestName]);
    const parts = { containerName, resourceName, requestName };
    if (seen.has(key)) causes.push(...Object.entries(parts).map(([name, value]) => duplicateValue(at.child(name), value)));
    seen.add(key);
  }
  const { resourceClaimName: name } = claim;
  const at = path.child('resourceClaimName');
  return [...causes, ...(name ? problems(checkDns1123Subdomain(name), at, name) : [required(at)])];
}
