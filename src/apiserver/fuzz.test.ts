// SPDX-License-Identifier: Apache-2.0
// Random requests never bring the server down and never get a 500 of ours: whatever comes, the answer is one that upstream gives.
// In process, through the whole chain; bounded in number, so that it stays a matter of seconds.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import fc from 'fast-check';
import { RESOURCES } from '#api';
import { startTestServer, type TestServer } from './_test-server.ts';

const RUNS = 1500;
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

describe('random requests', () => {
  let api: TestServer;
  before(async () => {
    api = await startTestServer();
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
  });
  after(() => api[Symbol.asyncDispose]());

  async function check(request: { method: string; path: string; query: string; headers: object; body: unknown }): Promise<void> {
    const { method: verb, path: target, ...rest } = request;
    const answer = await api.send(verb, target, { ...rest, headers: rest.headers as Record<string, string> });

    assert.ok(answer.status >= 100 && answer.status < 600, `${verb} ${target} got status ${answer.status}`);
    assert.ok(!isOurFault(answer.body, answer.status), `${verb} ${target}?${rest.query} got ${answer.text}`);
  }

  test('of any form are answered, and none is our fault', async () => {
    await fc.assert(fc.asyncProperty(fc.record({ method, path, query, headers, body }), check), { numRuns: RUNS, seed: 7 });
  });

  test('with bodies that nearly fit are answered, and none is our fault', async () => {
    await fc.assert(fc.asyncProperty(fitting, check), { numRuns: RUNS, seed: 11 });
  });

  test('leave the server answering', async () => {
    const answer = await api.send('GET', '/api/v1/namespaces/default');

    assert.equal(answer.status, 200);
  });
});
