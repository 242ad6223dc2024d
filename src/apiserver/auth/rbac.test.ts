// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ClusterRole, ClusterRoleBinding, Role, RoleBinding } from '#api/rbac/v1';
import { compileRule, ruleAllows } from './compiled-rule.ts';
import { RbacAuthorizer, type RbacObjects, type Rule } from './rbac.ts';
import { covers, describeRule, mergeVerbs } from './rule-cover.ts';

const attributes = (text: string, user = 'ann', groups: string[] = []) => {
  const [verb = '', what = '', namespace = '', name = ''] = text.split(' ');
  const [qualified = '', subresource = ''] = what.split('/');
  const [resource = '', ...group] = qualified.split('.');
  const base = {
    user: { name: user, uid: '', groups, extra: {} },
    verb,
    version: 'v1',
    namespace: namespace === '-' ? '' : namespace,
    name,
  };
  if (what.startsWith('/')) return { ...base, namespace: '', isResource: false, path: what, group: '', resource: '', subresource: '' };
  return { ...base, isResource: true, path: '', group: group.join('.'), resource, subresource };
};

const READ_PODS: Rule = { apiGroups: [''], resources: ['pods', 'pods/log'], verbs: ['get', 'list'] };
const allowed: readonly (readonly [Rule, string, boolean])[] = [
  [READ_PODS, 'get pods default p', true],
  [READ_PODS, 'delete pods default p', false],
  [READ_PODS, 'get pods/log default p', true],
  [READ_PODS, 'get pods/exec default p', false],
  [READ_PODS, 'get pods.example.com default p', false],
  [{ apiGroups: ['*'], resources: ['*'], verbs: ['*'] }, 'delete deployments.apps/scale default d', true],
  [{ apiGroups: ['apps'], resources: ['*/scale'], verbs: ['update'] }, 'update deployments.apps/scale default d', true],
  [{ apiGroups: ['apps'], resources: ['*/scale'], verbs: ['update'] }, 'update deployments.apps default d', false],
  [{ apiGroups: [''], resources: ['secrets'], resourceNames: ['one'], verbs: ['get'] }, 'get secrets default one', true],
  [{ apiGroups: [''], resources: ['secrets'], resourceNames: ['one'], verbs: ['get'] }, 'get secrets default two', false],
  [{ apiGroups: [''], resources: ['secrets'], resourceNames: ['one'], verbs: ['list'] }, 'list secrets default', false],
  [{ nonResourceURLs: ['/healthz', '/logs/*'], verbs: ['get'] }, 'get /logs/a/b', true],
  [{ nonResourceURLs: ['/healthz', '/logs/*'], verbs: ['get'] }, 'get /metrics', false],
  [READ_PODS, 'get /pods', false],
];
for (const [rule, text, expected] of allowed) {
  test(`${describeRule(rule)} ${expected ? 'allows' : 'does not allow'} "${text}"`, () => {
    assert.equal(ruleAllows(compileRule(rule), attributes(text)), expected);
  });
}

const role = (name: string, rules: Rule[], namespace = 'default') =>
  ({ metadata: { name, namespace }, rules }) as unknown as Role & ClusterRole;
const binding = (name: string, kind: string, of: string, subject: object, namespace = 'default') =>
  ({ metadata: { name, namespace }, roleRef: { apiGroup: '', kind, name: of }, subjects: [subject] }) as unknown as RoleBinding &
    ClusterRoleBinding;

function authorizer(objects: Partial<RbacObjects>) {
  let generation = 1;
  let all: RbacObjects = { roles: [], roleBindings: [], clusterRoles: [], clusterRoleBindings: [], ...objects };
  const rbac = new RbacAuthorizer(
    () => all,
    () => generation,
  );
  return {
    rbac,
    change(next: Partial<RbacObjects>) {
      all = { ...all, ...next };
      generation += 1;
    },
  };
}

test('a role binding grants in its namespace only, and says through which role', () => {
  const { rbac } = authorizer({
    roles: [role('reader', [READ_PODS])],
    roleBindings: [binding('b', 'Role', 'reader', { kind: 'User', name: 'ann' })],
  });

  assert.deepEqual(rbac.authorize(attributes('get pods default p')), {
    verdict: 'allow',
    reason: 'RBAC: allowed by RoleBinding "b/default" of Role "reader" to User "ann"',
  });
  assert.equal(rbac.authorize(attributes('get pods other p')).verdict, 'no-opinion');
  assert.equal(rbac.authorize(attributes('list pods -')).verdict, 'no-opinion');
});

