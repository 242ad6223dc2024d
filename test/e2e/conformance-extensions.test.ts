// SPDX-License-Identifier: Apache-2.0
// Conformance: [sig-api-machinery] behaviours of custom resources, field validation, admission policies and webhooks, by their names
// in the conformance list. Conversion, defaulting and aggregation have suites of their own beside the code.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { at, type Json, Requests } from './_conformance.ts';
import { bodyOf, sendJson, startHttpsServer, type TestHttpsServer } from './_extension/https-server.ts';
import { ControlPlane, serviceFor } from './control-plane.ts';

const CRDS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const GROUP = 'e2e.example.com';
const ROOT = `/apis/${GROUP}`;
const open = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };

function definition(plural: string, kind: string, versions: readonly object[], more: object = {}) {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${GROUP}`, labels: { e2e: 'extensions' } },
    spec: { group: GROUP, scope: 'Namespaced', names: { plural, kind, singular: kind.toLowerCase() }, versions, ...more },
  };
}
const version = (name: string, schema: object, more: object = {}) => ({
  name,
  served: true,
  storage: true,
  schema: { openAPIV3Schema: schema },
  ...more,
});
const isEstablished = (object: Json) =>
  at<Json[]>(object, 'status.conditions')?.some(({ type, status }) => type === 'Established' && status === 'True') === true;

/** `/v2` gives every custom object two parts of its `hostPort`; `/admit` refuses what is so labelled and marks the rest. */
async function serve(url: string, body: Json): Promise<object> {
  const asked = body['request'] as Json;
  if (url.startsWith('/convert')) {
    const convertedObjects = at<Json[]>(asked, 'objects')?.map((object) => {
      const { hostPort, host, port, ...rest } = object;
      if (asked['desiredAPIVersion'] === object['apiVersion']) return object;
      const parts = String(hostPort).split(':');
      const own = hostPort === undefined ? { hostPort: `${host}:${port}` } : { host: parts[0], port: parts[1] };
      return { ...rest, ...own, apiVersion: asked['desiredAPIVersion'] };
    });
    return { uid: asked['uid'], convertedObjects, result: { status: 'Success' } };
  }
  if (at(asked, 'object.metadata.labels.refused') !== undefined || at(asked, 'oldObject.metadata.labels.undeletable') !== undefined) {
    return { uid: asked['uid'], allowed: false, status: { message: 'it is refused' } };
  }
  const patch = [{ op: 'add', path: '/data/mutation-stage', value: 'yes' }];
  const mutates = url.startsWith('/mutate') && asked['operation'] === 'CREATE' && at(asked, 'object.data') !== undefined;
  return {
    uid: asked['uid'],
    allowed: true,
    ...(mutates ? { patchType: 'JSONPatch', patch: Buffer.from(JSON.stringify(patch)).toString('base64') } : {}),
  };
}

describe('conformance: extensions', { timeout: 120_000 }, () => {
  let plane: ControlPlane;
  let api: Requests;
  let hook: TestHttpsServer;
  const define = async (object: { metadata: { name: string } }) => {
    await api.post(CRDS, object);
    await api.seen(CRDS, object.metadata.name, isEstablished);
  };
  before(async () => {
    plane = await ControlPlane.start({ controllers: true });
    api = new Requests(plane);
    hook = await startHttpsServer({
      dnsNames: ['hook.default.svc'],
      handle: async (request, response) => {
        const review = JSON.parse(await bodyOf(request)) as Json;
        const { apiVersion, kind } = review;
        sendJson(response, 200, { apiVersion, kind, response: await serve(request.url ?? '', review) });
      },
    });
    await api.post('/api/v1/namespaces/default/services', serviceFor('hook', 'default'));
  });
  after(async () => {
    await hook?.[Symbol.asyncDispose]();
    await plane?.[Symbol.asyncDispose]();
  });
  const clientConfig = (path: string) => ({
    service: { name: 'hook', namespace: 'default', port: hook.port, path },
    caBundle: hook.caBundle,
  });

  test('CustomResourceDefinition resources: creating, listing, getting/updating/patching status and deleting works', async () => {
    for (const name of ['as', 'bs']) await define(definition(name, name.toUpperCase(), [version('v1', open)]));
    assert.equal(at(await api.get(`${CRDS}?labelSelector=e2e%3Dextensions`), 'items.length'), 2);
    const path = `${CRDS}/as.${GROUP}`;
    assert.equal(at(await api.get(`${path}/status`), 'kind'), 'CustomResourceDefinition');
    const updated = await api.update(
      path,
      (object) => ({
        ...object,
        status: {
          ...(object['status'] as Json),
          conditions: [...(at<Json[]>(object, 'status.conditions') ?? []), { type: 'StatusUpdate', status: 'True', reason: 'E2E' }],
        },
      }),
      '/status',
    );
    assert.ok(at<Json[]>(updated, 'status.conditions')?.some(({ type }) => type === 'StatusUpdate'));
    const conditions = [...(at<Json[]>(updated, 'status.conditions') ?? []), { type: 'StatusPatched', status: 'True', reason: 'E2E' }];
    const patched = await api.patch(`${path}/status`, 'merge', { status: { conditions } });
    assert.ok(at<Json[]>(patched, 'status.conditions')?.some(({ type }) => type === 'StatusPatched'));
    await api.delete(`${CRDS}?labelSelector=e2e%3Dextensions`);
    for (const name of ['as', 'bs']) await api.gone(CRDS, `${name}.${GROUP}`);
    assert.equal((await api.send('GET', `${ROOT}/v1/as`)).code, 404);
  });

  test('should include custom resource definition resources in discovery documents', async () => {
    const groups = at<Json[]>(await api.get('/apis'), 'groups') ?? [];
    const own = groups.find(({ name }) => name === 'apiextensions.k8s.io');
    assert.equal(at(own, 'versions.0.groupVersion'), 'apiextensions.k8s.io/v1');
    const resources = at<Json[]>(await api.get('/apis/apiextensions.k8s.io/v1'), 'resources') ?? [];
    assert.ok(resources.some(({ name }) => name === 'customresourcedefinitions'));
  });

  test('CustomResourceDefinition Watch: watch on custom resource definition objects', async () => {
    await define(definition('noxus', 'Noxu', [version('v1', open)], { scope: 'Cluster' }));
    const watched = api.watch(`${ROOT}/v1/noxus`, (events) => events.at(-1)?.type === 'DELETED');
    await api.post(`${ROOT}/v1/noxus`, { apiVersion: `${GROUP}/v1`, kind: 'Noxu', metadata: { name: 'one' }, content: { key: 'v' } });
    await api.patch(`${ROOT}/v1/noxus/one`, 'merge', { content: { key: 'w' } });
    await api.delete(`${ROOT}/v1/noxus/one`);
    assert.deepEqual(
      (await watched).map(({ type }) => type),
      ['ADDED', 'MODIFIED', 'DELETED'],
    );
  });

  test('ResourceQuota counts custom resources and refuses what is too much', async () => {
    await define(definition('gadgets', 'Gadget', [version('v1', open)]));
    const quotas = '/api/v1/namespaces/default/resourcequotas';
    const name = `count/gadgets.${GROUP}`;
    const used = (amount: string) => api.seen(quotas, 'gadgets', (object) => at<Json>(object, 'status.used')?.[name] === amount);
    await api.post(quotas, { apiVersion: 'v1', kind: 'ResourceQuota', metadata: { name: 'gadgets' }, spec: { hard: { [name]: '1' } } });
    await used('0');
    const collection = `${ROOT}/v1/namespaces/default/gadgets`;
    const gadget = (text: string) => ({ apiVersion: `${GROUP}/v1`, kind: 'Gadget', metadata: { name: text } });
    await api.post(collection, gadget('one'));
    assert.equal((await api.send('POST', collection, gadget('two'))).code, 403);
    await used('1');
    await api.delete(`${collection}/one`);
    await used('0');
  });

  test('custom resource defaulting for requests and from storage works', async () => {
    const schema = (properties: object) => ({
      type: 'object',
      properties: { a: { type: 'string', default: 'A' }, b: { type: 'string' }, ...properties },
    });
    await define(definition('defaults', 'Default', [version('v1', schema({}))]));
    const collection = `${ROOT}/v1/namespaces/default/defaults`;
    const made = await api.post(collection, { apiVersion: `${GROUP}/v1`, kind: 'Default', metadata: { name: 'one' } });
    assert.deepEqual([made['a'], made['b']], ['A', undefined]);
    const path = `${CRDS}/defaults.${GROUP}`;
    await api.patch(path, 'json', [
      { op: 'add', path: '/spec/versions/0/schema/openAPIV3Schema/properties/b/default', value: 'B' },
      { op: 'remove', path: '/spec/versions/0/schema/openAPIV3Schema/properties/a/default' },
    ]);
    const read = await api.seen(collection, 'one', (object) => object['b'] === 'B').catch(() => api.get(`${collection}/one`));
    assert.deepEqual([read['a'], read['b']], ['A', 'B']);
  });

  test('CustomResourceFieldSelectors MUST list and watch custom resources matching the field selector', async () => {
    const schema = { type: 'object', properties: { color: { type: 'string' }, quantity: { type: 'integer' } } };
    const selectableFields = [{ jsonPath: '.color' }, { jsonPath: '.quantity' }];
    await define(definition('shirts', 'Shirt', [version('v1', schema, { selectableFields })]));
    const collection = `${ROOT}/v1/namespaces/default/shirts`;
    const shirt = (name: string, color: string, quantity: number) =>
      api.post(collection, { apiVersion: `${GROUP}/v1`, kind: 'Shirt', metadata: { name }, color, quantity });
    await shirt('one', 'blue', 1);
    await shirt('two', 'blue', 2);
    const watched = api.watch(`${collection}?fieldSelector=color%3Dblue,quantity%3D2`, (events) => events.length === 3);
    await shirt('three', 'green', 2);
    assert.equal(at(await api.get(`${collection}?fieldSelector=color%3Dblue`), 'items.length'), 2);
    assert.equal(at(await api.get(`${collection}?fieldSelector=quantity%3D2`), 'items.length'), 2);
    await api.patch(`${collection}/two`, 'merge', { color: 'green' });
    await api.patch(`${collection}/three`, 'merge', { color: 'blue' });
    assert.deepEqual(
      (await watched).map(({ type, object }) => [type, at(object, 'metadata.name')]),
      [
        ['ADDED', 'two'],
        ['DELETED', 'two'],
        ['ADDED', 'three'],
      ],
    );
  });

  test('CustomResourceConversionWebhook should convert from CR v1 to CR v2, and a non homogeneous list of CRs', async () => {
    const string = { type: 'string' };
    const v1 = version('v1', { type: 'object', properties: { hostPort: string } });
    const v2 = version('v2', { type: 'object', properties: { host: string, port: string } }, { storage: false });
    const webhook = { clientConfig: clientConfig('/convert'), conversionReviewVersions: ['v1'] };
    await define(definition('hosts', 'Host', [v1, v2], { conversion: { strategy: 'Webhook', webhook } }));
    const at1 = `${ROOT}/v1/namespaces/default/hosts`;
    const at2 = `${ROOT}/v2/namespaces/default/hosts`;
    await api.post(at1, { apiVersion: `${GROUP}/v1`, kind: 'Host', metadata: { name: 'one' }, hostPort: 'localhost:8080' });
    const read = await api.get(`${at2}/one`);
    assert.deepEqual([read['host'], read['port'], read['apiVersion']], ['localhost', '8080', `${GROUP}/v2`]);
    await api.patch(`${CRDS}/hosts.${GROUP}`, 'json', [
      { op: 'replace', path: '/spec/versions/0/storage', value: false },
      { op: 'replace', path: '/spec/versions/1/storage', value: true },
    ]);
    await api.post(at2, { apiVersion: `${GROUP}/v2`, kind: 'Host', metadata: { name: 'two' }, host: 'h', port: '1' });
    const listed = (list: Json, name: string) => at<Json[]>(list, 'items')?.map((item) => item[name]);
    assert.deepEqual(listed(await api.get(at1), 'hostPort'), ['localhost:8080', 'h:1']);
    assert.deepEqual(listed(await api.get(at2), 'host'), ['localhost', 'h']);
  });

  describe('CustomResourcePublishOpenAPI', () => {
    const published = async (name: string) => at<Json>(await api.get('/openapi/v2'), 'definitions')?.[name] as Json | undefined;
    const spec = {
      type: 'object',
      description: 'Specification of Foo',
      properties: { bars: { type: 'array', items: { type: 'string' } } },
    };

    test('works for CRD with validation schema; without; preserving unknown fields at the root and in an embedded object', async () => {
      await define(definition('schemas', 'Schema', [version('v1', { type: 'object', properties: { spec } })]));
      await define(definition('roots', 'Root', [version('v1', open)]));
      await define(definition('embeds', 'Embed', [version('v1', { type: 'object', properties: { spec: open } })]));
      const kind = await published('com.example.e2e.v1.Schema');
      assert.equal(at(kind, 'properties.spec.description'), 'Specification of Foo');
      assert.deepEqual(at(kind, 'x-kubernetes-group-version-kind'), [{ group: GROUP, kind: 'Schema', version: 'v1' }]);
      // With any property named, kubectl would refuse all others.
      assert.deepEqual(Object.keys((await published('com.example.e2e.v1.Root')) ?? {}).sort(), ['type', 'x-kubernetes-group-version-kind']);
      assert.equal(at(await published('com.example.e2e.v1.Embed'), 'properties.spec.x-kubernetes-preserve-unknown-fields'), true);
    });

    test('updates the published spec when one version gets renamed; removes definition when one version gets changed to not be served', async () => {
      const schema = { type: 'object', properties: { spec } };
      await define(definition('renames', 'Rename', [version('v1', schema), version('v2', schema, { storage: false })]));
      assert.notEqual(await published('com.example.e2e.v2.Rename'), undefined);
      const path = `${CRDS}/renames.${GROUP}`;
      await api.patch(path, 'json', [{ op: 'replace', path: '/spec/versions/1/name', value: 'v4' }]);
      assert.equal(await published('com.example.e2e.v2.Rename'), undefined);
      assert.notEqual(await published('com.example.e2e.v4.Rename'), undefined);
      await api.patch(path, 'json', [{ op: 'replace', path: '/spec/versions/1/served', value: false }]);
      assert.equal(await published('com.example.e2e.v4.Rename'), undefined);
      assert.notEqual(await published('com.example.e2e.v1.Rename'), undefined);
    });

    test('AggregatedDiscovery should support aggregated discovery interface for CRDs', async () => {
      const accept = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';
      const groups = at<Json[]>(await api.get('/apis', { accept }), 'items') ?? [];
      const own = groups.find((group) => at(group, 'metadata.name') === GROUP);
      const v1 = at<Json[]>(own, 'versions')?.find((one) => one['version'] === 'v1');
      assert.ok(at<Json[]>(v1, 'resources')?.some(({ resource }) => resource === 'schemas'));
    });
  });

  describe('FieldValidation', () => {
    const strict = 'fieldValidation=Strict';
    const apply = { type: 'application/apply-patch+yaml' };

    test('should detect unknown and duplicate fields of a typed object', async () => {
      const deployment = `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"d","labels":{"app":"x"}},"spec":{"unknownField":"x",
"replicas":1,"replicas":2,"selector":{"matchLabels":{"app":"x"}},"template":{"metadata":{"labels":{"app":"x"}},"spec":{"containers":[{"name":"c","image":"i","unknownNested":"val1","imagePullPolicy":"Always","imagePullPolicy":"Never"}]}}}}`;
      const { code, body } = await api.send('POST', `/apis/apps/v1/namespaces/default/deployments?${strict}`, deployment);
      assert.equal(code, 400);
      const message = String(at(body, 'message'));
      for (const part of [
        'unknown field "spec.template.spec.containers[0].unknownNested"',
        'unknown field "spec.unknownField"',
        'duplicate field "spec.replicas"',
        'duplicate field "spec.template.spec.containers[0].imagePullPolicy"',
      ])
        assert.ok(message.includes(part), `${message}: lacks ${part}`);
    });

    test('should detect unknown metadata fields of a typed object', async () => {
      const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'm', unknownMeta: 'x' } };
      const { code, text } = await api.send('POST', `/api/v1/namespaces/default/configmaps?${strict}`, object);
      assert.equal(code, 400);
      assert.match(text, /unknown field \\"metadata.unknownMeta\\"/);
    });

    test('should create/apply a valid CR, and an invalid CR with extra properties, for CRD with validation schema', async () => {
      const ports = { type: 'array', items: { type: 'object', properties: { hostPort: { type: 'integer' } }, required: ['hostPort'] } };
      const spec = { type: 'object', properties: { cronSpec: { type: 'string' }, ports } };
      await define(definition('checks', 'Check', [version('v1', { type: 'object', properties: { spec } })]));
      const collection = `${ROOT}/v1/namespaces/default/checks`;
      const check = (name: string, more: object) => ({
        apiVersion: `${GROUP}/v1`,
        kind: 'Check',
        metadata: { name },
        spec: { cronSpec: '* *', ...more },
      });
      await api.must('PATCH', `${collection}/valid?${strict}&fieldManager=e2e`, check('valid', {}), apply);
      const bad = await api.send('PATCH', `${collection}/bad?${strict}&fieldManager=e2e`, check('bad', { foo: 'bar' }), apply);
      assert.match(bad.text, /\.spec\.foo: field not declared in schema/);
      const posted = await api.send('POST', `${collection}?${strict}`, check('posted', { foo: 'bar' }));
      assert.equal(posted.code, 400);
      assert.match(posted.text, /strict decoding error: unknown field \\"spec.foo\\"/);
    });

    test('should create/apply a CR with unknown fields for CRD with no validation schema; detect duplicates in it', async () => {
      const collection = `${ROOT}/v1/namespaces/default/roots`;
      const object = { apiVersion: `${GROUP}/v1`, kind: 'Root', metadata: { name: 'free' }, spec: { anything: { goes: 1 } } };
      assert.deepEqual((await api.must('PATCH', `${collection}/free?${strict}&fieldManager=e2e`, object, apply))['spec'], object.spec);
      const twice = JSON.stringify({ ...object, metadata: { name: 'twice' } }).replace('"spec":{', '"spec":{"a":1,"a":2,');
      const { code, text } = await api.send('POST', `${collection}?${strict}`, twice);
      assert.equal(code, 400);
      assert.match(text, /strict decoding error: duplicate field \\"spec.a\\"/);
    });

    test('should detect unknown metadata fields in both the root and embedded object of a CR', async () => {
      const template = { type: 'object', 'x-kubernetes-embedded-resource': true, 'x-kubernetes-preserve-unknown-fields': true };
      const spec = { type: 'object', properties: { template } };
      await define(definition('nests', 'Nest', [version('v1', { type: 'object', properties: { spec } })]));
      const embedded = { apiVersion: 'v1', kind: 'X', metadata: { name: 'e', unknownSubMeta: 1 } };
      const object = { apiVersion: `${GROUP}/v1`, kind: 'Nest', metadata: { name: 'n', unknownMeta: 1 }, spec: { template: embedded } };
      const { code, text } = await api.send('POST', `${ROOT}/v1/namespaces/default/nests?${strict}`, object);
      assert.equal(code, 400);
      assert.match(text, /unknown field \\"metadata.unknownMeta\\"/);
      assert.match(text, /unknown field \\"spec.template.metadata.unknownSubMeta\\"/);
    });
  });

  describe('admission policies', () => {
    const REGISTRATION = '/apis/admissionregistration.k8s.io/v1';
    const rules = [{ apiGroups: ['apps'], apiVersions: ['v1'], operations: ['CREATE', 'UPDATE'], resources: ['deployments'] }];
    const deployment = (name: string, replicas: number) => ({
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name },
      spec: {
        replicas,
        selector: { matchLabels: { a: name } },
        template: { metadata: { labels: { a: name } }, spec: { containers: [{ name: 'c', image: 'i' }] } },
      },
    });
    const bound = async (kind: string, name: string, spec: object, binding: object = {}) => {
      const [policies, bindings] =
        kind === 'Validating'
          ? ['validatingadmissionpolicies', 'validatingadmissionpolicybindings']
          : ['mutatingadmissionpolicies', 'mutatingadmissionpolicybindings'];
      const path = `/api/v1/namespaces/${name}`;
      await api.post('/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels: { policed: name } } });
      const matchConstraints = { namespaceSelector: { matchLabels: { policed: name } }, resourceRules: rules };
      const meta = { apiVersion: 'admissionregistration.k8s.io/v1', metadata: { name: `${name}.e2e.example.com` } };
      await api.post(`${REGISTRATION}/${policies}`, { ...meta, kind: `${kind}AdmissionPolicy`, spec: { matchConstraints, ...spec } });
      const policyName = meta.metadata.name;
      await api.post(`${REGISTRATION}/${bindings}`, { ...meta, kind: `${kind}AdmissionPolicyBinding`, spec: { policyName, ...binding } });
      return path.replace('/api/v1', '/apis/apps/v1');
    };

    test('ValidatingAdmissionPolicy should validate against a Deployment; should allow expressions to refer variables', async () => {
      const variables = [
        { name: 'replicas', expression: 'object.spec.replicas' },
        { name: 'oddReplicas', expression: 'variables.replicas % 2 == 1' },
      ];
      const validations = [
        { expression: 'variables.replicas > 1' },
        { expression: 'variables.oddReplicas', messageExpression: "'replicas is ' + string(variables.replicas)" },
      ];
      const path = await bound('Validating', 'validated', { variables, validations }, { validationActions: ['Deny'] });
      const refused = await api.send('POST', `${path}/deployments`, deployment('one', 1));
      assert.equal(refused.code, 422);
      assert.match(refused.text, /failed expression: variables.replicas > 1/);
      assert.match((await api.send('POST', `${path}/deployments`, deployment('two', 2))).text, /replicas is 2/);
      await api.post(`${path}/deployments`, deployment('three', 3));
    });

    test('MutatingAdmissionPolicy should mutate a Deployment; with annotations', async () => {
      const expression = 'Object{metadata: Object.metadata{annotations: {"mutated": "true"}}, spec: Object.spec{replicas: 3}}';
      const mutations = [{ patchType: 'ApplyConfiguration', applyConfiguration: { expression } }];
      const path = await bound('Mutating', 'mutated', { mutations, reinvocationPolicy: 'Never', failurePolicy: 'Fail' });
      const made = await api.post(`${path}/deployments`, deployment('one', 1));
      assert.equal(at(made, 'spec.replicas'), 3);
      assert.equal(at(made, 'metadata.annotations.mutated'), 'true');
    });
  });

  describe('AdmissionWebhook', () => {
    const REGISTRATION = '/apis/admissionregistration.k8s.io/v1';
    const configuration = (kind: 'Mutating' | 'Validating', name: string, path: string, rule: object, more: object = {}) => ({
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: `${kind}WebhookConfiguration`,
      metadata: { name, labels: { set: name } },
      webhooks: [
        {
          name: `${name}.k8s.io`,
          clientConfig: clientConfig(path),
          rules: [{ apiGroups: ['*'], apiVersions: ['*'], ...rule }],
          namespaceSelector: { matchLabels: { hooked: 'yes' } },
          sideEffects: 'None',
          admissionReviewVersions: ['v1'],
          ...more,
        },
      ],
    });
    const path = '/api/v1/namespaces/hooked';
    const configMap = (name: string, labels: object = {}) => ({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name, labels },
      data: { a: 'b' },
    });
    before(async () => {
      await api.post('/api/v1/namespaces', {
        apiVersion: 'v1',
        kind: 'Namespace',
        metadata: { name: 'hooked', labels: { hooked: 'yes' } },
      });
    });

    test('should mutate configmap; patching/updating a mutating webhook should work; listing and deleting a collection', async () => {
      const collection = `${REGISTRATION}/mutatingwebhookconfigurations`;
      const rule = { operations: ['CREATE'], resources: ['configmaps'] };
      await api.post(collection, configuration('Mutating', 'mutates', '/mutate', rule));
      assert.equal(at(await api.post(`${path}/configmaps`, configMap('one')), 'data.mutation-stage'), 'yes');
      await api.patch(`${collection}/mutates`, 'json', [{ op: 'replace', path: '/webhooks/0/rules/0/operations', value: ['UPDATE'] }]);
      assert.equal(at(await api.post(`${path}/configmaps`, configMap('two')), 'data.mutation-stage'), undefined);
      await api.update(`${collection}/mutates`, (object) => ({
        ...object,
        webhooks: configuration('Mutating', 'mutates', '/mutate', rule).webhooks,
      }));
      assert.equal(at(await api.post(`${path}/configmaps`, configMap('three')), 'data.mutation-stage'), 'yes');
      await api.delete(`${collection}?labelSelector=set%3Dmutates`);
      assert.equal(at(await api.post(`${path}/configmaps`, configMap('four')), 'data.mutation-stage'), undefined);
    });

    test('should be able to deny pod and configmap creation; custom resource creation, update and deletion; crd creation', async () => {
      const collection = `${REGISTRATION}/validatingwebhookconfigurations`;
      const rule = { operations: ['CREATE', 'UPDATE', 'DELETE'], resources: ['pods', 'configmaps', 'roots'] };
      await api.post(collection, configuration('Validating', 'denies', '/admit', rule));
      const refused = await api.send('POST', `${path}/configmaps`, configMap('refused', { refused: 'yes' }));
      assert.equal(refused.code, 400);
      assert.match(refused.text, /admission webhook \\"denies.k8s.io\\" denied the request: it is refused/);
      const roots = `${ROOT}/v1/namespaces/hooked/roots`;
      const root = (name: string, labels: object) => ({ apiVersion: `${GROUP}/v1`, kind: 'Root', metadata: { name, labels } });
      assert.equal((await api.send('POST', roots, root('no', { refused: 'yes' }))).code, 400);
      await api.post(roots, root('kept', { undeletable: 'yes' }));
      assert.equal((await api.send('DELETE', `${roots}/kept`)).code, 400);
      await api.delete(`${collection}/denies`);
      const rules = { operations: ['CREATE'], resources: ['customresourcedefinitions'] };
      await api.post(
        collection,
        configuration('Validating', 'no-crds', '/admit', rules, {
          namespaceSelector: {},
          objectSelector: { matchLabels: { refused: 'yes' } },
        }),
      );
      const crd = definition('nopes', 'Nope', [version('v1', open)]);
      const denied = await api.send('POST', CRDS, { ...crd, metadata: { ...crd.metadata, labels: { refused: 'yes' } } });
      assert.equal(denied.code, 400);
      await api.delete(`${collection}/no-crds`);
    });

    test('should not be able to mutate or prevent deletion of webhook configuration objects', async () => {
      const resources = ['validatingwebhookconfigurations', 'mutatingwebhookconfigurations'];
      const fails = { namespaceSelector: {}, failurePolicy: 'Fail', clientConfig: { url: 'https://127.0.0.1:1/' } };
      const guard = configuration('Validating', 'guards', '/admit', { operations: ['*'], resources }, fails);
      await api.post(`${REGISTRATION}/validatingwebhookconfigurations`, guard);
      const idle = configuration('Mutating', 'idle', '/mutate', { operations: ['CREATE'], resources: ['nothings'] });
      await api.post(`${REGISTRATION}/mutatingwebhookconfigurations`, idle);
      await api.delete(`${REGISTRATION}/mutatingwebhookconfigurations/idle`);
      await api.delete(`${REGISTRATION}/validatingwebhookconfigurations/guards`);
    });

    test('should unconditionally reject operations on fail closed webhook', async () => {
      const rule = { operations: ['CREATE'], resources: ['configmaps'] };
      const closed = { failurePolicy: 'Fail', clientConfig: { url: 'https://127.0.0.1:1/' } };
      await api.post(`${REGISTRATION}/validatingwebhookconfigurations`, configuration('Validating', 'closed', '/admit', rule, closed));
      const refused = await api.send('POST', `${path}/configmaps`, configMap('closed'));
      assert.equal(refused.code, 500);
      assert.match(refused.text, /failed calling webhook \\"closed.k8s.io\\"/);
      await api.delete(`${REGISTRATION}/validatingwebhookconfigurations/closed`);
    });

    test('should reject validating and mutating webhook configurations with invalid match conditions', async () => {
      const matchConditions = [{ name: 'invalid-expression-1', expression: '... [] bad expression' }];
      const rule = { operations: ['CREATE'], resources: ['configmaps'] };
      for (const kind of ['Validating', 'Mutating'] as const) {
        const { code, text } = await api.send(
          'POST',
          `${REGISTRATION}/${kind.toLowerCase()}webhookconfigurations`,
          configuration(kind, 'invalid', '/admit', rule, { matchConditions }),
        );
        assert.equal(code, 422);
        assert.match(text, /compilation failed/);
      }
    });
  });
});
