// SPDX-License-Identifier: Apache-2.0
// Nobody gives away more than they have: a role may hold, and a binding may grant, only what its author is allowed, unless the
// author may `escalate` the role or `bind` it. Runs before a role or binding is written.
// @source upstream pkg/registry/rbac/*/policybased, pkg/registry/rbac/validation

import { clusterrolebindings, clusterroles, rolebindings, roles } from '#api';
import type { ClusterRole, Role, RoleBinding } from '#api/rbac/v1';
import { type DeepReadonly, forbidden, notFound, type Resource, semanticEqual } from '#machinery';
import type { MutableObject, ObjectReader } from '../registry/strategy.ts';
import type { Authorizer } from './authorizer.ts';
import type { MissingRole, RbacAuthorizer, Rule } from './rbac.ts';
import { covers, describeRule, mergeVerbs } from './rule-cover.ts';
import { MASTERS_GROUP, type UserInfo } from './user.ts';

export interface EscalationDeps {
  readonly rbac: Pick<RbacAuthorizer, 'rulesFor' | 'missingRoles'>;
  readonly authorizer: Authorizer;
  readonly reader: ObjectReader;
}

export interface GrantRequest {
  readonly user: UserInfo;
  readonly resource: Resource;
  readonly namespace: string;
  readonly object: DeepReadonly<MutableObject>;
  readonly previous: DeepReadonly<MutableObject> | undefined;
}

const GROUP = 'rbac.authorization.k8s.io';

/** @throws {ApiError} 403 with the rules that are missing; 404 where a binding names a role that is not there. */
export function refuseEscalation(request: GrantRequest, deps: EscalationDeps): void {
  const { user, resource, object, previous } = request;
  if (resource.group !== GROUP || user.groups.includes(MASTERS_GROUP)) return;
  if (previous !== undefined && changesOnlyOwners(object, previous)) return;
  const rules = resource.resource.endsWith('bindings') ? boundRules(request, deps) : ownRules(request, deps);
  const missing = mergeVerbs(covers(deps.rbac.rulesFor(user, request.namespace), rules));
  if (missing.length === 0) return;
  const lines = [...new Set(missing.map(describeRule))].sort();
  const groups = user.groups.map((group) => JSON.stringify(group)).join(' ');
  const who = `user ${JSON.stringify(user.name)} (groups=[${groups}])`;
  const why = `${who} is attempting to grant RBAC permissions not currently held:\n${lines.join('\n')}`;
  throw forbidden(resource, object.metadata.name ?? '', why + unresolved(deps.rbac.missingRoles(user, request.namespace)));
}

/** What the author may do is not known in full while roles are missing. */
function unresolved(missing: readonly MissingRole[]): string {
  if (missing.length === 0) return '';
  const texts = missing.map(({ kind, name }) => `${kind.toLowerCase()}s.${GROUP} ${JSON.stringify(name)} not found`);
  return `; resolution errors: [${texts.length === 1 ? texts[0] : `[${texts.join(', ')}]`}]`;
}

/** The garbage collector may edit roles it could not grant. */
function changesOnlyOwners(next: DeepReadonly<MutableObject>, previous: DeepReadonly<MutableObject>): boolean {
  const { ownerReferences, finalizers, managedFields, resourceVersion } = previous.metadata;
  const metadata = { ...next.metadata, ownerReferences, finalizers, managedFields, resourceVersion };
  return semanticEqual({ ...next, metadata }, previous) && !semanticEqual(next.metadata, previous.metadata);
}

function ownRules({ user, resource, namespace, object }: GrantRequest, deps: EscalationDeps): readonly Rule[] {
  const role = object as unknown as DeepReadonly<Role | ClusterRole>;
  return mayDo(deps.authorizer, user, 'escalate', resource, namespace, role.metadata.name) ? [] : (role.rules ?? []);
}

function boundRules({ user, resource, namespace, object }: GrantRequest, deps: EscalationDeps): readonly Rule[] {
  const { roleRef } = object as unknown as DeepReadonly<RoleBinding>;
  const of = (roleRef.kind === 'Role' ? roles : clusterroles) as Resource;
  if (mayDo(deps.authorizer, user, 'bind', of, namespace, roleRef.name)) return [];
  const found =
    roleRef.kind === 'Role'
      ? deps.reader.find(roles, { namespace, name: roleRef.name })
      : deps.reader.find(clusterroles, { name: roleRef.name });
  if (found !== undefined) return found.rules ?? [];
  throw notFound(resource.namespaced ? rolebindings : clusterrolebindings, roleRef.name);
}

function mayDo(
  authorizer: Authorizer,
  user: UserInfo,
  verb: string,
  { group, version, resource }: Resource,
  namespace: string,
  name: string,
): boolean {
  return (
    authorizer.authorize({ user, verb, isResource: true, path: '', group, version, resource, subresource: '', namespace, name }).verdict ===
    'allow'
  );
}
