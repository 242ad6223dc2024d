// SPDX-License-Identifier: Apache-2.0
// Custom resources through the whole server: served, defaulted, validated, converted, removed.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { startTestServer } from '../_test-server.ts';
import { conditionIn, DEFINITIONS, define, definitionOf, GROUP, KITES, kite, settled } from './_kites.ts';
import type { SchemaProps } from './schema-props.ts';

const MERGE = { 'content-type': 'application/merge-patch+json' };
const APPLY = { 'content-type': 'application/apply-patch+yaml' };

test('a definition is served once it is Established, in discovery and OpenAPI too', async () => {
  await using server = await startTestServer();

  await define(server);

  const created = await server.send('POST', KITES, { body: kite('a', { n: 1 }) });
  const group = await server.send('GET', `/apis/${GROUP}`);
  const aggregated = await server.send('GET', '/apis', {
    headers: { accept: 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList' },
  });
  const schema = await server.send('GET', `/openapi/v3/apis/${GROUP}/v1`);
  const second = await server.send('GET', '/openapi/v2');
  assert.equal(created.status, 201);
  assert.equal(created.body.metadata.generation, 1);
  assert.equal(group.body.preferredVersion.version, 'v1');
  assert.equal(aggregated.body.items.at(-1).metadata.name, GROUP);
  assert.deepEqual(schema.body.components.schemas['com.example.toys.v1.Kite'].properties.spec.properties.n, { type: 'integer' });
  assert.ok(second.body.definitions['com.example.toys.v1.KiteList']);
});

test('a resource without a definition is an unknown page, one of a group of ours an unknown resource', async () => {
  await using server = await startTestServer();

  const foreign = await server.send('GET', KITES);
  const ours = await server.send('GET', '/apis/apps/v1/namespaces/default/kites');

  assert.equal(foreign.text, '404 page not found\n');
  assert.equal(ours.body.message, 'the server could not find the requested resource');
});

test('deleting a definition deletes its objects, ends their watches and waits for their finalizers', async () => {
  await using server = await startTestServer();
  await define(server);
  await server.send('POST', KITES, { body: kite('plain') });
  await server.send('POST', KITES, { body: { ...kite('held'), metadata: { name: 'held', finalizers: ['example.com/hold'] } } });
  const watch = server.send('GET', KITES, { query: 'watch=true&resourceVersion=0' });

  const deleted = await server.send('DELETE', `${DEFINITIONS}/kites.${GROUP}`);
  await settled(server, `kites.${GROUP}`, (status) =>
    (status as { conditions: { reason: string }[] }).conditions.some(({ reason }) => reason === 'InstanceDeletionInProgress'),
  );
  const refused = await server.send('POST', KITES, { body: kite('late') });
  const applied = await server.send('PATCH', `${KITES}/late`, { headers: APPLY, query: 'fieldManager=m', body: kite('late') });
  const changed = await server.send('PATCH', `${KITES}/held`, { headers: APPLY, query: 'fieldManager=m', body: kite('held', { n: 2 }) });
  const missing = await server.send('PATCH', `${KITES}/late`, { headers: MERGE, body: {} });
  const left = await server.send('GET', KITES);
  await server.send('PATCH', `${KITES}/held`, { headers: MERGE, body: { metadata: { finalizers: null } } });
  const frames = await watch;

  assert.deepEqual(deleted.body.metadata.finalizers, ['customresourcecleanup.apiextensions.k8s.io']);
  const why = `kites.${GROUP} "late" is forbidden: create not allowed while custom resource definition is terminating`;
  assert.deepEqual(
    [refused, applied].map(({ status, body }) => [status, body.reason, body.message]),
    [
      [403, 'Forbidden', why],
      [403, 'Forbidden', why],
    ],
  );
  assert.deepEqual([changed.status, missing.status], [200, 404]);
  assert.deepEqual(
    left.body.items.map((item: { metadata: { name: string } }) => item.metadata.name),
    ['held'],
  );
  const types = frames.text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line).type);
  assert.deepEqual(types.slice(0, 2), ['ADDED', 'ADDED']);
  assert.equal(types.filter((type) => type === 'DELETED').length, 2);
  assert.equal((await server.send('GET', KITES)).status, 404);
});

