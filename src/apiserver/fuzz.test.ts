// SPDX-License-Identifier: Apache-2.0
// Random requests never bring the server down and never get a 500 of ours: whatever comes, the answer is one that upstream gives.
// In process, through the whole chain, audited. `SAGONG_FUZZ_RUNS` sets how many; from 100,000 on the heap is looked at, too.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { RESOURCES } from '#api';
import { fuzzRuns } from '#machinery/_fuzzing';
import { MemoryStore } from '#store';
import { nearlyRight, recordedRequests } from './_fuzz-requests.ts';
import { startTestServer, type TestServer } from './_test-server.ts';
import { conditionIn, settled } from './crd/_kites.ts';
import { DEFAULT_OPERATIONS } from './operations.ts';

const RUNS = fuzzRuns(3_000);
/** Upstream's own 500s: they have no reason, ours have `InternalError`. */
const isOurFault = (body: { reason?: string } | undefined, status: number) => status >= 500 && body?.reason === 'InternalError';

const word = fc.constantFrom('default', 'a', '', 'x-y', '..', '%2e%2e', '%', 'ä', 'kube-system', '0', 'A_b', 'a'.repeat(300));
const resourcePath = fc.constantFrom(...RESOURCES).map(({ group, version, resource, namespaced }) => {
  const root = group === '' ? `/api/${version}` : `/apis/${group}/${version}`;
  return namespaced ? `${root}/namespaces/default/${resource}` : `${root}/${resource}`;
});
const subresource = fc.constantFrom(
  '',
  '/status',
  '/scale',
  '/log',
  '/exec',
  '/eviction',
  '/binding',
  '/token',
  '/approval',
  '/finalize',
  '/proxy',
  '/nope',
  '/resize',
  '/ephemeralcontainers',
);
const path = fc.oneof(
  {
    weight: 8,
    arbitrary: fc
      .tuple(resourcePath, fc.option(word, { nil: undefined }), subresource)
      .map(([root, name, sub]) => (name === undefined ? root : `${root}/${name}${sub}`)),
  },
  { weight: 2, arbitrary: fc.array(word, { maxLength: 6 }).map((parts) => `/${parts.join('/')}`) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      '/',
      '/api',
      '/apis',
      '/version',
      '/healthz/x',
      '/metrics',
      '/openapi/v2',
      '/openapi/v3/api/v1',
      '/openid/v1/jwks',
    ),
  },
);
const queryValue = fc.oneof(
  fc.constantFrom(
    '',
    'true',
    'false',
    '0',
    '1',
    '-1',
    '99999999999999999999',
    'All',
    'Strict',
    'Exact',
    'NotOlderThan',
    'a=b',
    'a in (b',
    '!',
    'metadata.name=a',
    '\u0000',
    'eyJ2IjoibWV0YS5rOHMuaW8vdjEifQ',
  ),
  fc.string({ maxLength: 12 }),
);
const queryName = fc.constantFrom(
  'limit',
  'continue',
  'resourceVersion',
  'resourceVersionMatch',
  'labelSelector',
  'fieldSelector',
  'dryRun',
  'fieldManager',
  'fieldValidation',
  'force',
  'gracePeriodSeconds',
  'propagationPolicy',
  'orphanDependents',
  'pretty',
  'timeoutSeconds',
  'sendInitialEvents',
  'includeObject',
  'container',
  'command',
  'x',
);
const query = fc
  .dictionary(queryName, queryValue, { maxKeys: 3 })
  .map((entries) => new URLSearchParams({ ...entries, timeoutSeconds: entries['timeoutSeconds'] || '1' }).toString());
