// SPDX-License-Identifier: Apache-2.0
// IP families of a Service against what the cluster has: the part of validation that needs the cluster's configuration.
import { type DeepReadonly, type FieldCause, field, invalidValue } from '../../machinery/mod.ts';
import type { Service } from '../generated/core/v1.ts';
import { clusterIpCauses } from './services.ts';

const SPEC = field('spec');

export function serviceFamilyCauses(
  { spec }: DeepReadonly<Service>,
  previous: DeepReadonly<Service> | undefined,
  families: readonly ('IPv4' | 'IPv6')[],
): FieldCause[] {
  if (spec.type === 'ExternalName') return [];
  const related = clusterIpCauses(spec);
  if (related.length > 0) return related;
  const causes: FieldCause[] = [];
  const { clusterIPs = [], ipFamilies = [], ipFamilyPolicy: policy } = spec;
  const at = SPEC.child('ipFamilyPolicy');
  if (policy === 'SingleStack') {
    const why = `must be 'RequireDualStack' or 'PreferDualStack' when multiple`;
    if (clusterIPs.length === 2) causes.push(invalidValue(at, policy, `${why} cluster IPs are specified`));
    if (ipFamilies.length === 2) causes.push(invalidValue(at, policy, `${why} IP families are specified`));
  } else if (previous !== undefined && policy !== undefined) {
    const isReduced = (now: readonly string[], before: readonly string[] = []) => now.length > 0 && now.length < before.length;
    if (isReduced(clusterIPs, previous.spec.clusterIPs))
      causes.push(invalidValue(at, policy, "must be 'SingleStack' to release the secondary cluster IP"));
    if (isReduced(ipFamilies, previous.spec.ipFamilies))
      causes.push(invalidValue(at, policy, "must be 'SingleStack' to release the secondary IP family"));
  }
  const isHeadless = clusterIPs[0] === 'None';
  for (const [index, address] of (isHeadless ? [] : clusterIPs).entries()) {
    const family = address.includes(':') ? 'IPv6' : 'IPv4';
    if (address !== '' && index >= ipFamilies.length && !families.includes(family))
      causes.push(invalidValue(SPEC.child('clusterIPs').index(index), clusterIPs, `${family} is not configured on this cluster`));
  }
  if (causes.length > 0) return causes;
  if (isHeadless && Object.keys(spec.selector ?? {}).length === 0) return [];
  // A headless Service may have asked for two families that nobody had to give.
  const hadBoth = previous?.spec.ipFamilyPolicy === 'RequireDualStack' && previous.spec.clusterIPs?.[0] !== 'None';
  if (policy === 'RequireDualStack' && families.length < 2 && !hadBoth) {
    causes.push(invalidValue(at, policy, 'this cluster is not configured for dual-stack services'));
  }
  for (const [index, family] of ipFamilies.entries()) {
    if (!(families as readonly string[]).includes(family))
      causes.push(invalidValue(SPEC.child('ipFamilies').index(index), family, 'not configured on this cluster'));
  }
  return causes;
}