test('two definitions cannot have one kind; the second is served when it has another', async () => {
  await using server = await startTestServer();
  await define(server);

  await server.send('POST', DEFINITIONS, { body: definitionOf({ plural: 'others' }) });
  await settled(server, `others.${GROUP}`, (status) => conditionIn(status, 'NamesAccepted') === 'False');
  const before = await server.send('GET', `/apis/${GROUP}/v1/others`);
  await server.send('PATCH', `${DEFINITIONS}/others.${GROUP}`, {
    headers: MERGE,
    body: { spec: { names: { kind: 'Other', listKind: 'OtherList', singular: 'other' } } },
  });
  await settled(server, `others.${GROUP}`, (status) => conditionIn(status, 'Established') === 'True');
  const after = await server.send('GET', `/apis/${GROUP}/v1/others`);

  assert.equal(before.status, 404);
  assert.equal(after.body.kind, 'OtherList');
});

test('a schema that changes is seen on the next read: fields go, defaults come', async () => {
  await using server = await startTestServer();
  await define(server, { spec: { type: 'object', properties: { old: { type: 'string' } } } });
  await server.send('POST', KITES, { body: kite('a', { old: 'x' }) });

  const schema = {
    openAPIV3Schema: {
      type: 'object',
      properties: { spec: { type: 'object', properties: { fresh: { type: 'string', default: 'new' } } } },
    },
  };
  const current = await server.send('GET', `${DEFINITIONS}/kites.${GROUP}`);
  current.body.spec.versions[0].schema = schema;
  await server.send('PUT', `${DEFINITIONS}/kites.${GROUP}`, { body: current.body });
  const read = await server.send('GET', `${KITES}/a`);

  assert.deepEqual(read.body.spec, { fresh: 'new' });
});

test('versions of conversion None share their objects, and each shows its own fields', async () => {
  await using server = await startTestServer();
  const version = (name: string, storage: boolean, fields: readonly string[]) => ({
    name,
    served: true,
    storage,
    schema: {
      openAPIV3Schema: {
        type: 'object',
        properties: { spec: { type: 'object', properties: Object.fromEntries(fields.map((field) => [field, { type: 'string' }])) } },
      },
    },
  });
  await define(server, { versions: [version('v1', true, ['a', 'b']), version('v2', false, ['a'])] });

  await server.send('POST', KITES, { body: kite('k', { a: '1', b: '2' }) });
  const other = await server.send('GET', KITES.replace('/v1/', '/v2/'));
  const patched = await server.send('PATCH', `${KITES.replace('/v1/', '/v2/')}/k`, { headers: MERGE, body: { spec: { a: '3' } } });

  assert.equal(other.body.items[0].apiVersion, `${GROUP}/v2`);
  assert.deepEqual(other.body.items[0].spec, { a: '1' });
  assert.equal(patched.body.metadata.generation, 2);
});

test('rules refuse what they say, and compare with the state before', async () => {
  await using server = await startTestServer();
  const spec = {
    type: 'object',
    properties: { n: { type: 'integer' }, fixed: { type: 'string', 'x-kubernetes-validations': [{ rule: 'self == oldSelf' }] } },
    'x-kubernetes-validations': [{ rule: 'self.n < 10', message: 'too many', fieldPath: '.n', reason: 'FieldValueForbidden' }],
  };
  await define(server, { spec });

  const many = await server.send('POST', KITES, { body: kite('many', { n: 10 }) });
  const fine = await server.send('POST', KITES, { body: kite('fine', { n: 9, fixed: 'a' }) });
  const changed = await server.send('PATCH', `${KITES}/fine`, { headers: MERGE, body: { spec: { fixed: 'b' } } });

  assert.match(many.body.message, /spec\.n: Forbidden: too many$/);
  assert.equal(fine.status, 201);
  assert.match(changed.body.message, /spec\.fixed: Invalid value: "b": failed rule: self == oldSelf$/);
});

