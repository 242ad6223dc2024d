// SPDX-License-Identifier: Apache-2.0
// Whether a request is one that a webhook's rules are about: operation, group, version, resource with subresource, scope.
// @source upstream apiserver pkg/admission/plugin/webhook/predicates/rules/rules.go
import type { RuleWithOperations } from '#api/admissionregistration/v1';
import type { DeepReadonly } from '#machinery';
import type { AdmissionOperation } from '../admission.ts';

/** What rules look at. */
export interface RuleTarget {
  readonly operation: AdmissionOperation;
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly subresource: string;
  /** Of a Namespace object: its own name. */
  readonly namespace: string;
}

type Rule = DeepReadonly<RuleWithOperations>;

export function ruleMatches(rule: Rule, target: RuleTarget): boolean {
  return (
    includes(rule.operations, target.operation) &&
    includes(rule.apiGroups, target.group) &&
    includes(rule.apiVersions, target.version) &&
    (rule.resources ?? []).some((pattern) => resourceMatches(pattern, target)) &&
    scopeMatches(rule.scope, target)
  );
}

function includes(list: readonly string[] | undefined, wanted: string): boolean {
  return list !== undefined && (list.includes(wanted) || list.includes('*'));
}

// `pods`, `pods/status`, `pods/*`, `*`, `*/scale`, `*/*`: without a slash subresources are left out.
function resourceMatches(pattern: string, { resource, subresource }: RuleTarget): boolean {
  const slash = pattern.indexOf('/');
  const [main, sub] = slash < 0 ? [pattern, ''] : [pattern.slice(0, slash), pattern.slice(slash + 1)];
  return (main === '*' || main === resource) && (sub === '*' || sub === subresource);
}

/** Namespaces are cluster-scoped, though requests for them carry a namespace. */
function scopeMatches(scope: string | undefined, { group, resource, namespace }: RuleTarget): boolean {
  if (scope === undefined || scope === '' || scope === '*') return true;
  const isNamespaced = namespace !== '' && !(group === '' && resource === 'namespaces');
  return scope === 'Namespaced' ? isNamespaced : scope === 'Cluster' && !isNamespaced;
}

const EXEMPT = new Set([
  'validatingwebhookconfigurations',
  'mutatingwebhookconfigurations',
  'validatingadmissionpolicies',
  'validatingadmissionpolicybindings',
  'mutatingadmissionpolicies',
  'mutatingadmissionpolicybindings',
]);

/** What configures admission is never subject to webhooks: a broken one could not be taken away any more. */
export function isExempt({ group, resource }: { readonly group: string; readonly resource: string }): boolean {
  return group === 'admissionregistration.k8s.io' && EXEMPT.has(resource);
}
