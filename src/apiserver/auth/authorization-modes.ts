// SPDX-License-Identifier: Apache-2.0
// The authorizers of `--authorization-mode`, in its order, behind one that always lets the cluster's masters pass.
import { clusterrolebindings, clusterroles, pods, rolebindings, roles } from '#api';
import type { Resource } from '#machinery';
import type { Cacher } from '../cacher/cacher.ts';
import { prefixOf } from '../registry/generic/keys.ts';
import type { ObjectReader } from '../registry/strategy.ts';
import type { AuthorizerChoice } from './authorization-configuration.ts';
import { type Authorizer, alwaysAllow, alwaysDeny, privilegedGroups, unionAuthorizer } from './authorizer.ts';
import { bootstrapPolicy } from './bootstrap-policy.ts';
import { createNodeAuthorizer } from './node-authorizer.ts';
import { RbacAuthorizer, type Rule } from './rbac.ts';
import { MASTERS_GROUP } from './user.ts';

export function createRbac(cacher: Cacher, reader: ObjectReader): RbacAuthorizer {
  const caches = [roles, rolebindings, clusterroles, clusterrolebindings].map((resource) => prefixOf(resource as Resource));
  return new RbacAuthorizer(
    () => ({
      roles: reader.list(roles),
      roleBindings: reader.list(rolebindings),
      clusterRoles: reader.list(clusterroles),
      clusterRoleBindings: reader.list(clusterrolebindings),
    }),
    () => caches.reduce((sum, prefix) => sum + cacher.cache(prefix).generation, 0),
  );
}

export interface AuthorizerDeps {
  readonly cacher: Cacher;
  readonly reader: ObjectReader;
}

/** @throws {RangeError} If a mode is not known. */
export function createAuthorizer(modes: readonly AuthorizerChoice[], rbac: RbacAuthorizer, { cacher, reader }: AuthorizerDeps): Authorizer {
  const list: Authorizer[] = [privilegedGroups([MASTERS_GROUP])];
  for (const mode of modes) {
    if (typeof mode !== 'string') {
      list.push(mode);
      continue;
    }
    switch (mode) {
      case 'AlwaysAllow':
        list.push(alwaysAllow);
        break;
      case 'AlwaysDeny':
        list.push(alwaysDeny);
        break;
      case 'Node':
        list.push(createNodeAuthorizer({ podsOf: (node) => podsOfNode(cacher, node), reader }, nodeRules()));
        break;
      case 'RBAC':
        list.push(rbac);
        break;
      default:
        throw new RangeError(`authorization mode "${mode}" is not known: use Node, RBAC, ABAC, Webhook, AlwaysAllow or AlwaysDeny`);
    }
  }
  return unionAuthorizer(list);
}

function podsOfNode(cacher: Cacher, node: string) {
  return cacher
    .cache(prefixOf(pods as Resource))
    .onNode(node)
    .map((cached) => cached.object as never);
}

function nodeRules(): readonly Rule[] {
  const role = bootstrapPolicy().find(({ object }) => object.metadata.name === 'system:node');
  return (role?.object['rules'] as readonly Rule[] | undefined) ?? [];
}