const plainHeaders = fc.record(
  {
    accept: fc.constantFrom(
      '*/*',
      'application/json',
      'application/yaml',
      'application/vnd.kubernetes.protobuf',
      'application/json;as=Table;v=v1;g=meta.k8s.io',
      'application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io',
      ';;;',
      'text/html',
    ),
    'content-type': fc.constantFrom(
      'application/json',
      'application/yaml',
      'application/vnd.kubernetes.protobuf',
      'application/json-patch+json',
      'application/merge-patch+json',
      'application/strategic-merge-patch+json',
      'application/apply-patch+yaml',
      'text/plain',
      '; charset',
    ),
    'user-agent': fc.constantFrom('', 'kubectl/1', '\u0001'),
  },
  { requiredKeys: [] },
);
const impersonated = fc.constantFrom('', 'ann', 'system:serviceaccount:a', 'system:node:n').map((name) => ({ 'impersonate-user': name }));
const headers = fc.oneof({ weight: 9, arbitrary: plainHeaders }, { weight: 1, arbitrary: impersonated });
const meta = fc.record(
  {
    name: fc.oneof(word, fc.integer()),
    namespace: word,
    labels: fc.oneof(fc.dictionary(word, word), fc.constant([])),
    finalizers: fc.oneof(fc.array(word, { maxLength: 2 }), fc.constant('x')),
    resourceVersion: queryValue,
    uid: word,
    generateName: word,
    managedFields: fc.constantFrom([], [{}], 5),
    ownerReferences: fc.constantFrom([{}], null),
    deletionTimestamp: fc.constantFrom('x', '2020-01-01T00:00:00Z', null),
  },
  { requiredKeys: [] },
);
const object = fc
  .tuple(
    fc.constantFrom(...RESOURCES),
    meta,
    fc.object({ maxDepth: 3 }),
    fc.constantFrom('spec', 'data', 'status', 'rules', 'subjects', 'template', 'webhooks', 'metadata'),
  )
  .map(([{ group, version, kind }, metadata, value, field]) => ({
    apiVersion: group === '' ? version : `${group}/${version}`,
    kind,
    metadata,
    [field]: value,
  }));
