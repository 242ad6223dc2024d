// SPDX-License-Identifier: Apache-2.0
// Who may do what, through the whole chain: anonymous, impersonated, bound by roles; and the bound on requests at once.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { startTestServer, type TestServer } from '../_test-server.ts';
import { type Authorizer, NO_OPINION } from '../auth/authorizer.ts';
import type { UserInfo } from '../auth/user.ts';
import { type ApiResult, objectResult, RequestContext } from '../request/context.ts';
import { requestInfoOf } from '../request/request-info.ts';
import { withMaxInFlight } from './max-in-flight.ts';

const RBAC = '/apis/rbac.authorization.k8s.io/v1';
const ANN: UserInfo = { name: 'ann', uid: '', groups: ['system:authenticated'], extra: {} };

describe('filters', () => {
  let api: TestServer;
  before(async () => {
    api = await startTestServer();
    const rules = [
      { apiGroups: [''], resources: ['pods', 'configmaps'], verbs: ['get', 'list'] },
      { apiGroups: ['rbac.authorization.k8s.io'], resources: ['roles', 'rolebindings'], verbs: ['get', 'create', 'update', 'patch'] },
      { apiGroups: [''], resources: ['users'], resourceNames: ['bob'], verbs: ['impersonate'] },
    ];
    await api.send('POST', `${RBAC}/clusterroles`, { body: { metadata: { name: 'ann' }, rules } });
    await api.send('POST', `${RBAC}/clusterrolebindings`, {
      body: {
        metadata: { name: 'ann' },
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'ann' },
        subjects: [{ kind: 'User', name: 'ann', apiGroup: 'rbac.authorization.k8s.io' }],
      },
    });
  });
  after(() => api[Symbol.asyncDispose]());

  const cases: readonly (readonly [string, string, UserInfo | undefined, Record<string, string>, number])[] = [
    ['nobody may ask for health', '/healthz', undefined, {}, 200],
    ['nobody may ask for the version', '/version', undefined, {}, 200],
    ['nobody may not read objects', '/api/v1/pods', undefined, {}, 403],
    ['nobody with a wrong token is nobody at all', '/version', undefined, { authorization: 'Bearer x.y.z' }, 401],
    ['a bound user may do what the role says', '/api/v1/pods', ANN, {}, 200],
    ['and nothing else', '/api/v1/secrets', ANN, {}, 403],
    ['nor act as anybody', '/api/v1/pods', ANN, { 'impersonate-user': 'carol' }, 403],
    ['but as the one that is named, with what that one may do', '/api/v1/pods', ANN, { 'impersonate-user': 'bob' }, 403],
    ['an empty name asks for nobody', '/api/v1/namespaces/web/pods', ANN, { 'impersonate-user': '' }, 200],
    ['a group without a user cannot be impersonated', '/api/v1/pods', ANN, { 'impersonate-group': 'g' }, 400],
  ];
  for (const [what, path, user, headers, status] of cases) {
    test(what, async () => assert.equal((await api.send('GET', path, { user, headers })).status, status));
  }

  for (const [groups, expected] of [
    [[], ['system:authenticated']],
    [['a'], ['a', 'system:authenticated']],
    [
      ['system:authenticated', 'a'],
      ['system:authenticated', 'a'],
    ],
  ] as const) {
    test(`an impersonated user of ${JSON.stringify(groups)} is in ${expected.join(' and ')}`, async () => {
      const headers = { 'impersonate-user': 'bob', ...(groups.length === 0 ? {} : { 'impersonate-group': groups.join(', ') }) };
      const answer = await api.send('POST', '/apis/authentication.k8s.io/v1/selfsubjectreviews', { headers, body: {} });

      assert.deepEqual(answer.body.status.userInfo.groups, expected);
    });
  }

  test('an impersonated user that is said not to be known is not known', async () => {
    const headers = { 'impersonate-user': 'bob', 'impersonate-group': 'system:unauthenticated' };
    const answer = await api.send('POST', '/apis/authentication.k8s.io/v1/selfsubjectreviews', { headers, body: {} });

    assert.equal(answer.status, 403);
  });

  test('the 403 of an impersonated user names that user', async () => {
    const { body } = await api.send('GET', '/api/v1/pods', { user: ANN, headers: { 'impersonate-user': 'bob' } });

    assert.equal(body.message, 'pods is forbidden: User "bob" cannot list resource "pods" in API group "" at the cluster scope');
  });

  test('a role may give what its author has, and no more', async () => {
    const role = (name: string, verbs: string[]) => ({ metadata: { name }, rules: [{ apiGroups: [''], resources: ['pods'], verbs }] });
    const within = await api.send('POST', `${RBAC}/namespaces/default/roles`, { user: ANN, body: role('within', ['get']) });
    const beyond = await api.send('POST', `${RBAC}/namespaces/default/roles`, { user: ANN, body: role('beyond', ['get', 'delete']) });

    assert.equal(within.status, 201);
    assert.equal(beyond.status, 403);
    assert.match(beyond.body.message, /permissions not currently held:\n\{APIGroups:\[""\], Resources:\["pods"\], Verbs:\["delete"\]\}$/);
  });

  test('a binding may grant only what its author has', async () => {
    const binding = (name: string, role: string) => ({
      metadata: { name },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role },
      subjects: [{ kind: 'User', name: 'bob', apiGroup: 'rbac.authorization.k8s.io' }],
    });
    const own = await api.send('POST', `${RBAC}/namespaces/default/rolebindings`, { user: ANN, body: binding('own', 'ann') });
    const admin = await api.send('POST', `${RBAC}/namespaces/default/rolebindings`, { user: ANN, body: binding('admin', 'cluster-admin') });

    assert.deepEqual([own.status, admin.status], [201, 403]);
  });
});