test('what was wrong before a schema grew stricter may stay, and may not be made anew', async () => {
  await using server = await startTestServer();
  await define(server, { spec: { type: 'object', properties: { a: { type: 'string' }, b: { type: 'string' } } } });
  await server.send('POST', KITES, { body: kite('k', { a: 'long', b: 'x' }) });
  await server.send('PATCH', `${DEFINITIONS}/kites.${GROUP}`, {
    headers: { 'content-type': 'application/json-patch+json' },
    body: [{ op: 'add', path: '/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/a/maxLength', value: 2 }],
  });

  const other = await server.send('PATCH', `${KITES}/k`, { headers: MERGE, body: { spec: { b: 'y' } } });
  const same = await server.send('PATCH', `${KITES}/k`, { headers: MERGE, body: { spec: { a: 'longer' } } });

  assert.equal(other.status, 200);
  assert.match(same.body.message, /spec\.a: Too long: may not be more than 2 bytes/);
});

test('server-side apply goes by list types, strategic patches are refused', async () => {
  await using server = await startTestServer();
  const list = {
    type: 'array',
    'x-kubernetes-list-type': 'map',
    'x-kubernetes-list-map-keys': ['k'],
    items: { type: 'object', required: ['k'], properties: { k: { type: 'string' }, v: { type: 'integer' } } },
  } as const;
  await define(server, { spec: { type: 'object', properties: { list } } });
  const apply = (manager: string, k: string) =>
    server.send('PATCH', `${KITES}/k`, { query: `fieldManager=${manager}`, headers: APPLY, body: kite('k', { list: [{ k, v: 1 }] }) });

  await apply('one', 'a');
  const both = await apply('two', 'b');
  const strategic = await server.send('PATCH', `${KITES}/k`, {
    headers: { 'content-type': 'application/strategic-merge-patch+json' },
    body: {},
  });

  assert.deepEqual(
    both.body.spec.list.map((item: { k: string }) => item.k),
    ['a', 'b'],
  );
  assert.equal(strategic.status, 415);
});

test('custom objects have no protobuf form, their metadata has', async () => {
  await using server = await startTestServer();
  await define(server);
  await server.send('POST', KITES, { body: kite('k') });

  const plain = await server.send('GET', `${KITES}/k`, { headers: { accept: 'application/vnd.kubernetes.protobuf' } });
  const either = await server.send('GET', `${KITES}/k`, { headers: { accept: 'application/vnd.kubernetes.protobuf,application/json' } });
  const partial = await server.send('GET', `${KITES}/k`, {
    headers: { accept: 'application/vnd.kubernetes.protobuf;as=PartialObjectMetadata;v=v1;g=meta.k8s.io' },
  });

  assert.equal(plain.status, 406);
  assert.equal(either.status, 406);
  assert.equal(partial.status, 200);
});

test('a definition that would be stored wrongly is refused with every reason', async () => {
  await using server = await startTestServer();
  const body = definitionOf({
    spec: {
      type: 'object',
      properties: {
        a: { type: 'string', 'x-kubernetes-validations': [{ rule: 'self ==' }] },
        b: { type: 'array', items: { type: 'string' }, 'x-kubernetes-list-type': 'bag' },
      },
    },
  });

  const refused = await server.send('POST', DEFINITIONS, { body });

  const fields = refused.body.details.causes.map(({ field }: { field: string }) => field.replace(/^.*properties\[spec\]/, ''));
  assert.deepEqual(fields, ['.properties[b].x-kubernetes-list-type', '.properties[a].x-kubernetes-validations[0].rule']);
});

