// SPDX-License-Identifier: Apache-2.0
// Role based access control: who a subject is bound to, what the bound roles allow. Bindings are compiled into an index by
// subject, made anew only after a role or binding has changed; a request looks at its own subjects' rules only.
// @source upstream plugin/pkg/auth/authorizer/rbac/rbac.go, pkg/registry/rbac/validation/rule.go

import type { ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, Subject } from '#api/rbac/v1';
import type { DeepReadonly } from '#machinery';
import { ALLOW, type Attributes, type Authorizer, type Decision, NO_OPINION } from './authorizer.ts';
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
  /** The role that it names and that is not there. */
  readonly missing?: MissingRole;
}

export interface MissingRole {
  readonly kind: 'Role' | 'ClusterRole';
  readonly name: string;
}

interface Index {
  readonly grants: ReadonlyMap<string, readonly Grant[]>;
  /** Whether some binding names a role that is not there. */
  readonly hasMissing: boolean;
}

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
    const { grants, hasMissing } = this.#index();
    const subjects = subjectsOf(attributes.user);
    // What is granted in the whole cluster comes before what is granted in the namespace.
    const namespaces = attributes.isResource && attributes.namespace !== '' ? ['', attributes.namespace] : [''];
    for (const namespace of namespaces) {
      for (const subject of subjects) {
        for (const grant of grants.get(subject) ?? [])
          if (grant.namespace === namespace && allows(grant, attributes)) return grant.decision;
      }
    }
    return hasMissing ? this.#notAllowed(attributes) : NO_OPINION;
  }

  /** Says which roles the user would have if they were there. */
  #notAllowed({ user, isResource, namespace }: Attributes): Decision {
    const missing = this.resolutionError(user, isResource ? namespace : '');
    return missing === '' ? NO_OPINION : { verdict: 'no-opinion', reason: `RBAC: ${missing}` };
  }

  /** Which roles of a user are not there; '' if all are. */
  resolutionError(user: UserInfo, namespace: string): string {
    const missing = this.missingRoles(user, namespace);
    const texts = missing.map(({ kind, name }) => `${kind.toLowerCase()}.rbac.authorization.k8s.io ${JSON.stringify(name)} not found`);
    return texts.length > 1 ? `[${texts.join(', ')}]` : (texts[0] ?? '');
  }

  /** Roles that a user is bound to and that are not there, each once. */
  missingRoles(user: UserInfo, namespace: string): MissingRole[] {
    const found = this.#grantsOf(user, namespace).flatMap(({ missing }) => missing ?? []);
    return [...new Map(found.map((role) => [`${role.kind} ${role.name}`, role])).values()];
  }

  /** Every rule a user has in a namespace, cluster-wide ones included; for rules reviews and escalation checks. */
  rulesFor(user: UserInfo, namespace: string): Rule[] {
    return this.#grantsOf(user, namespace).flatMap((grant) => grant.rules);
  }

  #grantsOf(user: UserInfo, namespace: string): Grant[] {
    const { grants } = this.#index();
    return subjectsOf(user).flatMap((subject) =>
      (grants.get(subject) ?? []).filter((grant) => grant.namespace === '' || grant.namespace === namespace),
    );
  }

  #index(): Index {
    const generation = this.#generation();
    if (this.#indexed?.generation !== generation) this.#indexed = { generation, index: buildIndex(this.#read()) };
    return this.#indexed.index;
  }
}

const allows = ({ rules }: Grant, attributes: Attributes): boolean => rules.some((rule) => ruleAllows(rule, attributes));

function subjectsOf(user: UserInfo): string[] {
  return [`User ${user.name}`, ...user.groups.map((group) => `Group ${group}`)];
}

function subjectKey(subject: DeepReadonly<Subject>, bindingNamespace: string): string {
  if (subject.kind === 'ServiceAccount') return `User ${serviceAccountUser(subject.namespace || bindingNamespace, subject.name)}`;
  return `${subject.kind} ${subject.name}`;
}

function describeSubject({ kind, name, namespace }: DeepReadonly<Subject>, bindingNamespace: string): string {
  return `${kind} ${JSON.stringify(kind === 'ServiceAccount' ? `${name}/${namespace || bindingNamespace}` : name)}`;
}

function buildIndex({ roles, roleBindings, clusterRoles, clusterRoleBindings }: RbacObjects): Index {
  const index = new Map<string, Grant[]>();
  let hasMissing = false;
  const clusterRules = new Map(clusterRoles.map((role) => [role.metadata.name, role.rules ?? []]));
  const rules = new Map(roles.map((role) => [`${role.metadata.namespace}/${role.metadata.name}`, role.rules ?? []]));
  const add = (kind: string, binding: DeepReadonly<RoleBinding | ClusterRoleBinding>, granted: readonly Rule[] | undefined) => {
    const { name, namespace = '' } = binding.metadata;
    const { roleRef } = binding;
    const missing = { kind: roleRef.kind === 'Role' ? 'Role' : 'ClusterRole', name: roleRef.name } as const;
    if (granted === undefined) hasMissing = true;
    for (const subject of binding.subjects ?? []) {
      const key = subjectKey(subject, namespace);
      const bound = namespace === '' ? name : `${name}/${namespace}`;
      const reason = `RBAC: allowed by ${kind} ${JSON.stringify(bound)} of ${roleRef.kind} ${JSON.stringify(roleRef.name)} to ${describeSubject(subject, namespace)}`;
      const base = { namespace, rules: granted ?? [], decision: { ...ALLOW, reason } };
      const grant = granted === undefined ? { ...base, missing } : base;
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
  return { grants: index, hasMissing };
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
