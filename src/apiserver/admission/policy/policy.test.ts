// SPDX-License-Identifier: Apache-2.0
// Admission policies against a whole API server in this process.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { customresourcedefinitions } from '#api';
import { startTestServer, type TestServer } from '../../_test-server.ts';

const GROUP = '/apis/admissionregistration.k8s.io/v1';
const MAPS = '/api/v1/namespaces/default/configmaps';
const MAP_RULE = { apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE', 'UPDATE'], resources: ['configmaps'] };
const ON_MAPS = { resourceRules: [MAP_RULE] };

async function put(server: TestServer, path: string, body: object): Promise<void> {
  const { status, text } = await server.send('POST', path, { body });
  assert.equal(status, 201, text);
}

interface Setup {
  readonly kind?: 'Validating' | 'Mutating';
  readonly name?: string;
  readonly spec: object;
  readonly binding?: object;
}

async function bind(server: TestServer, { kind = 'Validating', name = 'p', spec, binding = {} }: Setup): Promise<void> {
  const kinds = `${GROUP}/${kind.toLowerCase()}admissionpolicies`;
  const more = kind === 'Validating' ? {} : { reinvocationPolicy: 'Never' };
  await put(server, kinds, { metadata: { name }, spec: { failurePolicy: 'Fail', matchConstraints: ON_MAPS, ...more, ...spec } });
  const actions = kind === 'Validating' ? { validationActions: ['Deny'] } : {};
  await put(server, kinds.replace('policies', 'policybindings'), {
    metadata: { name: `${name}-b` },
    spec: { policyName: name, ...actions, ...binding },
  });
}

/** Resolves when the one definition there is is served. */
async function established({ client }: TestServer): Promise<void> {
  for await (const event of client.watch(customresourcedefinitions, { sendInitialEvents: true, resourceVersion: '0' })) {
    if (event.type !== 'ADDED' && event.type !== 'MODIFIED') continue;
    if (event.object.status?.conditions?.some(({ type, status }) => type === 'Established' && status === 'True')) break;
  }
}

const create = (server: TestServer, name: string, more: object = {}) =>
  server.send('POST', MAPS, { body: { metadata: { name }, ...more } });
const denial = (message: string) =>
  `configmaps "a" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'p-b' denied request: ${message}`;
const one = (expression: string, more: object = {}) => ({ validations: [{ expression, ...more }] });

test('a policy sees object, request, namespace and authorizer', async () => {
  await using server = await startTestServer();
  const expressions = [
    "object.data.x == 'y' && oldObject == null && object.kind == 'ConfigMap'",
    "request.operation == 'CREATE' && request.userInfo.username == 'admin' && request.resource.resource == 'configmaps' && !request.dryRun",
    "namespaceObject.metadata.name == 'default' && namespaceObject.metadata.labels['kubernetes.io/metadata.name'] == 'default'",
    "authorizer.group('').resource('pods').namespace('default').check('create').allowed()",
    "authorizer.requestResource.check('delete').allowed() && !authorizer.serviceAccount('default', 'default').path('/healthzz').check('get').allowed()",
  ];
  await bind(server, { spec: { validations: expressions.map((expression) => ({ expression })) } });

  const { status, text } = await create(server, 'a', { data: { x: 'y' } });

  assert.equal(status, 201, text);
});

test('the reason decides the code, the message is made, given, or the expression', async () => {
  await using server = await startTestServer();
  await bind(server, {
    spec: {
      variables: [{ name: 'x', expression: "object.?data[?'x'].orValue('')" }],
      validations: [
        { expression: "variables.x != 'made'", messageExpression: "'no ' + variables.x", reason: 'Forbidden' },
        {
          expression: "variables.x != 'long'",
          messageExpression: "variables.x + '\\n'",
          message: 'given',
          reason: 'RequestEntityTooLarge',
        },
        { expression: "variables.x != 'lines'", messageExpression: "'a\\nb'" },
        { expression: "variables.x != 'failed' || object.nothing.at.all" },
      ],
    },
  });
  const answers = [];
  for (const x of ['made', 'long', 'lines', 'failed']) answers.push((await create(server, 'a', { data: { x } })).body);

  assert.deepEqual(
    answers.map(({ code, reason, message }) => [code, reason, message]),
    [
      [403, 'Forbidden', denial('no made')],
      [413, 'RequestEntityTooLarge', denial('long')],
      [422, 'Invalid', denial("failed expression: variables.x != 'lines'")],
      [422, 'Invalid', denial("expression 'variables.x != 'failed' || object.nothing.at.all' resulted in error: no such key: nothing")],
    ],
  );
});

test('failurePolicy Ignore lets errors pass, but not what is false', async () => {
  await using server = await startTestServer();
  await bind(server, {
    spec: { failurePolicy: 'Ignore', validations: [{ expression: 'object.nothing == 1' }, { expression: '!has(object.data)' }] },
  });

  const [passed, refused] = [await create(server, 'a'), await create(server, 'b', { data: { x: 'y' } })];

  assert.deepEqual([passed.status, refused.status], [201, 422]);
});

test('match conditions, selectors, names and exclusions decide what a policy is about', async () => {
  await using server = await startTestServer();
  await bind(server, {
    spec: {
      ...one('false'),
      matchConstraints: {
        resourceRules: [MAP_RULE],
        excludeResourceRules: [{ ...MAP_RULE, resourceNames: ['excluded'] }],
        objectSelector: { matchExpressions: [{ key: 'skip', operator: 'DoesNotExist' }] },
      },
      matchConditions: [{ name: 'not-exempt', expression: "object.metadata.name != 'exempt'" }],
    },
  });
  const names = ['excluded', 'exempt', 'a'];
  const statuses = await Promise.all(names.map(async (name) => (await create(server, name)).status));
  const skipped = await server.send('POST', MAPS, { body: { metadata: { name: 'b', labels: { skip: '' } } } });

  assert.deepEqual([...statuses, skipped.status], [201, 201, 422, 201]);
});

test('bindings warn and audit instead of denying', async () => {
  await using server = await startTestServer();
  await bind(server, { spec: one('false', { message: 'no' }), binding: { validationActions: ['Warn', 'Audit'] } });

  const { status, headers } = await create(server, 'a');

  assert.equal(status, 201);
  assert.match(String(headers['warning']), /Validation failed for ValidatingAdmissionPolicy 'p' with binding 'p-b': no/);
});

test('parameters come by name, by selector, or not at all', async () => {
  await using server = await startTestServer();
  await put(server, MAPS, { metadata: { name: 'limits', labels: { kind: 'limit' } }, data: { most: '2' } });
  const spec = {
    paramKind: { apiVersion: 'v1', kind: 'ConfigMap' },
    ...one('params == null || size(object.?data.orValue({})) <= int(params.data.most)', {
      messageExpression: "'at most ' + params.data.most",
    }),
  };
  const by = (paramRef: object) => ({ paramRef: { parameterNotFoundAction: 'Deny', ...paramRef } });
  await bind(server, { name: 'named', spec, binding: by({ name: 'limits' }) });
  await bind(server, { name: 'picked', spec, binding: by({ selector: { matchLabels: { kind: 'limit' } } }) });
  await bind(server, { name: 'allowed', spec, binding: by({ name: 'absent', parameterNotFoundAction: 'Allow' }) });
  await bind(server, { name: 'without', spec });
  const many = { data: { a: '', b: '', c: '' } };
  const [fine, refused] = [await create(server, 'a'), await create(server, 'b', many)];
  await bind(server, { name: 'bad', spec, binding: by({ name: 'absent' }) });
  const unconfigured = await create(server, 'c');

  assert.equal(fine.status, 201, fine.text);
  assert.match(refused.body.message, /'named' with binding 'named-b' denied request: at most 2$/);
  const why = 'failed to configure binding: no params found for policy binding with `Deny` parameterNotFoundAction';
  assert.match(unconfigured.body.message, new RegExp(`'bad' with binding 'bad-b' denied request: ${why}`));
});

test('custom resources are parameters, and subject to policies', async () => {
  await using server = await startTestServer();
  const group = 'rules.example.com';
  const schema = { type: 'object', properties: { most: { type: 'integer' } } };
  await put(server, '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', {
    metadata: { name: `limits.${group}` },
    spec: {
      group,
      scope: 'Namespaced',
      names: { plural: 'limits', kind: 'Limit' },
      versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: schema } }],
    },
  });
  const limits = `/apis/${group}/v1/namespaces/default/limits`;
  await established(server);
  await put(server, limits, { apiVersion: `${group}/v1`, kind: 'Limit', metadata: { name: 'l' }, most: 1 });
  const paramKind = { apiVersion: `${group}/v1`, kind: 'Limit' };
  const binding = { paramRef: { name: 'l', parameterNotFoundAction: 'Deny' } };
  await bind(server, { spec: { paramKind, ...one('size(object.data) <= params.most') }, binding });
  const rule = { apiGroups: [group], apiVersions: ['v1'], operations: ['*'], resources: ['limits'] };
  await bind(server, {
    name: 'own',
    spec: { matchConstraints: { resourceRules: [rule] }, ...one('object.most < 5', { message: 'too many' }) },
  });

  const [refused, fine] = [await create(server, 'a', { data: { a: '', b: '' } }), await create(server, 'b', { data: { a: '' } })];
  const own = await server.send('POST', limits, { body: { apiVersion: `${group}/v1`, kind: 'Limit', metadata: { name: 'm' }, most: 9 } });

  assert.deepEqual([refused.status, fine.status], [422, 201], fine.text);
  assert.match(own.body.message, /'own' with binding 'own-b' denied request: too many$/);
});

