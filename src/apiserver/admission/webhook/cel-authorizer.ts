// SPDX-License-Identifier: Apache-2.0
// The server's authorizer as expressions ask it: `authorizer.group("apps").resource("deployments").check("get").allowed()`.
import { parseFieldSelector, parseSelector } from '#machinery';
import type { Attributes, Decision } from '../../auth/authorizer.ts';
import { AUTHENTICATED_GROUP, SERVICE_ACCOUNTS_GROUP, serviceAccountUser, type UserInfo } from '../../auth/user.ts';
import type { CelCheck } from '../../cel/mod.ts';
import type { Authorize } from './match-conditions.ts';

export type Decide = (attributes: Attributes) => Decision | Promise<Decision>;

export function celAuthorizer(decide: Decide): Authorize {
  return async (user, check) => {
    const { verdict, reason, error } = await decide(attributesOf(user, check));
    return { allowed: verdict === 'allow', reason, ...(error === undefined ? {} : { error }) };
  };
}

function attributesOf(user: UserInfo, check: CelCheck): Attributes {
  const { serviceAccount, verb, path, group, resource, subresource, namespace, name, fieldSelector, labelSelector } = check;
  const who = serviceAccount === undefined ? user : accountUser(serviceAccount);
  return {
    ...{ user: who, verb, isResource: path === undefined, path: path ?? '', group, version: '*', resource, subresource, namespace, name },
    // Expressions have taken what does not parse for no selector at all.
    ...(fieldSelector === undefined ? {} : { fieldSelector: () => parseFieldSelector(fieldSelector).requirements }),
    ...(labelSelector === undefined ? {} : { labelSelector: () => parseSelector(labelSelector).requirements }),
  };
}

function accountUser({ namespace, name }: { readonly namespace: string; readonly name: string }): UserInfo {
  const groups = [SERVICE_ACCOUNTS_GROUP, `${SERVICE_ACCOUNTS_GROUP}:${namespace}`, AUTHENTICATED_GROUP];
  return { name: serviceAccountUser(namespace, name), uid: '', groups, extra: {} };
}
