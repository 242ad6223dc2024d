// SPDX-License-Identifier: Apache-2.0
// IP families of a Service against what the cluster has: the part of validation that needs the cluster's configuration.
import { type DeepReadonly, type FieldCause, field, invalidValue } from '../../machinery/mod.ts';
import type { Service } from '../generated/core/v1.ts';

const SPEC = field('spec');

export function serviceFamilyCauses(
  { spec }: DeepReadonly<Service>,
  previous: DeepReadonly<Service> | undefined,
  families: readonly ('IPv4' | 'IPv6')[],
): FieldCause[] {
  if (spec.type === 'ExternalName') return [];
  const causes: FieldCause[] = [];
  const headless = spec.clusterIPs?.[0] === 'None';
  if (headless && Object.keys(spec.selector ?? {}).length === 0) return [];
  for (const [index, address] of (headless ? [] : (spec.clusterIPs ?? [])).entries()) {
    const family = address.includes(':') ? 'IPv6' : 'IPv4';
    if (address !== '' && !families.includes(family)) {
      return [invalidValue(SPEC.child('clusterIPs').index(index), spec.clusterIPs, `${family} is not configured on this cluster`)];
    }
    const given = spec.ipFamilies?.[index];
    if (address !== '' && given !== undefined && given !== family) {
      causes.push(
        invalidValue(SPEC.child('ipFamilies').index(index), given, `expected ${given} value as indicated by \`ipFamilies[${index}]\``),
      );
    }
  }
  const policy = spec.ipFamilyPolicy;
  if (policy === 'SingleStack' && ((spec.ipFamilies ?? []).length === 2 || (spec.clusterIPs ?? []).length === 2)) {
    const what = (spec.ipFamilies ?? []).length === 2 ? 'IP families' : 'cluster IPs';
    causes.push(
      invalidValue(
        SPEC.child('ipFamilyPolicy'),
        policy,
        `must be 'RequireDualStack' or 'PreferDualStack' when multiple ${what} are specified`,
      ),
    );
    return causes;
  }
  // A headless Service may have asked for two families that nobody had to give.
  const hadBoth = previous?.spec.ipFamilyPolicy === 'RequireDualStack' && previous.spec.clusterIPs?.[0] !== 'None';
  if (policy === 'RequireDualStack' && families.length < 2 && !hadBoth) {
    causes.push(invalidValue(SPEC.child('ipFamilyPolicy'), policy, 'this cluster is not configured for dual-stack services'));
  }
  for (const [index, family] of (spec.ipFamilies ?? []).entries()) {
    if (!(families as readonly string[]).includes(family))
      causes.push(invalidValue(SPEC.child('ipFamilies').index(index), family, 'not configured on this cluster'));
  }
  return causes;
}