test('who names parameters has to be allowed to read them', async () => {
  await using server = await startTestServer();
  const user = { name: 'bob', uid: '', groups: ['system:authenticated'], extra: {} };
  await put(server, '/apis/rbac.authorization.k8s.io/v1/clusterroles', {
    metadata: { name: 'policies' },
    rules: [{ apiGroups: ['admissionregistration.k8s.io'], resources: ['*'], verbs: ['*'] }],
  });
  await put(server, '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', {
    metadata: { name: 'policies' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'policies' },
    subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'bob' }],
  });
  const paramKind = { apiVersion: 'v1', kind: 'Secret' };
  const policy = { metadata: { name: 'p' }, spec: { failurePolicy: 'Fail', matchConstraints: ON_MAPS, paramKind, ...one('true') } };
  const path = `${GROUP}/validatingadmissionpolicies`;
  const refused = await server.send('POST', path, { user, body: policy });
  await put(server, path, policy);
  const binding = {
    metadata: { name: 'b' },
    spec: { policyName: 'p', validationActions: ['Deny'], paramRef: { name: 's', namespace: 'x', parameterNotFoundAction: 'Deny' } },
  };
  const unbound = await server.send('POST', path.replace('policies', 'policybindings'), { user, body: binding });

  const who = 'user &{bob  [system:authenticated] map[]}';
  assert.deepEqual(refused.body.details?.causes, [
    {
      reason: 'FieldValueForbidden',
      message: `Forbidden: ${who} must have "get" permission on all objects of the referenced paramKind (kind=Secret, apiVersion=v1)`,
      field: 'spec.paramKind',
    },
  ]);
  assert.deepEqual(
    [unbound.status, unbound.body.details?.causes[0].message],
    [422, `Forbidden: ${who} does not have "get" permission on the object referenced by paramRef`],
  );
});

