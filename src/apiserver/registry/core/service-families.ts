// SPDX-License-Identifier: Apache-2.0
// The IP families of a Service: what it leaves out is filled in from its addresses, from what it was, and from what the cluster has;
// what the cluster has not is refused. Runs before addresses are taken, and before the object is validated as a whole.
// @source upstream registry/core/service/storage/alloc.go initIPFamilyFields
import { clusterIpCauses } from '#api';
import type { Service } from '#api/core/v1';
import { type DeepReadonly, type FieldCause, field, invalidValue, semanticEqual } from '#machinery';

export type IpFamily = 'IPv4' | 'IPv6';
type Spec = Service['spec'];
type Old = DeepReadonly<Spec>;

const SPEC = field('spec');
const POLICY = SPEC.child('ipFamilyPolicy');
const ALLOCATED = new Set(['ClusterIP', 'NodePort', 'LoadBalancer']);

/**
 * Fills families and policy in.
 *
 * @param families Those the cluster has, the default first.
 * @returns What forbids it; then nothing else is to be said of the Service.
 */
export function initFamilies({ spec }: Service, previous: Old | undefined, families: readonly IpFamily[]): readonly FieldCause[] {
  if (spec.type === 'ExternalName' || (previous !== undefined && staysPreferDualStack(spec, previous))) return [];
  const isOpen = spec.clusterIP === 'None' && Object.keys(spec.selector ?? {}).length === 0;
  spec.ipFamilyPolicy ??= previous?.ipFamilyPolicy ?? (isOpen ? 'RequireDualStack' : 'SingleStack');
  const related = clusterIpCauses(spec);
  if (related.length > 0) return related;
  const changes = previous === undefined ? [] : changeCauses(spec, previous);
  const causes = [...changes, ...policyCauses(spec), ...inferFamilies(spec, families)];
  if (causes.length > 0) return causes;
  if (isOpen) {
    // Nobody takes addresses for it: it may have a family that the cluster has not.
    spec.ipFamilies = nonEmpty(spec.ipFamilies, families);
    addOther(spec);
    return [];
  }
  const unknown = clusterCauses(spec, families);
  if (unknown.length > 0) return unknown;
  spec.ipFamilies = nonEmpty(spec.ipFamilies, families);
  if (families.length === 2) addOther(spec);
  return [];
}

/** A cluster that has got or lost a family changes no Service: only a Service that is changed itself is looked at. */
export function staysPreferDualStack(spec: Old, previous: Old): boolean {
  return (
    spec.type === previous.type &&
    ALLOCATED.has(spec.type ?? '') &&
    spec.ipFamilyPolicy === 'PreferDualStack' &&
    (previous.ipFamilyPolicy ?? spec.ipFamilyPolicy) === 'PreferDualStack' &&
    same(spec.clusterIPs, previous.clusterIPs) &&
    same(spec.ipFamilies, previous.ipFamilies)
  );
}

const same = (now: readonly string[] | undefined, before: readonly string[] | undefined) => semanticEqual(now ?? [], before ?? []);
const nonEmpty = (given: Spec['ipFamilies'], families: readonly IpFamily[]) => (given?.length ? given : [families[0] ?? 'IPv4']);

/** To one family goes who says so; who only leaves the second out is asked to say so. */
function changeCauses(spec: Spec, previous: Old): FieldCause[] {
  const { clusterIPs = [], ipFamilies = [] } = spec;
  if (spec.ipFamilyPolicy === 'SingleStack') {
    if (clusterIPs.length > 1 && same(clusterIPs, previous.clusterIPs)) spec.clusterIPs = clusterIPs.slice(0, 1);
    if (ipFamilies.length > 1 && same(ipFamilies, previous.ipFamilies)) spec.ipFamilies = ipFamilies.slice(0, 1);
    return [];
  }
  const isReduced = (now: readonly string[], before: readonly string[] = []) => now.length > 0 && now.length < before.length;
  const refused = (what: string) => invalidValue(POLICY, spec.ipFamilyPolicy, `must be 'SingleStack' to release the secondary ${what}`);
  return [
    ...(isReduced(clusterIPs, previous.clusterIPs) ? [refused('cluster IP')] : []),
    ...(isReduced(ipFamilies, previous.ipFamilies) ? [refused('IP family')] : []),
  ];
}

function policyCauses({ ipFamilyPolicy, clusterIPs = [], ipFamilies = [] }: Old): FieldCause[] {
  if (ipFamilyPolicy !== 'SingleStack') return [];
  const refused = (what: string) =>
    invalidValue(POLICY, ipFamilyPolicy, `must be 'RequireDualStack' or 'PreferDualStack' when multiple ${what} are specified`);
  return [...(clusterIPs.length === 2 ? [refused('cluster IPs')] : []), ...(ipFamilies.length === 2 ? [refused('IP families')] : [])];
}

/** An address tells its family. */
function inferFamilies(spec: Spec, families: readonly IpFamily[]): FieldCause[] {
  const causes: FieldCause[] = [];
  for (const [index, address] of (spec.clusterIPs ?? []).entries()) {
    if (address === 'None') break;
    if (index < (spec.ipFamilies ?? []).length) continue;
    const family = address.includes(':') ? 'IPv6' : 'IPv4';
    if (families.includes(family)) spec.ipFamilies = [...(spec.ipFamilies ?? []), family];
    else causes.push(invalidValue(SPEC.child('clusterIPs').index(index), spec.clusterIPs, `${family} is not configured on this cluster`));
  }
  return causes;
}

function clusterCauses({ ipFamilyPolicy, ipFamilies = [] }: Old, families: readonly IpFamily[]): FieldCause[] {
  const causes: FieldCause[] = [];
  if (ipFamilyPolicy === 'RequireDualStack' && families.length < 2)
    causes.push(invalidValue(POLICY, ipFamilyPolicy, 'this cluster is not configured for dual-stack services'));
  for (const [index, family] of ipFamilies.entries()) {
    if (!(families as readonly string[]).includes(family))
      causes.push(invalidValue(SPEC.child('ipFamilies').index(index), family, 'not configured on this cluster'));
  }
  return causes;
}

function addOther(spec: Spec): void {
  const [first, second] = spec.ipFamilies ?? [];
  if (spec.ipFamilyPolicy !== 'SingleStack' && second === undefined)
    spec.ipFamilies = [first ?? 'IPv4', first === 'IPv4' ? 'IPv6' : 'IPv4'];
}
