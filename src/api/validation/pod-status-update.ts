// SPDX-License-Identifier: Apache-2.0
// What may change in a Pod's status (upstream's ValidatePodStatusUpdate). Nothing says that statuses are of containers there are.
import {
  checkDns1123Subdomain,
  checkQualifiedName,
  type DeepReadonly,
  duplicateValue,
  type FieldCause,
  type FieldPath,
  field,
  forbiddenField,
  invalidValue,
} from '../../machinery/mod.ts';
import type { Container, ContainerStatus, Pod } from '../generated/core/v1.ts';
import { ipProblems } from './ip.ts';
import { immutableCauses } from './object-meta.ts';
import { idCauses } from './pod-security-context.ts';
import { deviceStatusCauses, extendedClaimCauses } from './pod-status-resources.ts';
import { commonUpdateCauses } from './pod-update.ts';
import { ratcheted } from './ratchets.ts';
import { problems } from './rules.ts';

type Old = DeepReadonly<Pod>;
const STATUS = field('status');
const NEGATIVE = 'must be a non-negative integer';
const SYSTEM_CONDITIONS = new Set(['PodScheduled', 'Ready', 'Initialized']);

/** Upstream says `metadata` where it means `status`. */
function conditionCauses({ status }: Old): FieldCause[] {
  return (status?.conditions ?? []).flatMap(({ type, observedGeneration = 0 }, index) => {
    const at = field('metadata', 'conditions').index(index);
    const counted = observedGeneration < 0 ? [invalidValue(at.child('observedGeneration'), observedGeneration, NEGATIVE)] : [];
    return SYSTEM_CONDITIONS.has(type) ? counted : [...counted, ...problems(checkQualifiedName(type), at.child('Type'), type)];
  });
}

type Addresses = readonly { readonly ip: string }[];

/** Of each family one. */
function familyCauses(list: Addresses, path: FieldPath): FieldCause[] {
  const isPair = list.length === 2 && list[0]?.ip?.includes(':') !== list[1]?.ip?.includes(':');
  if (isPair) return [];
  const shown = list.map(({ ip = '' }) => ({ IP: ip }));
  return [invalidValue(path, shown, 'may specify no more than one IP for each IP family')];
}

function podAddressCauses(list: Addresses, path: FieldPath): FieldCause[] {
  const causes = list.flatMap(({ ip = '' }, index) => problems(ipProblems(ip), path.index(index), ip));
  return list.length > 1 ? [...causes, ...familyCauses(list, path)] : causes;
}

function hostAddressCauses(list: Addresses, hostIP: string | undefined, path: FieldPath): FieldCause[] {
  const first = list[0]?.ip;
  if (first === undefined) return [];
  const causes = first === (hostIP ?? '') ? [] : [invalidValue(path.index(0).child('ip'), first, 'must be equal to `hostIP`')];
  causes.push(...list.flatMap(({ ip = '' }, index) => problems(ipProblems(ip), path.index(index), ip)));
  return list.length > 1 ? [...causes, ...familyCauses(list, path)] : causes;
}

const addressCauses = ({ status }: Old) => [
  ...podAddressCauses(status?.podIPs ?? [], STATUS.child('podIPs')),
  ...hostAddressCauses(status?.hostIPs ?? [], status?.hostIP, STATUS.child('hostIPs')),
];

function claimStatusCauses({ spec, status }: Old, path: FieldPath): FieldCause[] {
  const seen = new Set<string>();
  return (status?.resourceClaimStatuses ?? []).flatMap(({ name, resourceClaimName: claim }, index) => {
    const at = path.index(index).child('name');
    const causes: FieldCause[] = [];
    if (!spec.resourceClaims?.some((it) => it.name === name))
      causes.push(invalidValue(at, name, 'must match the name of an entry in `spec.resourceClaims`'));
    if (seen.has(name)) causes.push(duplicateValue(at, name));
    seen.add(name);
    return claim ? [...causes, ...problems(checkDns1123Subdomain(claim), at, claim)] : causes;
  });
}

const LISTS = ['containerStatuses', 'initContainerStatuses', 'ephemeralContainerStatuses'] as const;
type List = (typeof LISTS)[number];