test('a param kind that is not served fails the policy', async () => {
  await using server = await startTestServer();
  await bind(server, { spec: { paramKind: { apiVersion: 'rules.example.com/v1', kind: 'Rule' }, ...one('true') } });

  const { body } = await create(server, 'a');

  const why = "failed to configure policy: failed to find resource referenced by paramKind: 'rules.example.com/v1, Kind=Rule'";
  assert.equal(body.message, `configmaps "a" is forbidden: ValidatingAdmissionPolicy 'p' denied request: ${why}`);
});

test('what configures admission is never subject to a policy', async () => {
  await using server = await startTestServer();
  const everything = { apiGroups: ['*'], apiVersions: ['*'], operations: ['*'], resources: ['*'] };
  await bind(server, { spec: { ...one('false'), matchConstraints: { resourceRules: [everything] } } });

  const [refused, deleted] = [await create(server, 'a'), await server.send('DELETE', `${GROUP}/validatingadmissionpolicies/p`)];

  assert.deepEqual([refused.status, deleted.status, (await create(server, 'b')).status], [422, 200, 201]);
});

test('a policy for one version of a resource applies to the others, in that version', async () => {
  await using server = await startTestServer();
  const rule = { apiGroups: ['autoscaling'], apiVersions: ['v1'], operations: ['CREATE'], resources: ['horizontalpodautoscalers'] };
  await bind(server, {
    spec: { ...one('object.spec.targetCPUUtilizationPercentage < 50'), matchConstraints: { resourceRules: [rule] } },
  });
  const scaler = (averageUtilization: number) => ({
    metadata: { name: 'a' },
    spec: {
      maxReplicas: 2,
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'd' },
      metrics: [{ type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization } } }],
    },
  });
  const path = '/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers';

  const [refused, fine] = [await server.send('POST', path, { body: scaler(60) }), await server.send('POST', path, { body: scaler(40) })];

  assert.deepEqual([refused.status, fine.status], [422, 201], fine.text);
});

