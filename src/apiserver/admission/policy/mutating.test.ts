// SPDX-License-Identifier: Apache-2.0
// Which mutating policies are evaluated how often, by what they match, and which failure gives the refusal its text.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startTestServer, type TestServer } from '../../_test-server.ts';

const GROUP = '/apis/admissionregistration.k8s.io/v1';
const RULE = { apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['configmaps'] };
const COUNT = 'Object{metadata: Object.metadata{annotations: {"n": string(int(object.metadata.annotations.n) + 1)}}}';

async function put(server: TestServer, path: string, body: object): Promise<void> {
  const { status, text } = await server.send('POST', path, { body });
  assert.equal(status, 201, text);
}

interface Policy {
  readonly reinvocation?: string;
  readonly expression?: string;
  readonly constraints?: object;
  readonly spec?: object;
  readonly binding?: object;
}

async function bind(server: TestServer, name: string, policy: Policy): Promise<void> {
  const { reinvocation = 'Never', expression = COUNT, constraints = {}, spec = {}, binding = {} } = policy;
  const mutations = [{ patchType: 'ApplyConfiguration', applyConfiguration: { expression } }];
  const matchConstraints = { resourceRules: [RULE], ...constraints };
  await put(server, `${GROUP}/mutatingadmissionpolicies`, {
    metadata: { name },
    spec: { failurePolicy: 'Fail', reinvocationPolicy: reinvocation, matchConstraints, mutations, ...spec },
  });
  await put(server, `${GROUP}/mutatingadmissionpolicybindings`, { metadata: { name }, spec: { policyName: name, ...binding } });
}

const create = (server: TestServer, metadata: object = {}) =>
  server.send('POST', '/api/v1/namespaces/default/configmaps', { body: { metadata: { name: 'a', annotations: { n: '0' }, ...metadata } } });

// A second pass takes every policy that asked for it and has been evaluated, the one that changed the object last among them.
const PASSES: readonly (readonly [policies: readonly ('Never' | 'IfNeeded')[], evaluations: string])[] = [
  [['Never', 'Never'], '2'],
  [['IfNeeded'], '2'],
  [['IfNeeded', 'IfNeeded'], '4'],
  [['IfNeeded', 'Never'], '3'],
  [['Never', 'Never', 'IfNeeded'], '4'],
  [['IfNeeded', 'IfNeeded', 'Never'], '5'],
  [['IfNeeded', 'Never', 'IfNeeded'], '5'],
];
for (const [policies, evaluations] of PASSES)
  test(`policies with ${policies.join(', ')} are evaluated ${evaluations} times`, async () => {
    await using server = await startTestServer();
    for (const [index, reinvocation] of policies.entries()) await bind(server, `p${index}`, { reinvocation });

    const { body } = await create(server);

    assert.deepEqual(body.metadata.annotations, { n: evaluations });
  });

test('a policy that its condition kept out of the first pass is not in the second', async () => {
  await using server = await startTestServer();
  await bind(server, 'a-count', { reinvocation: 'IfNeeded', spec: { matchConditions: [{ name: 'c', expression: 'has(object.data)' }] } });
  await bind(server, 'b-data', { expression: 'Object{data: {"k": "v"}}' });

  const { body } = await create(server);

  assert.deepEqual([body.metadata.annotations, body.data], [{ n: '0' }, { k: 'v' }]);
});

test('what a policy matches is settled by the object as it came', async () => {
  await using server = await startTestServer();
  await bind(server, 'a', { expression: 'Object{metadata: Object.metadata{labels: {"on": "true"}}}' });
  await bind(server, 'b', { constraints: { objectSelector: { matchLabels: { on: 'true' } } } });

  const { body } = await create(server);

  assert.deepEqual([body.metadata.labels, body.metadata.annotations], [{ on: 'true' }, { n: '0' }]);
});

const NO_PARAMS = {
  spec: { paramKind: { apiVersion: 'v1', kind: 'ConfigMap' } },
  binding: { paramRef: { name: 'none', namespace: 'default', parameterNotFoundAction: 'Deny' } },
};
const BAD = { expression: 'Object{metadata: Object.metadata{annotations: {"n": string(int(object.metadata.name))}}}' };
const UNBOUND = 'failed to configure binding: no params found for policy binding with `Deny` parameterNotFoundAction';

test('policies that are not configured come first in a refusal, which is Forbidden then', async () => {
  await using server = await startTestServer();
  await bind(server, 'a', BAD);
  await bind(server, 'b', NO_PARAMS);

  const { status, body } = await create(server);

  const [first, second] = body.details.causes;
  assert.deepEqual([status, body.reason, body.message], [403, 'Forbidden', `policy 'b' with binding 'b' denied request: ${UNBOUND}`]);
  assert.equal(first.message, body.message);
  assert.match(second.message, /^policy 'a' with binding 'a' denied request: /);
});

test('a refusal by what went wrong in an expression is Invalid', async () => {
  await using server = await startTestServer();
  await bind(server, 'a', BAD);

  const { status, body } = await create(server);

  assert.deepEqual([status, body.reason], [403, 'Invalid']);
});