const patch = fc.array(
  fc.record(
    {
      op: fc.constantFrom('add', 'remove', 'replace', 'test', 'move', 'copy', 'x'),
      path: fc.constantFrom('/metadata/labels/a', '/spec', '/-', '', '/metadata', '/kind', 'x'),
      value: fc.jsonValue({ maxDepth: 2 }),
      from: fc.constantFrom('/spec', '/metadata/name'),
    },
    { requiredKeys: ['op'] },
  ),
  { maxLength: 3 },
);
const body = fc.oneof(
  object,
  patch,
  fc.jsonValue({ maxDepth: 4 }),
  fc.string({ maxLength: 40 }),
  fc.constantFrom(
    '',
    '{',
    '[',
    '"',
    'k8s\u0000',
    'a: *b',
    '{"$patch":"x"}',
    '{"spec":{"$patch":"delete","$retainKeys":5}}',
    '{"__proto__":{"x":1}}',
  ),
);
const method = fc.constantFrom('GET', 'GET', 'POST', 'POST', 'PUT', 'PATCH', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS', 'TRACE');

/** A request for this resource with a body that fits it at first sight. */
const fitting = fc
  .tuple(
    fc.constantFrom(...RESOURCES),
    meta,
    fc.object({
      maxDepth: 4,
      key: fc.constantFrom(
        'spec',
        'replicas',
        'selector',
        'template',
        'metadata',
        'containers',
        'name',
        'ports',
        'matchLabels',
        'limits',
        'hard',
        'type',
      ),
    }),
    fc.constantFrom('POST', 'PUT', 'PATCH'),
  )
  .map(([resource, metadata, value, verb]) => {
    const { group, version, kind, namespaced } = resource;
    const root = group === '' ? `/api/${version}` : `/apis/${group}/${version}`;
    const collection = namespaced ? `${root}/namespaces/default/${resource.resource}` : `${root}/${resource.resource}`;
    const target = verb === 'POST' ? collection : `${collection}/a`;
    const sent = { apiVersion: group === '' ? version : `${group}/${version}`, kind, metadata: { name: 'a', ...metadata }, ...value };
    return {
      method: verb,
      path: target,
      query: '',
      headers: verb === 'PATCH' ? { 'content-type': 'application/merge-patch+json' } : {},
      body: sent as unknown,
    };
  });

const GROUP = 'toys.example.com';
const kites = `/apis/${GROUP}`;
const kiteSchema = {
  openAPIV3Schema: {
    type: 'object',
    properties: {
      spec: {
        type: 'object',
        properties: {
          n: { type: 'integer', minimum: 0, maximum: 1000, default: 3 },
          names: { type: 'array', maxItems: 5, 'x-kubernetes-list-type': 'set', items: { type: 'string', maxLength: 20 } },
          parts: {
            type: 'array',
            maxItems: 5,
            'x-kubernetes-list-type': 'map',
            'x-kubernetes-list-map-keys': ['name'],
            items: {
              type: 'object',
              required: ['name'],
              properties: { name: { type: 'string', maxLength: 9 }, at: { type: 'string', format: 'date-time' } },
            },
          },
          any: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
          size: { 'x-kubernetes-int-or-string': true },
        },
        'x-kubernetes-validations': [
          { rule: 'self.n < 500 || size(self.names) > 0', message: 'too large' },
          { rule: '!has(oldSelf.n) || self.n >= oldSelf.n - 10', reason: 'FieldValueForbidden' },
          { rule: '!has(self.parts) || self.parts.all(p, p.name != "bad")', messageExpression: '"part is " + self.parts[0].name' },
        ],
      },
      status: { type: 'object', properties: { replicas: { type: 'integer' } } },
    },
  },
};
const definition = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: `kites.${GROUP}` },
  spec: {
    group: GROUP,
    scope: 'Namespaced',
    names: { plural: 'kites', kind: 'Kite', listKind: 'KiteList', shortNames: ['ki'] },
    versions: ['v1', 'v2'].map((name) => ({
      name,
      served: true,
      storage: name === 'v1',
      schema: kiteSchema,
      subresources: { status: {}, scale: { specReplicasPath: '.spec.n', statusReplicasPath: '.status.replicas' } },
      additionalPrinterColumns: [{ name: 'N', type: 'integer', jsonPath: '.spec.n' }],
    })),
  },
};
const kite = (version: string) => ({
  apiVersion: `${GROUP}/${version}`,
  kind: 'Kite',
  metadata: { name: 'a', labels: { a: 'b' } },
  spec: { n: 5, names: ['x', 'y'], parts: [{ name: 'p', at: '2026-01-01T00:00:00Z' }], any: { deep: [1, { x: null }] }, size: '10%' },
});
const ADMISSION = '/apis/admissionregistration.k8s.io/v1';
const policy = (kind: 'ValidatingAdmissionPolicy' | 'MutatingAdmissionPolicy', more: object) => ({
  apiVersion: 'admissionregistration.k8s.io/v1',
  kind,
  metadata: { name: 'a' },
  spec: {
    failurePolicy: 'Ignore',
    matchConstraints: {
      resourceRules: [{ apiGroups: ['', GROUP], apiVersions: ['*'], operations: ['CREATE', 'UPDATE'], resources: ['configmaps', 'kites'] }],
    },
    matchConditions: [{ name: 'c', expression: 'request.name != "never"' }],
    variables: [{ name: 'v', expression: 'has(object.metadata.labels) ? object.metadata.labels : {}' }],
    ...more,
  },
});
const validating = policy('ValidatingAdmissionPolicy', {
  validations: [{ expression: 'variables.v.all(k, k != "forbidden")', messageExpression: '"no " + object.metadata.name' }],
  auditAnnotations: [{ key: 'k', valueExpression: 'string(size(variables.v))' }],
});
const mutating = policy('MutatingAdmissionPolicy', {
  reinvocationPolicy: 'IfNeeded',
  mutations: [
    { patchType: 'ApplyConfiguration', applyConfiguration: { expression: 'Object{metadata: Object.metadata{labels: {"m": "1"}}}' } },
    { patchType: 'JSONPatch', jsonPatch: { expression: '[JSONPatch{op: "test", path: "/metadata/name", value: object.metadata.name}]' } },
  ],
});
const binding = {
  apiVersion: 'admissionregistration.k8s.io/v1',
  kind: 'ValidatingAdmissionPolicyBinding',
  metadata: { name: 'a' },
  spec: { policyName: 'a', validationActions: ['Deny', 'Audit'] },
};
const hooks = {
  apiVersion: 'admissionregistration.k8s.io/v1',
  kind: 'ValidatingWebhookConfiguration',
  metadata: { name: 'a' },
  webhooks: [
    {
      name: 'a.example.com',
      sideEffects: 'None',
      timeoutSeconds: 1,
      failurePolicy: 'Ignore',
      admissionReviewVersions: ['v1'],
      clientConfig: { url: 'https://127.0.0.1:1/' },
      rules: [{ apiGroups: ['nobody.example.com'], apiVersions: ['v1'], operations: ['CREATE'], resources: ['none'] }],
      matchConditions: [{ name: 'c', expression: 'object.metadata.name == "a"' }],
    },
  ],
};