test('mutations apply configurations and patches, one after the other', async () => {
  await using server = await startTestServer();
  await bind(server, {
    kind: 'Mutating',
    spec: {
      variables: [{ name: 'n', expression: 'object.metadata.name' }],
      mutations: [
        {
          patchType: 'ApplyConfiguration',
          applyConfiguration: { expression: 'Object{metadata: Object.metadata{labels: {"n": variables.n}}}' },
        },
        {
          patchType: 'JSONPatch',
          jsonPatch: {
            expression:
              '[JSONPatch{op: "test", path: "/metadata/labels/n", value: object.metadata.labels.n}, JSONPatch{op: "add", path: "/data", value: {"k": "v"}}, JSONPatch{op: "add", path: "/metadata/labels/" + jsonpatch.escapeKey("a/b"), value: "c"}]',
          },
        },
      ],
    },
  });

  const { status, body, text } = await create(server, 'a');

  assert.equal(status, 201, text);
  assert.deepEqual([body.metadata.labels, body.data], [{ n: 'a', 'a/b': 'c' }, { k: 'v' }]);
});

test('lists are merged by their keys; what is atomic cannot be applied', async () => {
  await using server = await startTestServer();
  const pods = { resourceRules: [{ ...MAP_RULE, resources: ['pods'], operations: ['CREATE'] }] };
  const apply = (expression: string) => ({ patchType: 'ApplyConfiguration', applyConfiguration: { expression } });
  const sidecar =
    'Object{spec: Object.spec{initContainers: [Object.spec.initContainers{name: "mesh", image: "mesh:1", restartPolicy: "Always"}]}}';
  await bind(server, { kind: 'Mutating', name: 'sidecar', spec: { matchConstraints: pods, mutations: [apply(sidecar)] } });
  const pod = {
    metadata: { name: 'a' },
    spec: { containers: [{ name: 'c', image: 'c' }], initContainers: [{ name: 'first', image: 'f' }] },
  };
  const path = '/api/v1/namespaces/default/pods';
  await put(server, '/api/v1/namespaces/default/serviceaccounts', { metadata: { name: 'default' } });
  const { body, text } = await server.send('POST', path, { body: pod });
  const atomic = 'Object{spec: Object.spec{containers: [Object.spec.containers{name: "c", args: ["x"]}]}}';
  await bind(server, { kind: 'Mutating', name: 'args', spec: { matchConstraints: pods, mutations: [apply(atomic)] } });
  const refused = await server.send('POST', path, { body: { ...pod, metadata: { name: 'b' } } });

  assert.deepEqual(
    body.spec?.initContainers.map(({ name }: { name: string }) => name),
    ['first', 'mesh'],
    text,
  );
  assert.equal(
    refused.body.message,
    "policy 'args' with binding 'args-b' denied request: error applying patch: invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: .spec.containers[0].args",
  );
  assert.deepEqual([refused.status, refused.body.reason], [403, 'Invalid']);
});

const applied = (expression: string) => ({ patchType: 'ApplyConfiguration', applyConfiguration: { expression } });
const patches = (expression: string) => ({ patchType: 'JSONPatch', jsonPatch: { expression } });
const SPECS: readonly (readonly [string, object, number, string])[] = [
  [
    'an unknown field of a configuration',
    applied('Object{spec: Object.spec{port: 1}}'),
    403,
    "policy 'p' with binding 'p-b' denied request: error applying patch: failed to convert patch object to typed object: .spec.port: field not declared in schema",
  ],
  [
    'wholes within wholes',
    applied(
      'Object{spec: Object.spec{topologySpreadConstraints: [], tolerations: [Object.spec.tolerations{key: "a"}], securityContext: Object.spec.securityContext{seLinuxOptions: Object.spec.securityContext.seLinuxOptions{user: "u"}, supplementalGroups: [1]}}}',
    ),
    403,
    "policy 'p' with binding 'p-b' denied request: error applying patch: invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: .spec.tolerations, .spec.securityContext.supplementalGroups",
  ],
  [
    'an unknown field of a JSON patch',
    patches('[JSONPatch{op: "add", path: "/spec/port", value: 1}]'),
    500,
    'Internal error occurred: strict decoding error: unknown field "spec.port"',
  ],
  [
    'a value of another type',
    patches('[JSONPatch{op: "replace", path: "/spec/hostname", value: 1}]'),
    500,
    'Internal error occurred: json: cannot unmarshal number into Go struct field PodSpec.spec.hostname of type string',
  ],
  [
    'an object of another place in a JSON patch',
    patches('[JSONPatch{op: "add", path: "/spec/securityContext", value: Object.spec.securityContext{seLinuxOptions: Object.spec.se{}}}]'),
    403,
    `policy 'p' with binding 'p-b' denied request: type mismatch: unexpected type name "Object.spec.se", expected "Object.spec.securityContext.seLinuxOptions", which matches field name path from root Object type`,
  ],
];
for (const [what, mutation, code, message] of SPECS) {
  test(`a mutation is refused for ${what}`, async () => {
    await using server = await startTestServer();
    await put(server, '/api/v1/namespaces/default/serviceaccounts', { metadata: { name: 'default' } });
    const matchConstraints = { resourceRules: [{ ...MAP_RULE, resources: ['pods'], operations: ['CREATE'] }] };
    await bind(server, { kind: 'Mutating', spec: { matchConstraints, mutations: [mutation] } });

    const body = { metadata: { name: 'a' }, spec: { containers: [{ name: 'c', image: 'c' }] } };
    const refused = await server.send('POST', '/api/v1/namespaces/default/pods', { body });

    assert.deepEqual([refused.status, refused.body.message], [code, message]);
  });
}