test('an object says itself what it is', async () => {
  await using server = await startTestServer();
  await define(server);

  const noKind = await server.send('POST', KITES, { body: { apiVersion: `${GROUP}/v1`, metadata: { name: 'a' } } });
  const noVersion = await server.send('POST', KITES, { body: { kind: 'Kite', metadata: { name: 'a' } } });
  const nullKind = await server.send('POST', KITES, { body: { ...kite('a'), kind: null } });
  const nullVersion = await server.send('POST', KITES, { body: { ...kite('a'), apiVersion: null } });
  const other = await server.send('POST', KITES, { body: { ...kite('a'), kind: 'Cheque' } });

  assert.match(noKind.body.message, /^the object provided is unrecognized \(must be of type Kite\): Object 'Kind' is missing in '/);
  assert.match(noVersion.body.message, /^the API version in the data \(\) does not match/);
  assert.match(nullKind.body.message, /Object 'Kind' is missing in '/);
  assert.equal(nullVersion.body.message, noVersion.body.message);
  assert.match(other.body.message, /^Cheque\.toys\.example\.com "a" is invalid: kind: Invalid value: "Cheque": must be Kite$/);
});

test('whatever a client sends is taken or refused, never a fault of the server', async () => {
  await using server = await startTestServer();
  const spec: SchemaProps = {
    type: 'object',
    properties: {
      n: { type: 'integer', minimum: 1, default: 1 },
      list: { type: 'array', 'x-kubernetes-list-type': 'set', items: { type: 'string' } },
      map: { type: 'object', additionalProperties: { type: 'object', properties: { x: { type: 'string', nullable: true } } } },
      emb: { type: 'object', 'x-kubernetes-embedded-resource': true, 'x-kubernetes-preserve-unknown-fields': true },
      ios: { 'x-kubernetes-int-or-string': true },
    },
    'x-kubernetes-validations': [{ rule: '!has(self.list) || self.list.all(t, t.size() < 5)' }],
  };
  await define(server, { spec });
  const member = fc.constantFrom('n', 'list', 'map', 'emb', 'ios', 'other', '__proto__');
  const metadata = fc.oneof(
    fc.constant({ name: 'k' }),
    fc.dictionary(fc.constantFrom('name', 'labels', 'finalizers', 'generation'), fc.jsonValue()),
  );

  await fc.assert(
    fc.asyncProperty(fc.oneof(fc.dictionary(member, fc.jsonValue()), fc.jsonValue()), metadata, async (value, meta) => {
      const body = { ...kite('k'), metadata: meta, spec: value };
      const created = await server.send('POST', KITES, { query: 'dryRun=All', body });
      assert.ok([201, 400, 422].includes(created.status), `${created.status} ${created.text} for ${JSON.stringify(body)}`);
    }),
    { numRuns: 150 },
  );
});

test('a definition with any schema at all is taken or refused, and what is taken can be served', async () => {
  await using server = await startTestServer();
  const scalar = fc.oneof(
    fc.constant(null),
    fc.boolean(),
    fc.nat(3),
    fc.constantFrom('object', 'array', 'string', 'map', 'set', '(', '^a'),
  );
  const member = fc.constantFrom(
    ...[
      'type',
      'items',
      'properties',
      'additionalProperties',
      'allOf',
      'not',
      'enum',
      'default',
      'required',
      'pattern',
      'nullable',
      'format',
    ],
    ...[
      'x-kubernetes-list-type',
      'x-kubernetes-list-map-keys',
      'x-kubernetes-embedded-resource',
      'x-kubernetes-int-or-string',
      'dependencies',
    ],
    ...['x-kubernetes-preserve-unknown-fields', 'x-kubernetes-validations', 'minLength', 'maximum', 'odd'],
  );
  const level = (inner: fc.Arbitrary<unknown>) =>
    fc.oneof(scalar, fc.array(inner, { maxLength: 2 }), fc.dictionary(member, inner, { maxKeys: 4 }));
  const schemas = fc.dictionary(member, level(level(level(scalar))), { maxKeys: 5 });

  await fc.assert(
    fc.asyncProperty(schemas, async (schema) => {
      const spec = { ...schema, type: 'object' } as SchemaProps;
      const created = await server.send('POST', DEFINITIONS, { query: 'dryRun=All', body: definitionOf({ spec }) });
      assert.ok([201, 400, 422].includes(created.status), `${created.status} ${created.text} for ${JSON.stringify(spec)}`);
    }),
    { numRuns: 400 },
  );
});
