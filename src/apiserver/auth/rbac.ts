// SPDX-License-Identifier: Apache-2.0
// Role based access control: who a subject is bound to, what the bound roles allow. Bindings are compiled into an index by
// subject, made anew only after a role or binding has changed; a request looks at its own subjects' rules only.
// @source upstream plugin/pkg/auth/authorizer/rbac/rbac.go, pkg/registry/rbac/validation/rule.go

import type { ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, Subject } from '#api/rbac/v1';
import type { DeepReadonly } from '#machinery';
import { ALLOW, type Attributes, type Authorizer, type Decision, NO_OPINION } from './authorizer.ts';
import { type CompiledRule, compileRule, ruleAllows } from './compiled-rule.ts';
import { serviceAccountUser, type UserInfo } from './user.ts';
import { aggregate, type UserRules } from './user-rules.ts';

/** Roles and bindings as of now. */
export interface RbacObjects {
  readonly roles: readonly DeepReadonly<Role>[];
  readonly roleBindings: readonly DeepReadonly<RoleBinding>[];
  readonly clusterRoles: readonly DeepReadonly<ClusterRole>[];
  readonly clusterRoleBindings: readonly DeepReadonly<ClusterRoleBinding>[];
}

export type Rule = DeepReadonly<PolicyRule>;

interface Grant {
  readonly rules: readonly Rule[];
  readonly compiled: readonly CompiledRule[];
  /** What is answered where a rule of it allows. */
  readonly decision: Decision;
  /** The role that it names and that is not there. */
  readonly missing?: MissingRole;
}

export interface MissingRole {
  readonly kind: 'Role' | 'ClusterRole';
  readonly name: string;
}

/** Grants of one subject by namespace; '' is the whole cluster. */
type ByNamespace = Map<string, Grant[]>;

interface Index {
  readonly users: ReadonlyMap<string, ByNamespace>;
  readonly groups: ReadonlyMap<string, ByNamespace>;
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
    const index = this.#index();
    // What is granted in the whole cluster comes before what is granted in the namespace.
    let found = allowedIn(index, '', attributes);
    if (found === undefined && attributes.isResource && attributes.namespace !== '')
      found = allowedIn(index, attributes.namespace, attributes);
    return found ?? (index.hasMissing ? this.#notAllowed(attributes) : NO_OPINION);
  }

  /** Says which roles the user would have if they were there. */
  #notAllowed({ user, isResource, namespace }: Attributes): Decision {
    const missing = aggregate(this.#resolutionErrors(user, isResource ? namespace : ''));
    return missing === undefined ? NO_OPINION : { verdict: 'no-opinion', reason: `RBAC: ${missing}` };
  }

  userRules(user: UserInfo, namespace: string): UserRules {
    return { rules: this.rulesFor(user, namespace), incomplete: false, errors: this.#resolutionErrors(user, namespace) };
  }

  /** Which roles of a user are not there. */
  #resolutionErrors(user: UserInfo, namespace: string): string[] {
    const missing = this.missingRoles(user, namespace);
    return missing.map(({ kind, name }) => `${kind.toLowerCase()}.rbac.authorization.k8s.io ${JSON.stringify(name)} not found`);
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

  #grantsOf({ name, groups }: UserInfo, namespace: string): Grant[] {
    const index = this.#index();
    const subjects = [index.users.get(name), ...groups.map((group) => index.groups.get(group))];
    const namespaces = namespace === '' ? [''] : ['', namespace];
    return subjects.flatMap((grants) => namespaces.flatMap((one) => grants?.get(one) ?? []));
  }

  #index(): Index {
    const generation = this.#generation();
    if (this.#indexed?.generation !== generation) this.#indexed = { generation, index: buildIndex(this.#read()) };
    return this.#indexed.index;
  }
}