/** Kinds whose words are a small language, tried more often than the recordings would. */
const EXTRA = [
  ...['v1', 'v2'].flatMap((version) => {
    const collection = `${kites}/${version}/namespaces/default/kites`;
    const apply = { headers: { 'content-type': 'application/apply-patch+yaml' }, query: { fieldManager: 'm' } };
    return [
      { method: 'POST', path: collection, body: kite(version) },
      { method: 'PUT', path: `${collection}/a`, body: kite(version) },
      { method: 'PUT', path: `${collection}/a/status`, body: kite(version) },
      { method: 'PATCH', path: `${collection}/a`, body: kite(version), headers: { 'content-type': 'application/merge-patch+json' } },
      { method: 'PATCH', path: `${collection}/a`, body: kite(version), ...apply },
      {
        method: 'PATCH',
        path: `${collection}/a/scale`,
        body: { spec: { replicas: 3 } },
        headers: { 'content-type': 'application/merge-patch+json' },
      },
      { method: 'GET', path: collection },
    ];
  }),
  {
    method: 'PUT',
    path: `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${definition.metadata.name}`,
    body: definition,
    query: { dryRun: 'All' },
  },
  { method: 'POST', path: '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', body: definition, query: { dryRun: 'All' } },
  ...[
    ['validatingadmissionpolicies', validating],
    ['mutatingadmissionpolicies', mutating],
    ['validatingadmissionpolicybindings', binding],
    ['validatingwebhookconfigurations', hooks],
    ['mutatingwebhookconfigurations', { ...hooks, kind: 'MutatingWebhookConfiguration' }],
  ].flatMap(([name, body]) => [
    { method: 'POST', path: `${ADMISSION}/${name as string}`, body },
    { method: 'PUT', path: `${ADMISSION}/${name as string}/a`, body },
    { method: 'DELETE', path: `${ADMISSION}/${name as string}/a` },
  ]),
  {
    method: 'POST',
    path: '/api/v1/namespaces/default/configmaps',
    body: { metadata: { name: 'b', labels: { a: 'b' } }, data: { k: 'v' } },
  },
];

/**
 * As upstream: a webhook that cannot be called fails the request, an object without replicas has no scale, and what a mutating
 * policy makes has to fit its type.
 */
const NOT_OURS =
  /failed calling webhook|failed to call webhook|conversion webhook|spec replicas field .* does not exist|"Internal error occurred: (strict decoding error|json: cannot unmarshal)/;
/** A request of the harness is given up after 20 s. */
const LIMIT_MS = 30_000;
/** What is sampled between, where there are that many. */
const SAMPLE = 100_000;
const MEGABYTE = 1024 * 1024;
/** More than the state that may be left: names are few, and history is compacted before a sample. */
const GROWTH_BYTES = 200 * MEGABYTE;

