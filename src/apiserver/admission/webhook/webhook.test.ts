// SPDX-License-Identifier: Apache-2.0
// Webhooks against a whole API server in this process, and against webhooks that answer over HTTPS.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { customresourcedefinitions } from '#api';
import { startTestServer } from '../../_test-server.ts';
import { startTestWebhook } from '../../webhook-client/_test-webhook.ts';
import { configure, create, EVERY_MAP, GROUP, label, MAPS, patchOf, review } from './_test-webhooks.ts';

test('a validating webhook is told of the request and its denial is the answer', async () => {
  await using server = await startTestServer();
  const denied = { allowed: false, status: { message: 'not today', code: 418, reason: 'Teapot' }, warnings: ['careful'] };
  await using webhook = await startTestWebhook({ reply: (request) => review(request, denied) });
  await configure(server, webhook, { name: 'v' });

  const { status, body, headers } = await create(server, 'a', { data: { x: 'y' } }, 'fieldManager=me');

  assert.equal(status, 418);
  assert.equal(body.message, 'admission webhook "v.example.com" denied the request: not today');
  assert.equal(body.reason, 'Teapot');
  assert.deepEqual(headers['warning'], ['299 - "careful"']);
  const { request, apiVersion, kind } = webhook.received[0]?.body ?? {};
  assert.deepEqual([apiVersion, kind], ['admission.k8s.io/v1', 'AdmissionReview']);
  assert.deepEqual(request.kind, { group: '', version: 'v1', kind: 'ConfigMap' });
  assert.deepEqual(request.requestResource, { group: '', version: 'v1', resource: 'configmaps' });
  assert.deepEqual([request.operation, request.namespace, request.name, request.dryRun], ['CREATE', 'default', 'a', false]);
  assert.equal(request.userInfo.username, 'admin');
  assert.equal(request.object.data.x, 'y');
  assert.equal(request.oldObject, null);
  assert.deepEqual(request.options, { kind: 'CreateOptions', apiVersion: 'meta.k8s.io/v1', fieldManager: 'me' });
});

test('update and delete carry the old object', async () => {
  await using server = await startTestServer();
  await using webhook = await startTestWebhook({ reply: (request) => review(request, {}) });
  await create(server, 'a', { data: { x: '1' } });
  await configure(server, webhook, { name: 'v' });

  await server.send('PATCH', `${MAPS}/a`, { headers: { 'content-type': 'application/merge-patch+json' }, body: { data: { x: '2' } } });
  await server.send('DELETE', `${MAPS}/a`, { body: { propagationPolicy: 'Background' } });

  const [update, remove] = webhook.received.map(({ body }) => body.request);
  assert.deepEqual(
    [update.operation, update.oldObject.data.x, update.object.data.x, update.options.kind],
    ['UPDATE', '1', '2', 'PatchOptions'],
  );
  assert.deepEqual([remove.operation, remove.oldObject.data.x, remove.object], ['DELETE', '2', null]);
  assert.equal(remove.options.propagationPolicy, 'Background');
});

test('mutating webhooks run in order of their configurations, and again where they asked to', async () => {
  await using server = await startTestServer();
  await using first = await startTestWebhook({
    reply: (request) =>
      review(request, patchOf([{ op: 'add', path: '/data', value: { ...request.body.request.object.data, first: 'seen' } }])),
  });
  await using second = await startTestWebhook({ reply: (request) => review(request, label('second', 'yes')) });
  await configure(server, second, { name: 'b', kind: 'Mutating' });
  await configure(server, first, { name: 'a', kind: 'Mutating', webhook: { reinvocationPolicy: 'IfNeeded' } });

  const { status, body } = await create(server, 'm', { data: { own: '1' } });

  assert.equal(status, 201);
  assert.deepEqual([body.data, body.metadata.labels], [{ own: '1', first: 'seen' }, { second: 'yes' }]);
  assert.deepEqual([first.received.length, second.received.length], [2, 1]);
  assert.equal(first.received[1]?.body.request.object.metadata.labels.second, 'yes');
});

