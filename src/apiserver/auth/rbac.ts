// SPDX-License-Identifier: Apache-2.0
// Role based access control: who a subject is bound to, what the bound roles allow. Bindings are compiled into an index by
// subject, made anew only after a role or binding has changed; a request looks at its own subjects' rules only.
// @source upstream plugin/pkg/auth/authorizer/rbac/rbac.go, pkg/registry/rbac/validation/rule.go

import type { ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, Subject } from '#api/rbac/v1';
import type { DeepReadonly } from '#machinery';
import { ALLOW, type Attributes, type Authorizer, type Decision } from './authorizer.ts';
import { serviceAccountUser, type UserInfo } from './user.ts';

/** Roles and bindings as of now. */
export interface RbacObjects {
  readonly roles: readonly DeepReadonly<Role>[];
  readonly roleBindings: readonly DeepReadonly<RoleBinding>[];
  readonly clusterRoles: readonly DeepReadonly<ClusterRole>[];
  readonly clusterRoleBindings: readonly DeepReadonly<ClusterRoleBinding>[];
}

export type Rule = DeepReadonly<PolicyRule>;

interface Grant {
  /** '' is the whole cluster. */
  readonly namespace: string;
  readonly rules: readonly Rule[];
  /** What is answered where a rule of it allows. */
  readonly decision: Decision;
}

type Index = ReadonlyMap<string, readonly Grant[]>;

export class RbacAuthorizer implements Authorizer {
  readonly name = 'RBAC';
  readonly #read: () => RbacObjects;
  readonly #generation: () => number;
  #indexed: { readonly generation: number; readonly index: Index } | undefined;

  /** @param generation Changes whenever what `read` returns has changed. */
  constructor(read: () => RbacObjects, generation: () => number) {
    this.#read = read;
    this.#generation = generation;
  }

  authorize(attributes: Attributes): Decision {
    const index = this.#index();
    for (const subject of subjectsOf(attributes.user)) {
      for (const grant of index.get(subject) ?? []) {
        if (grant.namespace !== '' && (!attributes.isResource || grant.namespace !== attributes.namespace)) continue;
        if (grant.rules.some((rule) => ruleAllows(rule, attributes))) return grant.decision;
      }
    }
    return { verdict: 'no-opinion', reason: '' };
  }

  /** Every rule a user has in a namespace, cluster-wide ones included; for rules reviews and escalation checks. */
  rulesFor(user: UserInfo, namespace: string): Rule[] {
    const index = this.#index();
    return subjectsOf(user).flatMap((subject) =>
      (index.get(subject) ?? []).filter((grant) => grant.namespace === '' || grant.namespace === namespace).flatMap((grant) => grant.rules),
    );
  }

  #index(): Index {
    const generation = this.#generation();
    if (this.#indexed?.generation !== generation) this.#indexed = { generation, index: buildIndex(this.#read()) };
    return this.#indexed.index;
  }
}

function subjectsOf(user: UserInfo): string[] {
  return [`User ${user.name}`, ...user.groups.map((group) => `Group ${group}`)];
}

function subjectKey(subject: DeepReadonly<Subject>, bindingNamespace: string): string {
  if (subject.kind === 'ServiceAccount') return `User ${serviceAccountUser(subject.namespace || bindingNamespace, subject.name)}`;
  return `${subject.kind} ${subject.name}`;
}

function describeSubject({ kind, name, namespace }: DeepReadonly<Subject>): string {
  return `${kind} ${JSON.stringify(kind === 'ServiceAccount' ? `${name}/${namespace ?? ''}` : name)}`;
}

function buildIndex({ roles, roleBindings, clusterRoles, clusterRoleBindings }: RbacObjects): Index {
  const index = new Map<string, Grant[]>();
  const clusterRules = new Map(clusterRoles.map((role) => [role.metadata.name, role.rules ?? []]));
  const rules = new Map(roles.map((role) => [`${role.metadata.namespace}/${role.metadata.name}`, role.rules ?? []]));
  const add = (kind: string, binding: DeepReadonly<RoleBinding | ClusterRoleBinding>, granted: readonly Rule[] | undefined) => {
    if (granted === undefined) return; // A binding to a role that is not there.
    const { name, namespace = '' } = binding.metadata;
    const { roleRef } = binding;
    for (const subject of binding.subjects ?? []) {
      const key = subjectKey(subject, namespace);
      const bound = namespace === '' ? name : `${name}/${namespace}`;
      const reason = `RBAC: allowed by ${kind} ${JSON.stringify(bound)} of ${roleRef.kind} ${JSON.stringify(roleRef.name)} to ${describeSubject(subject)}`;
      const grant = { namespace, rules: granted, decision: { ...ALLOW, reason } };
      const grants = index.get(key);
      if (grants === undefined) index.set(key, [grant]);
      else grants.push(grant);
    }
  };
  for (const binding of clusterRoleBindings) add('ClusterRoleBinding', binding, clusterRules.get(binding.roleRef.name));
  for (const binding of roleBindings) {
    const { roleRef, metadata } = binding;
    const granted = roleRef.kind === 'ClusterRole' ? clusterRules.get(roleRef.name) : rules.get(`${metadata.namespace}/${roleRef.name}`);
    add('RoleBinding', binding, granted);
  }
  return index;
}

/** Whether one rule allows a request. */
export function ruleAllows(rule: Rule, attributes: Attributes): boolean {
  if (!has(rule.verbs, attributes.verb)) return false;
  if (!attributes.isResource) return (rule.nonResourceURLs ?? []).some((pattern) => pathMatches(pattern, attributes.path));
  return has(rule.apiGroups, attributes.group) && resourceMatches(rule, attributes) && nameMatches(rule, attributes.name);
}

const has = (list: readonly string[] | undefined, value: string) => list !== undefined && (list.includes('*') || list.includes(value));

function resourceMatches({ resources }: Rule, { resource, subresource }: Attributes): boolean {
  if (resources === undefined) return false;
  if (resources.includes('*')) return true;
  if (subresource === '') return resources.includes(resource);
  return resources.includes(`${resource}/${subresource}`) || resources.includes(`*/${subresource}`);
}

function nameMatches({ resourceNames }: Rule, name: string): boolean {
  return resourceNames === undefined || resourceNames.length === 0 || resourceNames.includes(name);
}

function pathMatches(pattern: string, path: string): boolean {
  return pattern === '*' || pattern === path || (pattern.endsWith('*') && path.startsWith(pattern.slice(0, -1)));
}
