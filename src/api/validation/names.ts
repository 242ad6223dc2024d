// SPDX-License-Identifier: Apache-2.0
// Which rule the name of each kind obeys (upstream's NameFunc per strategy), on top of machinery's checks.
import { checkDns1123Label, checkDns1123Subdomain, checkPathSegmentName } from '../../machinery/mod.ts';
import { canonicalIpProblems } from './ip.ts';

export type NameRule = (name: string, prefix: boolean) => readonly string[];

/** A prefix may end in a dash: the suffix follows. */
const masked = (name: string, prefix: boolean) => (prefix && name.length > 1 && name.endsWith('-') ? `${name.slice(0, -2)}a` : name);

const subdomain: NameRule = (name, prefix) => checkDns1123Subdomain(masked(name, prefix));
const label: NameRule = (name, prefix) => checkDns1123Label(masked(name, prefix));
const pathSegment: NameRule = (name) => checkPathSegmentName(name);
const anything: NameRule = () => [];
const address: NameRule = (name) => canonicalIpProblems(name);

const RULES: Readonly<Record<string, NameRule>> = {
  '/Namespace': label,
  // 1.34+ lets Service names begin with a digit (RelaxedServiceNameValidation).
  '/Service': label,
  'apps/StatefulSet': label,
  'batch/CronJob': subdomain,
  // Neither has a rule of its own: what may stand in a path will do.
  '/Event': pathSegment,
  'policy/PodDisruptionBudget': pathSegment,
  'rbac.authorization.k8s.io/Role': pathSegment,
  'rbac.authorization.k8s.io/ClusterRole': pathSegment,
  'rbac.authorization.k8s.io/RoleBinding': pathSegment,
  'rbac.authorization.k8s.io/ClusterRoleBinding': pathSegment,
  'apiregistration.k8s.io/APIService': pathSegment,
  'certificates.k8s.io/CertificateSigningRequest': anything,
  'networking.k8s.io/IPAddress': address,
};

/** The rule for the names of a kind. */
export function nameRuleOf({ group, kind }: { readonly group: string; readonly kind: string }): NameRule {
  return RULES[`${group}/${kind}`] ?? subdomain;
}