test('a patch that does not apply is an internal error', async () => {
  await using server = await startTestServer();
  await using webhook = await startTestWebhook({ reply: (request) => review(request, patchOf([{ op: 'remove', path: '/data/none' }])) });
  await configure(server, webhook, { name: 'm', kind: 'Mutating' });

  const { status, body } = await create(server, 'x');

  assert.equal(status, 500);
  assert.match(body.message, /^Internal error occurred: remove operation does not apply/);
});

test('a patch that is none is a failed call', async () => {
  await using server = await startTestServer();
  const patch = { patchType: 'JSONPatch', patch: Buffer.from('{}').toString('base64') };
  await using webhook = await startTestWebhook({ reply: (request) => review(request, patch) });
  await configure(server, webhook, { name: 'm', kind: 'Mutating', webhook: { failurePolicy: 'Ignore' } });

  assert.equal((await create(server, 'x')).status, 201);
});

test('failurePolicy Ignore lets the request through, Fail does not', async () => {
  await using server = await startTestServer();
  await using webhook = await startTestWebhook({ reply: () => ({ status: 503, text: 'busy' }) });
  await configure(server, webhook, { name: 'open', webhook: { failurePolicy: 'Ignore' } });
  assert.equal((await create(server, 'a')).status, 201);
  await configure(server, webhook, { name: 'closed' });

  const { body } = await create(server, 'b');

  assert.equal(
    body.message,
    'Internal error occurred: failed calling webhook "closed.example.com": failed to call webhook: the server is currently unable to handle the request',
  );
});

test('selectors and match policy decide who is called', async (t) => {
  await using server = await startTestServer();
  await using webhook = await startTestWebhook({ reply: (request) => review(request, { allowed: false }) });
  const deny = async (webhookRules: object, object: object = {}) => {
    await configure(server, webhook, { name: 'v', webhook: webhookRules });
    const { status } = await create(server, 'x', object, 'dryRun=All');
    await server.send('DELETE', `${GROUP}/validatingwebhookconfigurations/v`);
    return status;
  };
  await t.test('namespace selector', async () => {
    assert.equal(await deny({ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'other' } } }), 201);
    assert.equal(await deny({ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'default' } } }), 400);
  });
  await t.test('object selector', async () => {
    assert.equal(await deny({ objectSelector: { matchLabels: { a: 'b' } } }), 201);
    assert.equal(await deny({ objectSelector: { matchLabels: { a: 'b' } } }, { metadata: { name: 'x', labels: { a: 'b' } } }), 400);
  });
  await t.test('scope', async () => {
    assert.equal(await deny({ rules: [{ ...EVERY_MAP, scope: 'Cluster' }] }), 201);
    assert.equal(await deny({ rules: [{ ...EVERY_MAP, resources: ['*/*'] }] }), 400);
  });
});

test('an equivalent version is converted for a webhook that knows only that', async () => {
  await using server = await startTestServer();
  await using webhook = await startTestWebhook({
    reply: (request) => review(request, patchOf([{ op: 'add', path: '/spec/targetCPUUtilizationPercentage', value: 42 }])),
  });
  const rules = [{ apiGroups: ['autoscaling'], apiVersions: ['v1'], operations: ['CREATE'], resources: ['horizontalpodautoscalers'] }];
  await configure(server, webhook, { name: 'm', kind: 'Mutating', webhook: { rules } });

  const { status, body } = await server.send('POST', '/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers', {
    body: { metadata: { name: 'h' }, spec: { maxReplicas: 3, scaleTargetRef: { kind: 'Deployment', name: 'd', apiVersion: 'apps/v1' } } },
  });

  assert.equal(status, 201);
  assert.equal(body.apiVersion, 'autoscaling/v2');
  assert.equal(body.spec.metrics[0].resource.target.averageUtilization, 42);
  const { request } = webhook.received[0]?.body ?? {};
  assert.deepEqual([request.kind.version, request.requestKind.version, request.object.apiVersion], ['v1', 'v2', 'autoscaling/v1']);
});