test('a service account is bound by its namespace, or by that of the binding', () => {
  const subject = { kind: 'ServiceAccount', name: 'bot' };
  const { rbac } = authorizer({
    clusterRoles: [role('reader', [READ_PODS], '')],
    roleBindings: [binding('b', 'ClusterRole', 'reader', subject)],
  });

  assert.deepEqual(rbac.authorize(attributes('get pods default p', 'system:serviceaccount:default:bot')), {
    verdict: 'allow',
    reason: 'RBAC: allowed by RoleBinding "b/default" of ClusterRole "reader" to ServiceAccount "bot/default"',
  });
  assert.equal(rbac.authorize(attributes('get pods default p', 'system:serviceaccount:other:bot')).verdict, 'no-opinion');
});

test('a cluster role binding grants everywhere, and no longer once it is gone', () => {
  const { rbac, change } = authorizer({
    clusterRoles: [role('reader', [READ_PODS], '')],
    clusterRoleBindings: [binding('b', 'ClusterRole', 'reader', { kind: 'Group', name: 'devs' }, '')],
  });
  assert.equal(rbac.authorize(attributes('list pods -', 'ann', ['devs'])).verdict, 'allow');

  change({ clusterRoleBindings: [] });

  assert.equal(rbac.authorize(attributes('list pods -', 'ann', ['devs'])).verdict, 'no-opinion');
});

test('bindings to roles that are not there are told of, and grant nothing', () => {
  const { rbac } = authorizer({
    clusterRoleBindings: [binding('b', 'ClusterRole', 'gone', { kind: 'User', name: 'ann' }, '')],
    roleBindings: [binding('b', 'Role', 'lost', { kind: 'User', name: 'ann' })],
  });

  const { verdict, reason } = rbac.authorize(attributes('get pods default p'));

  assert.equal(verdict, 'no-opinion');
  assert.equal(reason, 'RBAC: [clusterrole.rbac.authorization.k8s.io "gone" not found, role.rbac.authorization.k8s.io "lost" not found]');
  assert.equal(rbac.authorize(attributes('get pods default p', 'bob')).reason, '');
  assert.deepEqual(rbac.userRules(attributes('get pods', 'ann').user, '').errors, [
    'clusterrole.rbac.authorization.k8s.io "gone" not found',
  ]);
  assert.deepEqual(rbac.userRules(attributes('get pods', 'bob').user, 'default').errors, []);
});

test('what is granted everywhere is named before what is granted in the namespace', () => {
  const ann = { kind: 'User', name: 'ann' };
  const { rbac } = authorizer({
    clusterRoles: [role('reader', [READ_PODS], '')],
    clusterRoleBindings: [binding('wide', 'ClusterRole', 'reader', ann, '')],
    roleBindings: [binding('narrow', 'ClusterRole', 'reader', ann)],
  });

  assert.equal(
    rbac.authorize(attributes('get pods default p')).reason,
    'RBAC: allowed by ClusterRoleBinding "wide" of ClusterRole "reader" to User "ann"',
  );
});

const missing: readonly (readonly [string, Rule[], Rule[], string[]])[] = [
  ['nothing where all is held', [READ_PODS], [{ apiGroups: [''], resources: ['pods'], verbs: ['get'] }], []],
  [
    'the verbs that are not held, together',
    [READ_PODS],
    [{ apiGroups: [''], resources: ['pods'], verbs: ['get', 'watch', 'delete'] }],
    ['{APIGroups:[""], Resources:["pods"], Verbs:["watch" "delete"]}'],
  ],
  [
    'a wildcard where only parts are held',
    [READ_PODS],
    [{ apiGroups: ['*'], resources: ['pods'], verbs: ['get'] }],
    ['{APIGroups:["*"], Resources:["pods"], Verbs:["get"]}'],
  ],
  [
    'all names where one is held',
    [{ apiGroups: [''], resources: ['secrets'], resourceNames: ['a'], verbs: ['get'] }],
    [{ apiGroups: [''], resources: ['secrets'], verbs: ['get'] }],
    ['{APIGroups:[""], Resources:["secrets"], Verbs:["get"]}'],
  ],
  [
    'paths beyond a prefix',
    [{ nonResourceURLs: ['/a/*'], verbs: ['get'] }],
    [{ nonResourceURLs: ['/a/b', '/c'], verbs: ['get'] }],
    ['{NonResourceURLs:["/c"], Verbs:["get"]}'],
  ],
];
for (const [what, owned, asked, expected] of missing) {
  test(`what is missing to grant a role: ${what}`, () => assert.deepEqual(mergeVerbs(covers(owned, asked)).map(describeRule), expected));
}
