// SPDX-License-Identifier: Apache-2.0
// What webhooks may answer and what comes of it, for each kind of answer and of webhook.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startTestServer, type TestServer } from '../../_test-server.ts';
import { type Received, startTestWebhook, type TestWebhook } from '../../webhook-client/_test-webhook.ts';
import { configure, create, GROUP, label, patchOf, review } from './_test-webhooks.ts';

let server: TestServer;
let webhook: TestWebhook;
let reply: (request: Received) => unknown = () => ({});
before(async () => {
  server = await startTestServer();
  webhook = await startTestWebhook({ reply: (request) => reply(request) });
});
after(async () => {
  await webhook[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

interface Case {
  readonly name: string;
  readonly kind?: 'Mutating' | 'Validating';
  readonly versions?: readonly string[];
  readonly reply: (request: Received) => unknown;
  readonly status: number;
  readonly message?: string | RegExp;
}

const FAILED = 'Internal error occurred: failed calling webhook "v.example.com": ';
const CALL = `${FAILED}failed to call webhook: `;
const INVALID = `${FAILED}received invalid webhook response: `;
const DENIED = 'admission webhook "v.example.com" denied the request';
const WANTED = 'expected webhook response of admission.k8s.io/v1, Kind=AdmissionReview, got';
const json = (status: number, text: string) => ({ status, text });
const denied = (status: object) => (it: Received) => review(it, { allowed: false, status });
const patched = (text: string) => (it: Received) => review(it, { patchType: 'JSONPatch', patch: Buffer.from(text).toString('base64') });
const older = (it: Received, response: object) => ({ ...review(it, response), apiVersion: 'admission.k8s.io/v1beta1' });

const cases: readonly Case[] = [
  { name: 'no response', reply: () => ({}), status: 500, message: `${INVALID}webhook response was absent` },
  {
    name: 'another uid',
    reply: (it) => review(it, { uid: 'other' }),
    status: 500,
    message: /received invalid webhook response: expected response.uid="[-0-9a-f]{36}", got "other"$/,
  },
  {
    name: 'no kind',
    reply: (it) => ({ ...review(it, {}), kind: undefined, apiVersion: undefined }),
    status: 500,
    message: `${INVALID}${WANTED} /, Kind=`,
  },
  {
    name: 'the other version',
    reply: (it) => older(it, {}),
    status: 500,
    message: `${CALL}converting (v1beta1.AdmissionReview) to (v1.AdmissionReview): unknown conversion`,
  },
  {
    name: 'a Status',
    reply: () => ({ kind: 'Status', apiVersion: 'v1' }),
    status: 500,
    message: `${CALL}converting (v1.Status) to (v1.AdmissionReview): unknown conversion`,
  },
  {
    name: 'another kind',
    reply: (it) => ({ ...review(it, {}), kind: 'Answer' }),
    status: 500,
    message: `${CALL}no kind "Answer" is registered for version "admission.k8s.io/v1"`,
  },
  {
    name: 'a patch of a validating webhook',
    reply: (it) => review(it, label('a', 'b')),
    status: 500,
    message: `${INVALID}validating webhook may not return response.patch`,
  },
  {
    name: 'a patch type of one',
    reply: (it) => review(it, { patchType: 'JSONPatch' }),
    status: 500,
    message: `${INVALID}validating webhook may not return response.patchType`,
  },
  {
    name: 'a patch without type',
    kind: 'Mutating',
    reply: (it) => review(it, { patch: 'W10=' }),
    status: 500,
    message: `${INVALID}webhook returned response.patch but not response.patchType`,
  },
  {
    name: 'a type without patch',
    kind: 'Mutating',
    reply: (it) => review(it, { patchType: 'JSONPatch' }),
    status: 500,
    message: `${INVALID}webhook returned response.patchType but not response.patch`,
  },
  {
    name: 'an empty type',
    kind: 'Mutating',
    reply: (it) => review(it, { patch: 'W10=', patchType: '' }),
    status: 500,
    message: `${INVALID}webhook returned invalid response.patchType of ""`,
  },
  {
    name: 'another type',
    kind: 'Mutating',
    reply: (it) => review(it, { ...label('a', 'b'), patchType: 'Merge' }),
    status: 500,
    message: `${FAILED}unsupported patch type "Merge"`,
  },
  {
    name: 'another type in v1beta1',
    kind: 'Mutating',
    versions: ['v1beta1'],
    reply: (it) => older(it, { ...label('a', 'b'), patchType: 'Merge' }),
    status: 201,
  },
  { name: 'another uid in v1beta1', versions: ['v1beta1'], reply: (it) => older(it, { uid: 'other' }), status: 201 },
  {
    name: 'no JSON patch',
    kind: 'Mutating',
    reply: patched('[{"op":"add","X":}]'),
    status: 500,
    message: `${FAILED}received undecodable patch in webhook response: invalid character '}' looking for beginning of value`,
  },
  {
    name: 'an object as patch',
    kind: 'Mutating',
    reply: patched('{}'),
    status: 500,
    message: `${FAILED}received undecodable patch in webhook response: json: cannot unmarshal object into Go value of type jsonpatch.Patch`,
  },
  { name: 'an empty patch', kind: 'Mutating', reply: patched('[]'), status: 201 },
  { name: 'null as patch', kind: 'Mutating', reply: patched('null'), status: 201 },
  {
    name: 'a patch that does not apply',
    kind: 'Mutating',
    reply: (it) => review(it, patchOf([{ op: 'remove', path: '/data/none' }])),
    status: 500,
    message: /^Internal error occurred: remove operation does not apply/,
  },
  {
    name: 'text where a truth is wanted',
    reply: (it) => review(it, { allowed: 'yes' }),
    status: 500,
    message: `${CALL}json: cannot unmarshal string into Go struct field AdmissionResponse.response.allowed of type bool`,
  },
  {
    name: 'a word',
    reply: () => json(200, 'ok'),
    status: 500,
    message:
      /failed to call webhook: couldn't get version\/kind; json parse error: json: cannot unmarshal string into Go value of type struct/,
  },
  {
    name: 'nothing',
    reply: () => json(200, ''),
    status: 500,
    message: `${CALL}0-length response with status code: 200 and content type: application/json`,
  },
  {
    name: 'an error',
    reply: () => json(500, '{"error":"x"}'),
    status: 500,
    message: `${CALL}an error on the server ("unknown") has prevented the request from succeeding`,
  },
  { name: 'no, and nothing else', reply: (it) => review(it, { allowed: false }), status: 400, message: `${DENIED} without explanation` },
  { name: 'no with a success', reply: denied({ code: 200, status: 'Success', reason: 'Why' }), status: 400, message: `${DENIED}: Why` },
  { name: 'no with a negative code', reply: denied({ code: -1, message: 'no' }), status: 400, message: `${DENIED}: no` },
  { name: 'no with a code', reply: denied({ code: 409, message: 'no', reason: 'Conflict' }), status: 409, message: `${DENIED}: no` },
  { name: 'yes with a code', reply: (it) => review(it, { status: { code: 500 } }), status: 201 },
];
for (const { name, kind = 'Validating', versions = ['v1'], reply: answer, status, message } of cases) {
  test(`a webhook (${kind}, ${versions}) that answers ${name} makes the request end with ${status}`, async () => {
    await configure(server, webhook, { name: 'v', kind, webhook: { admissionReviewVersions: versions } });
    reply = answer;
    const found = await create(server, 'x', {}, 'dryRun=All');
    await server.send('DELETE', `${GROUP}/${kind.toLowerCase()}webhookconfigurations/v`);
    assert.equal(found.status, status, found.text);
    if (message instanceof RegExp) assert.match(found.body.message, message);
    else if (message !== undefined) assert.equal(found.body.message, message);
  });
}

test('a webhook has no more time than its request', async () => {
  await configure(server, webhook, { name: 'slow', webhook: { timeoutSeconds: 10 } });
  reply = (it) => review(it, {});
  const seen = webhook.received.length;
  const found = await create(server, 'x', {}, 'dryRun=All&timeout=2500ms');
  await server.send('DELETE', `${GROUP}/validatingwebhookconfigurations/slow`);

  assert.equal(found.status, 201, found.text);
  assert.equal(webhook.received[seen]?.path, '/hook?timeout=3s');
});

test('a name that is made up is known to validating webhooks alone', async () => {
  await configure(server, webhook, { name: 'm', kind: 'Mutating' });
  await configure(server, webhook, { name: 'v' });
  reply = (it) => review(it, {});
  const seen = webhook.received.length;
  const found = await create(server, '', { metadata: { generateName: 'made-' } });
  await server.send('DELETE', `${GROUP}/mutatingwebhookconfigurations/m`);
  await server.send('DELETE', `${GROUP}/validatingwebhookconfigurations/v`);

  const names = webhook.received.slice(seen).map(({ body }) => body.request.name);
  assert.deepEqual(names, [undefined, found.body.metadata.name]);
});

const reviews: readonly (readonly [string, string, object])[] = [
  ['TokenReview', '/apis/authentication.k8s.io/v1/tokenreviews', { token: 't' }],
  ['SelfSubjectReview', '/apis/authentication.k8s.io/v1/selfsubjectreviews', {}],
  [
    'SubjectAccessReview',
    '/apis/authorization.k8s.io/v1/subjectaccessreviews',
    { user: 'u', resourceAttributes: { verb: 'get', resource: 'pods' } },
  ],
  [
    'SelfSubjectAccessReview',
    '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews',
    { resourceAttributes: { verb: 'get', resource: 'pods' } },
  ],
  ['SelfSubjectRulesReview', '/apis/authorization.k8s.io/v1/selfsubjectrulesreviews', { namespace: 'default' }],
  [
    'LocalSubjectAccessReview',
    '/apis/authorization.k8s.io/v1/namespaces/none/localsubjectaccessreviews',
    { user: 'u', resourceAttributes: { verb: 'get', resource: 'pods', namespace: 'none' } },
  ],
];
for (const [kind, path, spec] of reviews) {
  test(`a ${kind} is shown to webhooks as any object that is made`, async () => {
    const rules = [{ apiGroups: ['*'], apiVersions: ['*'], operations: ['CREATE'], resources: ['*'] }];
    await configure(server, webhook, { name: 'm', kind: 'Mutating', webhook: { rules } });
    await configure(server, webhook, { name: 'v', webhook: { rules } });
    reply = ({ body, ...rest }) => review({ body, ...rest }, { allowed: body.request.object.metadata.name !== 'no' });
    const seen = webhook.received.length;
    const found = await server.send('POST', path, { body: { spec } });
    reply = denied({ message: 'not asked', code: 403 });
    const refused = await server.send('POST', path, { body: { spec } });
    await server.send('DELETE', `${GROUP}/mutatingwebhookconfigurations/m`);
    await server.send('DELETE', `${GROUP}/validatingwebhookconfigurations/v`);

    assert.equal(found.status, 201, found.text);
    assert.deepEqual(
      webhook.received.slice(seen, seen + 2).map(({ body: { request } }) => [request.operation, request.kind.kind, request.object.kind]),
      [
        ['CREATE', kind, kind],
        ['CREATE', kind, kind],
      ],
    );
    assert.deepEqual([refused.status, refused.body.message], [403, 'admission webhook "m.example.com" denied the request: not asked']);
  });
}

test('who deletes a collection names no object, and each is judged', async () => {
  for (const name of ['c1', 'c2']) assert.equal((await create(server, name)).status, 201);
  await configure(server, webhook, { name: 'v' });
  reply = (it) => review(it, {});
  const seen = webhook.received.length;
  await server.send('DELETE', '/api/v1/namespaces/default/configmaps', { query: 'fieldSelector=metadata.name%3Dc1' });
  await server.send('DELETE', `${GROUP}/validatingwebhookconfigurations/v`);

  const asked = webhook.received
    .slice(seen)
    .map(({ body: { request } }) => [request.operation, request.name, request.oldObject.metadata.name]);
  assert.deepEqual(asked, [['DELETE', undefined, 'c1']]);
});

test('a subresource of a Namespace is judged by the labels that the Namespace has', async () => {
  const made = await server.send('POST', '/api/v1/namespaces', { body: { metadata: { name: 'labelled', labels: { a: 'b' } } } });
  assert.equal(made.status, 201);
  const rules = [{ apiGroups: [''], apiVersions: ['v1'], operations: ['UPDATE'], resources: ['namespaces', 'namespaces/status'] }];
  await configure(server, webhook, { name: 'v', webhook: { rules, namespaceSelector: { matchLabels: { a: 'c' } } } });
  reply = denied({ message: 'no' });
  const body = { metadata: { labels: { a: 'c' } } };
  const headers = { 'content-type': 'application/merge-patch+json' };
  const own = await server.send('PATCH', '/api/v1/namespaces/labelled', { body, headers });
  const status = await server.send('PATCH', '/api/v1/namespaces/labelled/status', { body, headers });
  await server.send('DELETE', `${GROUP}/validatingwebhookconfigurations/v`);

  assert.deepEqual([own.status, status.status], [400, 200]);
});

for (const [path, expected] of [
  ['/api/v1/namespaces/default/bindings', ['bindings', undefined, 'p']],
  ['/api/v1/namespaces/default/pods/p/binding', ['pods', 'binding', 'p']],
] as const) {
  test(`a Binding at ${path} is seen there`, async () => {
    const pod = { metadata: { name: 'p' }, spec: { containers: [{ name: 'c', image: 'i' }] } };
    await server.send('POST', '/api/v1/namespaces/default/serviceaccounts', { body: { metadata: { name: 'default' } } });
    await server.send('POST', '/api/v1/namespaces/default/pods', { body: pod });
    const rules = [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['bindings', 'pods/binding'] }];
    await configure(server, webhook, { name: 'v', webhook: { rules } });
    reply = (it) => review(it, { allowed: false });
    const seen = webhook.received.length;
    const found = await server.send('POST', path, { body: { metadata: { name: 'p' }, target: { kind: 'Node', name: 'n' } } });
    await server.send('DELETE', `${GROUP}/validatingwebhookconfigurations/v`);

    const { request } = webhook.received[seen]?.body ?? {};
    assert.equal(found.status, 400);
    assert.deepEqual([request.resource.resource, request.subResource, request.name], expected);
  });
}

const entry = { manager: 'm', operation: 'Update', apiVersion: 'v1', fieldsType: 'FieldsV1', fieldsV1: { 'f:data': {} } };
for (const [more, problem] of [
  [{}, undefined],
  [{ manager: '' }, undefined],
  [{ apiVersion: '' }, 'apiVersion must not be empty'],
  [{ operation: 'Guess' }, 'operation must be `Apply` or `Update`'],
  [{ fieldsType: 'FieldsV2' }, 'invalid fieldsType "FieldsV2" in managed fields entry 0'],
] as const) {
  test(`owners of fields that a webhook sets with ${JSON.stringify(more)} ${problem === undefined ? 'stay' : 'are put back'}`, async () => {
    await configure(server, webhook, { name: 'm', kind: 'Mutating' });
    reply = (it) => review(it, patchOf([{ op: 'replace', path: '/metadata/managedFields', value: [{ ...entry, ...more }] }]));
    const found = await create(server, 'owned', { data: { a: 'b' } }, 'dryRun=All&fieldManager=sender');
    await server.send('DELETE', `${GROUP}/mutatingwebhookconfigurations/m`);

    const [first] = found.body.metadata.managedFields;
    assert.equal(first.manager, problem === undefined ? { ...entry, ...more }.manager || undefined : 'sender');
    const start =
      '.metadata.managedFields was in an invalid state after admission; this could be caused by an outdated mutating admission controller; please fix your requests';
    const warnings = problem === undefined ? undefined : [`299 - "${start}: ${problem.replaceAll('"', '\\"')}"`];
    assert.deepEqual(found.headers['warning'], warnings);
  });
}