test('a custom resource is shown in the version a webhook knows, and what it changes comes back', async () => {
  await using server = await startTestServer();
  const schema = {
    openAPIV3Schema: { type: 'object', properties: { spec: { type: 'object', properties: { size: { type: 'integer' } } } } },
  };
  const versions = ['v1', 'v2'].map((name) => ({ name, served: true, storage: name === 'v2', schema }));
  const names = { plural: 'boats', singular: 'boat', kind: 'Boat' };
  const definition = { metadata: { name: 'boats.example.com' }, spec: { group: 'example.com', scope: 'Namespaced', names, versions } };
  const made = await server.send('POST', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', { body: definition });
  assert.equal(made.status, 201, made.text);
  for await (const event of server.client.watch(customresourcedefinitions, { sendInitialEvents: true, resourceVersion: '0' })) {
    if (event.type !== 'ADDED' && event.type !== 'MODIFIED') continue;
    if (event.object.status?.conditions?.some(({ type, status }) => type === 'Established' && status === 'True')) break;
  }
  await using webhook = await startTestWebhook({
    reply: (request) => review(request, patchOf([{ op: 'add', path: '/spec', value: { size: 7, unknown: 1 } }])),
  });
  const rules = [{ apiGroups: ['example.com'], apiVersions: ['v1'], operations: ['CREATE'], resources: ['boats'] }];
  await configure(server, webhook, { name: 'm', kind: 'Mutating', webhook: { rules } });

  const { status, body, text } = await server.send('POST', '/apis/example.com/v2/namespaces/default/boats', {
    body: { apiVersion: 'example.com/v2', kind: 'Boat', metadata: { name: 'b' }, spec: { size: 1 } },
  });

  assert.equal(status, 201, text);
  assert.deepEqual([body.apiVersion, body.spec], ['example.com/v2', { size: 7 }]);
  const { request } = webhook.received[0]?.body ?? {};
  assert.deepEqual([request.object.apiVersion, request.kind.version, request.requestKind.version], ['example.com/v1', 'v1', 'v2']);
});

test('what configures webhooks is not subject to them', async () => {
  await using server = await startTestServer();
  await using webhook = await startTestWebhook({ reply: (request) => review(request, { allowed: false }) });
  const everything = { apiGroups: ['*'], apiVersions: ['*'], operations: ['*'], resources: ['*/*'] };
  await configure(server, webhook, { name: 'v', webhook: { rules: [everything] } });
  assert.equal((await create(server, 'a')).body.message, 'admission webhook "v.example.com" denied the request without explanation');

  assert.equal((await server.send('DELETE', `${GROUP}/validatingwebhookconfigurations/v`)).status, 200);
  assert.equal((await create(server, 'a')).status, 201);
});

test('a scale is shown to webhooks as a Scale', async () => {
  await using server = await startTestServer();
  await using webhook = await startTestWebhook({
    reply: (request) => review(request, patchOf([{ op: 'replace', path: '/spec/replicas', value: 2 }])),
  });
  const spec = {
    selector: { matchLabels: { a: 'b' } },
    template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'i' }] } },
  };
  await server.send('POST', '/apis/apps/v1/namespaces/default/deployments', { body: { metadata: { name: 'd' }, spec } });
  const rules = [{ apiGroups: ['*'], apiVersions: ['*'], operations: ['UPDATE'], resources: ['deployments/scale'] }];
  await configure(server, webhook, { name: 'm', kind: 'Mutating', webhook: { rules } });

  const { body } = await server.send('PATCH', '/apis/apps/v1/namespaces/default/deployments/d/scale', {
    headers: { 'content-type': 'application/merge-patch+json' },
    body: { spec: { replicas: 5 } },
  });

  assert.equal(body.spec.replicas, 2);
  const { request } = webhook.received[0]?.body ?? {};
  assert.deepEqual(request.kind, { group: 'autoscaling', version: 'v1', kind: 'Scale' });
  assert.deepEqual([request.subResource, request.object.kind, request.object.spec.replicas], ['scale', 'Scale', 5]);
});