describe('random requests', () => {
  let api: TestServer;
  let folder: string;
  const store = new MemoryStore();
  const recorded = [...recordedRequests(), ...Array.from({ length: 12 }, () => EXTRA).flat()];
  const values = recorded.flatMap((request) => ('body' in request && request.body !== undefined ? [request.body] : []));
  const heap: number[] = [];
  let sent = 0;

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sagong-fuzz-'));
    const policyFile = join(folder, 'policy.yaml');
    writeFileSync(policyFile, 'apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: RequestResponse\n');
    const file = {
      path: join(folder, 'audit.log'),
      format: 'json',
      maxAgeDays: 0,
      maxBackups: 1,
      maxSizeMegabytes: 10,
      compress: false,
    } as const;
    const batch = { bufferSize: 10_000, maxBatchSize: 1, maxWaitMs: 0, throttle: undefined };
    const audit = { policyFile, log: { ...file, mode: 'blocking', batch } as const, webhook: undefined };
    api = await startTestServer({ store, operations: { ...DEFAULT_OPERATIONS, audit } });
    await api.send('POST', '/api/v1/namespaces/default/configmaps', { body: { metadata: { name: 'a' }, data: { k: 'v' } } });
    await api.send('POST', '/apis/apps/v1/namespaces/default/deployments', {
      body: {
        metadata: { name: 'a' },
        spec: {
          selector: { matchLabels: { a: 'b' } },
          template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'i' }] } },
        },
      },
    });
    const defined = await api.send('POST', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', { body: definition });
    assert.equal(defined.status, 201, defined.text);
    await settled(api, definition.metadata.name, (status) => conditionIn(status, 'Established') === 'True');
  });
  after(async () => {
    await api[Symbol.asyncDispose]();
    await store[Symbol.asyncDispose](); // Events have timers.
    rmSync(folder, { recursive: true, force: true });
  });

  async function check(request: { method: string; path: string; query: string; headers: object; body: unknown }): Promise<void> {
    const { method: verb, path: target, ...rest } = request;
    const text = () => `${verb} ${target}?${rest.query} ${JSON.stringify(rest.headers)} ${shown(rest.body)}`;
    const answer = await inTime(api.send(verb, target, { ...rest, headers: rest.headers as Record<string, string> }), text);

    sent += 1;
    if (sent % SAMPLE === 0) await sample();
    assert.ok(answer.status >= 100 && answer.status < 600, `${verb} ${target} got status ${answer.status}`);
    const isOurs = isOurFault(answer.body, answer.status) && !NOT_OURS.test(answer.text);
    if (isOurs) assert.fail(`${text()} got ${answer.text}`);
    if (answer.status === 201 && answer.body?.metadata?.generateName !== undefined) await forget(target, answer.body.metadata.name);
  }

  /** Names that the server made up would fill the store. */
  async function forget(collection: string, name: string): Promise<void> {
    const headers = { 'content-type': 'application/merge-patch+json' };
    await api.send('PATCH', `${collection}/${name}`, { headers, body: { metadata: { finalizers: null } } });
    await api.send('DELETE', `${collection}/${name}`, { query: 'gracePeriodSeconds=0' });
  }

  async function sample(): Promise<void> {
    await store.compact(store.revision);
    setFlagsFromString('--expose-gc');
    (runInNewContext('gc') as () => void)();
    heap.push(process.memoryUsage().heapUsed);
    const { count } = await store.range('/registry/', { limit: 1 });
    process.stdout.write(`${sent} requests: heap ${((heap.at(-1) ?? 0) / MEGABYTE).toFixed(0)} MB, ${count} objects\n`);
  }

  test('near to recorded ones of every kind are answered, and none is our fault', async () => {
    const seeds = fc.noShrink(fc.integer());
    await fc.assert(
      fc.asyncProperty(seeds, (seed) => check(nearlyRight(seed, recorded, values))),
      { numRuns: RUNS, includeErrorInReport: true },
    );
  });

  test('of any form are answered, and none is our fault', async () => {
    await fc.assert(fc.asyncProperty(fc.record({ method, path, query, headers, body }), check), {
      numRuns: Math.ceil(RUNS / 4),
      includeErrorInReport: true,
    });
  });

  test('with bodies that nearly fit are answered, and none is our fault', async () => {
    await fc.assert(fc.asyncProperty(fitting, check), { numRuns: Math.ceil(RUNS / 4), includeErrorInReport: true });
  });

  test('leave the server answering, and its heap as it was', async () => {
    const answer = await api.send('GET', '/api/v1/namespaces/default');

    assert.equal(answer.status, 200);
    const [first = 0] = heap;
    assert.ok((heap.at(-1) ?? 0) - first < GROWTH_BYTES, heap.map((bytes) => Math.round(bytes / MEGABYTE)).join(' '));
  });
});

/** Fails with the request where it is not answered. */
async function inTime<T>(answer: Promise<T>, request: () => string): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const limit = setTimeout(() => reject(new Error(`${request()} is not answered`)), LIMIT_MS);
  try {
    return await Promise.race([answer, promise]);
  } finally {
    clearTimeout(limit);
  }
}

function shown(body: unknown): string {
  const text = body instanceof Uint8Array ? Buffer.from(body).toString('base64') : typeof body === 'string' ? body : JSON.stringify(body);
  return (text ?? '').slice(0, 2_000);
}