test('a JSON patch whose test fails is left out', async () => {
  await using server = await startTestServer();
  const expression = '[JSONPatch{op: "add", path: "/data", value: {"k": "v"}}, JSONPatch{op: "test", path: "/data/k", value: "w"}]';
  await bind(server, { kind: 'Mutating', spec: { mutations: [patches(expression)] } });

  const { status, body } = await create(server, 'a');

  assert.deepEqual([status, body.data], [201, undefined]);
});

test('a policy that asks for it sees what later ones changed', async () => {
  await using server = await startTestServer();
  const label = (name: string, value: string) => ({
    mutations: [
      {
        patchType: 'ApplyConfiguration',
        applyConfiguration: { expression: `Object{metadata: Object.metadata{labels: {"${name}": ${value}}}}` },
      },
    ],
  });
  const count = 'string(size(object.metadata.?labels.orValue({})))';
  await bind(server, { kind: 'Mutating', name: 'a-first', spec: { ...label('first', count), reinvocationPolicy: 'IfNeeded' } });
  await bind(server, { kind: 'Mutating', name: 'b-second', spec: label('second', count) });

  const { body, text } = await create(server, 'a');

  assert.deepEqual(body.metadata.labels, { first: '2', second: '1' }, text);
});

test('expressions are checked when a policy is written', async () => {
  await using server = await startTestServer();
  const post = async (kind: string, spec: object) => {
    const { body } = await server.send('POST', `${GROUP}/${kind}`, {
      body: { metadata: { name: 'x' }, spec: { failurePolicy: 'Fail', matchConstraints: ON_MAPS, ...spec } },
    });
    return body.details?.causes?.map(({ field, message }: { field: string; message: string }) => `${field}: ${message}`);
  };
  const apply = (expression: string) => ({
    reinvocationPolicy: 'Never',
    mutations: [{ patchType: 'ApplyConfiguration', applyConfiguration: { expression } }],
  });

  assert.deepEqual(
    await post('validatingadmissionpolicies', { validations: [{ expression: 'true', messageExpression: 'authorizer.path("/x")' }] }),
    [
      'spec.validations[0].messageExpression: Invalid value: "authorizer.path(\\"/x\\")": compilation failed: ERROR: <input>:1:1: undeclared reference to \'authorizer\' (in container \'\')\n | authorizer.path("/x")\n | ^',
    ],
  );
  assert.deepEqual(await post('mutatingadmissionpolicies', apply('{"a": 1}')), [
    'spec.mutations[0].applyConfiguration.expression: Invalid value: "{\\"a\\": 1}": must evaluate to Object but got map(string, int)',
  ]);
  assert.deepEqual(await post('mutatingadmissionpolicies', { reinvocationPolicy: 'Never', mutations: [{ patchType: 'JSONPatch' }] }), [
    'spec.mutations[0].jsonPatch: Required value: must be specified when patchType is JSONPatch',
  ]);
  assert.deepEqual(await post('mutatingadmissionpolicies', { ...apply('Object{}'), paramKind: { apiVersion: 'a/b/c', kind: 'X_' } }), [
    'spec.paramKind.apiVersion: Invalid value: "a/b/c": unexpected GroupVersion string: a/b/c',
    "spec.paramKind.kind: Invalid value: \"X_\": may have mixed case, but should otherwise match: a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')",
  ]);
});

test('a policy whose expressions run out of budget is an error of the policy', async () => {
  await using server = await startTestServer();
  const keys = Object.fromEntries(Array.from({ length: 120 }, (_, index) => [`k${index}`, 'v']));
  await bind(server, { spec: one('object.data.all(a, object.data.all(b, object.data.all(c, a != b || c != "")))') });

  const { body } = await create(server, 'a', { data: keys });

  assert.match(body.message, /resulted in error: operation cancelled: actual cost limit exceeded$/);
});
