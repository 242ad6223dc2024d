// SPDX-License-Identifier: Apache-2.0
// What each authorizer tells of all that a user may do.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '#component';
import { abacAuthorizer, parseAbacPolicies } from './abac.ts';
import { type Authorizer, alwaysAllow, alwaysDeny, ReplaceableAuthorizer, unionAuthorizer } from './authorizer.ts';
import { createNodeAuthorizer } from './node-authorizer.ts';
import { RbacAuthorizer } from './rbac.ts';
import type { UserInfo } from './user.ts';
import { aggregate } from './user-rules.ts';
import { webhookAuthorizer } from './webhook-authorizer.ts';

const userOf = (name: string, ...groups: string[]): UserInfo => ({ name, uid: '', groups, extra: {} });
const told = (authorizer: Authorizer, user: UserInfo) => unionAuthorizer([authorizer]).userRules?.(user, 'ns');
const rules = (...found: object[]) => ({ rules: found, incomplete: false, errors: [] });
const cannot = (name: string) => ({
  rules: [],
  incomplete: true,
  errors: [`${name} authorizer does not support user rule resolution`],
});

const policies = (...specs: object[]) =>
  abacAuthorizer(
    parseAbacPolicies(
      specs.map((spec) => JSON.stringify({ apiVersion: 'abac.authorization.kubernetes.io/v1beta1', kind: 'Policy', spec })).join('\n'),
      'file',
    ),
  );
const node = createNodeAuthorizer({} as never, []);
const webhook = webhookAuthorizer({
  ...{ name: 'w', client: {} as never, version: 'v1', failurePolicy: 'NoOpinion', matches: undefined },
  ...{ authorizedTtlMs: 0, unauthorizedTtlMs: 0, timeoutMs: 1, clock: new FakeClock(), logger: { warn: () => undefined } },
});

const FACTS: readonly (readonly [title: string, authorizer: Authorizer, user: UserInfo, expected: object])[] = [
  [
    'AlwaysAllow tells of everything',
    alwaysAllow,
    userOf('a'),
    rules({ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }, { verbs: ['*'], nonResourceURLs: ['*'] }),
  ],
  ['AlwaysDeny tells of nothing', alwaysDeny, userOf('a'), rules()],
  ['webhooks cannot tell', webhook, userOf('a'), cannot('webhook')],
  ['Node cannot tell of kubelets', node, userOf('system:node:n', 'system:nodes'), cannot('node')],
  ['Node has nothing for others', node, userOf('system:node:n'), rules()],
  [
    'ABAC tells of the policies of the user and the namespace',
    policies(
      { user: 'a', namespace: 'ns', resource: 'pods', apiGroup: '*' },
      { group: 'g', namespace: '*', resource: 'secrets', readonly: true },
      { user: 'a', namespace: 'other', resource: 'pods' },
      { user: 'b', namespace: '*', resource: 'pods' },
    ),
    userOf('a', 'g'),
    rules(
      { verbs: ['*'], apiGroups: ['*'], resources: ['pods'] },
      { verbs: ['get', 'list', 'watch'], apiGroups: [''], resources: ['secrets'] },
    ),
  ],
  [
    'ABAC tells of paths where a policy is for the namespace too',
    policies({ user: 'a', nonResourcePath: '/x' }, { user: 'a', namespace: '*', nonResourcePath: '/y', readonly: true }),
    userOf('a'),
    rules({ verbs: ['get', 'list', 'watch'], nonResourceURLs: ['/y'] }),
  ],
];
for (const [title, authorizer, user, expected] of FACTS)
  test(title, () => {
    assert.deepEqual(told(authorizer, user), expected);
  });

test('a union tells what all tell, in their order, of the authorizer that is in place', () => {
  const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'gone' };
  const subjects = [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'a' }];
  const rbac = new RbacAuthorizer(
    () => ({
      roles: [],
      roleBindings: [],
      clusterRoles: [],
      clusterRoleBindings: [{ metadata: { name: 'b' }, roleRef, subjects } as never],
    }),
    () => 1,
  );
  const replaceable = new ReplaceableAuthorizer(alwaysDeny);
  replaceable.replace(unionAuthorizer([webhook, rbac, alwaysAllow]));
  const { rules: found, incomplete, errors } = replaceable.userRules(userOf('a'), 'ns');
  assert.deepEqual([found.length, incomplete], [2, true]);
  assert.equal(
    aggregate([...errors, ...errors]),
    '[webhook authorizer does not support user rule resolution, clusterrole.rbac.authorization.k8s.io "gone" not found]',
  );
});