/** A container that would not restart stays terminated. Ephemeral ones never do. */
function restartCauses(next: Old, previous: Old, list: List): FieldCause[] {
  return (previous.status?.[list] ?? []).flatMap(({ name, state }, index) => {
    const { terminated } = state ?? {};
    if (!terminated || !next.status?.[list]?.some((it) => it.name === name && !it.state?.terminated)) return [];
    if (list !== 'ephemeralContainerStatuses' && restarts(previous, list, name, terminated.exitCode)) return [];
    return [forbiddenField(STATUS.child(list).index(index).child('state'), 'may not be transitioned to non-terminated state')];
  });
}

/** What follows from an exit, by the rules of the container, its policy, and that of the Pod. @source upstream ContainerShouldRestart */
function restarts({ spec }: Old, list: List, name: string, exitCode: number): boolean {
  const containers: readonly DeepReadonly<Container>[] = (list === 'containerStatuses' ? spec.containers : spec.initContainers) ?? [];
  const container = containers.find((it) => it.name === name);
  if (!container) return false;
  if (container.restartPolicy === undefined) return restartsBy(spec.restartPolicy ?? 'Always', exitCode);
  const met = container.restartPolicyRules?.find(({ exitCodes }) => {
    const has = exitCodes?.values?.includes(exitCode) === true;
    return exitCodes?.operator === 'In' ? has : exitCodes?.operator === 'NotIn' && !has;
  });
  return met !== undefined || restartsBy(container.restartPolicy, exitCode);
}

const restartsBy = (policy: string, exitCode: number) => policy === 'Always' || (policy === 'OnFailure' && exitCode !== 0);

/** Who containers run as. */
function userCauses(statuses: readonly DeepReadonly<ContainerStatus>[] | undefined, path: FieldPath, os: string): FieldCause[] {
  return (statuses ?? []).flatMap(({ user }, index) => {
    const linux = user?.linux;
    const at = path.index(index).child('linux');
    if (!linux) return [];
    if (os === 'windows') return [forbiddenField(at, 'cannot be set for a windows pod')];
    const groups = (linux.supplementalGroups ?? []).flatMap((id, position) => idCauses(id, at.child('supplementalGroups').index(position)));
    return [...idCauses(linux.uid, at.child('uid')), ...idCauses(linux.gid, at.child('gid')), ...groups];
  });
}

function nameCauses({ status }: Old, previous: Old): FieldCause[] {
  const { nominatedNodeName: name, observedGeneration = 0 } = status ?? {};
  const causes: FieldCause[] = [];
  if (name && name !== previous.status?.nominatedNodeName) {
    const path = STATUS.child('nominatedNodeName');
    causes.push(...problems(checkDns1123Subdomain(name), path, name));
    if (previous.spec.nodeName) causes.push(forbiddenField(path, 'may not be set on pods that are already bound to a node'));
  }
  if (observedGeneration < 0) causes.push(invalidValue(STATUS.child('observedGeneration'), observedGeneration, NEGATIVE));
  return causes;
}

/** PUT and PATCH of `status`. */
export function podStatusCauses(next: Old, previous: Old): FieldCause[] {
  const { status } = next;
  const causes = [...commonUpdateCauses(next, previous, 'status'), ...conditionCauses(next)];
  if ((next.spec.nodeName ?? '') !== (previous.spec.nodeName ?? ''))
    causes.push(forbiddenField(STATUS.child('nodeName'), 'may not be changed directly'));
  causes.push(...nameCauses(next, previous));
  causes.push(...immutableCauses(status?.qosClass ?? '', previous.status?.qosClass ?? '', STATUS.child('qosClass')));
  for (const list of LISTS) causes.push(...restartCauses(next, previous, list));
  causes.push(...claimStatusCauses(next, STATUS.child('resourceClaimStatuses')), ...extendedClaimCauses(next));
  causes.push(...ratcheted('/Pod/status', addressCauses(next), () => addressCauses(previous)));
  const os = next.spec.os?.name ?? 'linux';
  for (const list of LISTS) causes.push(...userCauses(status?.[list], STATUS.child(list), os));
  causes.push(...deviceStatusCauses(next));
  return causes;
}