function contextOf(method: string, path: string): RequestContext {
  const request = {
    method,
    path,
    search: '',
    headers: {},
    readBody: async () => new Uint8Array(),
    connectionUser: undefined,
    remoteAddress: '',
    signal: AbortSignal.timeout(1_000),
  };
  return new RequestContext(request, requestInfoOf(method, path, undefined), new URLSearchParams(), 0);
}

test('beyond the bound a request is told to come back, and its place is free again afterwards', async () => {
  const running = { reading: 0, mutating: 0 };
  const gate = Promise.withResolvers<ApiResult>();
  const handler = withMaxInFlight(() => gate.promise, { limits: { reading: 1, mutating: 1 }, running });

  const first = handler(contextOf('GET', '/api/v1/pods'));
  const refused = await handler(contextOf('GET', '/api/v1/pods'));
  assert.deepEqual(refused.type === 'bytes' && [refused.status, refused.headers?.['retry-after']], [429, '1']);
  const write = handler(contextOf('POST', '/api/v1/namespaces/a/pods'));
  assert.deepEqual(running, { reading: 1, mutating: 1 });
  gate.resolve(objectResult(200, {}));
  await Promise.all([first, write]);

  assert.deepEqual(running, { reading: 0, mutating: 0 });
});

test('a request that nobody allows, because an authorizer failed, is a fault of the server', async () => {
  const broken: Authorizer = {
    name: 'Broken',
    authorize: () => NO_OPINION,
    authorizeAsync: async () => ({ verdict: 'no-opinion', reason: 'unsure', error: 'no <answer>' }),
  };
  await using server = await startTestServer({ authorizationModes: [broken, 'RBAC'] });
  const found = await server.send('GET', '/api/v1/pods', { user: ANN, query: 'limit=1' });
  const asked = await server.send('POST', '/apis/authorization.k8s.io/v1/subjectaccessreviews', {
    body: { spec: { user: 'ann', resourceAttributes: { verb: 'get', resource: 'pods' } } },
  });

  assert.deepEqual([found.status, found.text], [500, 'Internal Server Error: "/api/v1/pods?limit=1": no &lt;answer&gt;\n']);
  assert.deepEqual(asked.body.status, { allowed: false, reason: 'unsure', evaluationError: 'no <answer>' });
});