/** What allows a request, of the grants in one namespace. Every request comes here: it makes nothing. */
function allowedIn({ users, groups }: Index, namespace: string, attributes: Attributes): Decision | undefined {
  const { user } = attributes;
  let found = firstAllowing(users.get(user.name)?.get(namespace), attributes);
  for (let at = 0; found === undefined && at < user.groups.length; at++)
    found = firstAllowing(groups.get(user.groups[at] ?? '')?.get(namespace), attributes);
  return found;
}

function firstAllowing(grants: readonly Grant[] | undefined, attributes: Attributes): Decision | undefined {
  if (grants === undefined) return undefined;
  for (const { compiled, decision } of grants) for (const rule of compiled) if (ruleAllows(rule, attributes)) return decision;
  return undefined;
}

function describeSubject({ kind, name, namespace }: DeepReadonly<Subject>, bindingNamespace: string): string {
  return `${kind} ${JSON.stringify(kind === 'ServiceAccount' ? `${name}/${namespace || bindingNamespace}` : name)}`;
}

interface Granted {
  readonly rules: readonly Rule[];
  readonly compiled: readonly CompiledRule[];
}

/** A role is compiled once, however many bindings name it. */
function granted({ rules }: DeepReadonly<Role | ClusterRole>): Granted {
  return { rules: rules ?? [], compiled: (rules ?? []).map(compileRule) };
}

const NOTHING: Granted = { rules: [], compiled: [] };

function buildIndex({ roles, roleBindings, clusterRoles, clusterRoleBindings }: RbacObjects): Index {
  const users = new Map<string, ByNamespace>();
  const groups = new Map<string, ByNamespace>();
  let hasMissing = false;
  const clusterRules = new Map(clusterRoles.map((role) => [role.metadata.name, granted(role)]));
  const rules = new Map(roles.map((role) => [`${role.metadata.namespace}/${role.metadata.name}`, granted(role)]));
  const add = (kind: string, binding: DeepReadonly<RoleBinding | ClusterRoleBinding>, given: Granted | undefined) => {
    const { name, namespace = '' } = binding.metadata;
    const { roleRef } = binding;
    const missing = { kind: roleRef.kind === 'Role' ? 'Role' : 'ClusterRole', name: roleRef.name } as const;
    if (given === undefined) hasMissing = true;
    for (const subject of binding.subjects ?? []) {
      const bound = namespace === '' ? name : `${name}/${namespace}`;
      const reason = `RBAC: allowed by ${kind} ${JSON.stringify(bound)} of ${roleRef.kind} ${JSON.stringify(roleRef.name)} to ${describeSubject(subject, namespace)}`;
      const base = { ...(given ?? NOTHING), decision: { ...ALLOW, reason } };
      const grant = given === undefined ? { ...base, missing } : base;
      const isGroup = subject.kind === 'Group';
      const who = subject.kind === 'ServiceAccount' ? serviceAccountUser(subject.namespace || namespace, subject.name) : subject.name;
      if (isGroup || subject.kind === 'User' || subject.kind === 'ServiceAccount')
        addGrant(isGroup ? groups : users, who, namespace, grant);
    }
  };
  for (const binding of clusterRoleBindings) add('ClusterRoleBinding', binding, clusterRules.get(binding.roleRef.name));
  for (const binding of roleBindings) {
    const { roleRef, metadata } = binding;
    const given = roleRef.kind === 'ClusterRole' ? clusterRules.get(roleRef.name) : rules.get(`${metadata.namespace}/${roleRef.name}`);
    add('RoleBinding', binding, given);
  }
  return { users, groups, hasMissing };
}

function addGrant(subjects: Map<string, ByNamespace>, who: string, namespace: string, grant: Grant): void {
  let grants = subjects.get(who);
  if (grants === undefined) {
    grants = new Map();
    subjects.set(who, grants);
  }
  const known = grants.get(namespace);
  if (known === undefined) grants.set(namespace, [grant]);
  else known.push(grant);
}
