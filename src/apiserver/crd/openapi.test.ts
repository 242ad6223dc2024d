// SPDX-License-Identifier: Apache-2.0
// What the OpenAPI documents say of custom resources beyond their schemas.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startTestServer } from '../_test-server.ts';
import { define, GROUP } from './_kites.ts';
import type { SchemaProps } from './schema-props.ts';

const NAME = 'com.example.toys.v1.Kite';

test('both documents have the operations of a custom resource', async () => {
  await using server = await startTestServer();
  await define(server, { version: { subresources: { status: {} } } });
  const path = `/apis/${GROUP}/v1/namespaces/{namespace}/kites/{name}/status`;

  const third = await server.send('GET', `/openapi/v3/apis/${GROUP}/v1`);
  const second = await server.send('GET', '/openapi/v2');

  assert.deepEqual(third.body.info, { title: 'Kubernetes CRD Swagger', version: 'v0.1.0' });
  assert.equal(third.body.paths[path].get.responses[200].content['application/json'].schema.$ref, `#/components/schemas/${NAME}`);
  assert.equal(second.body.paths[path].put.parameters[0].schema.$ref, `#/definitions/${NAME}`);
  assert.equal(second.body.paths[path].put.operationId, 'replaceToysExampleComV1NamespacedKiteStatus');
  assert.equal(second.body.definitions['io.k8s.apimachinery.pkg.apis.meta.v1.Patch'].type, 'object');
});

test('both documents name the fields that can be selected by', async () => {
  await using server = await startTestServer();
  const spec: SchemaProps = { type: 'object', properties: { color: { type: 'string' } } };
  await define(server, { spec, version: { selectableFields: [{ jsonPath: '.spec.color' }] } });

  const third = await server.send('GET', `/openapi/v3/apis/${GROUP}/v1`);
  const second = await server.send('GET', '/openapi/v2');

  const expected = [{ fieldPath: 'spec.color' }];
  assert.deepEqual(third.body.components.schemas[NAME]['x-kubernetes-selectable-fields'], expected);
  assert.deepEqual(second.body.definitions[NAME]['x-kubernetes-selectable-fields'], expected);
});

test('an embedded object has the fields of every object, and needs its kind', async () => {
  await using server = await startTestServer();
  const inner: SchemaProps = { type: 'object', 'x-kubernetes-embedded-resource': true, 'x-kubernetes-preserve-unknown-fields': true };
  await define(server, { spec: { type: 'object', properties: { inner } } });

  const document = await server.send('GET', `/openapi/v3/apis/${GROUP}/v1`);

  const shown = document.body.components.schemas[NAME].properties.spec.properties.inner;
  assert.deepEqual(shown.required, ['kind', 'apiVersion']);
  assert.deepEqual(Object.keys(shown.properties), ['apiVersion', 'kind', 'metadata']);
});

test('an object that keeps all that is unknown says nothing of its fields in version 2', async () => {
  await using server = await startTestServer();
  const schema = { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } };
  await define(server, { version: { schema } });

  const third = await server.send('GET', `/openapi/v3/apis/${GROUP}/v1`);
  const second = await server.send('GET', '/openapi/v2');

  assert.deepEqual(Object.keys(third.body.components.schemas[NAME].properties), ['apiVersion', 'kind', 'metadata']);
  assert.deepEqual(Object.keys(second.body.definitions[NAME]), ['type', 'x-kubernetes-group-version-kind']);
});

test('version 2 says nothing where it could not say all', async () => {
  await using server = await startTestServer();
  const text: SchemaProps = { type: 'string' };
  const properties: Readonly<Record<string, SchemaProps>> = {
    either: { type: 'integer', anyOf: [{ minimum: 1 }] },
    none: { type: 'object', nullable: true, properties: { a: text } },
    list: { type: 'array', 'x-kubernetes-preserve-unknown-fields': true, items: text },
    open: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true, properties: { a: text } },
    filled: { ...text, default: 'x' },
  };
  await define(server, { spec: { type: 'object', required: ['none', 'filled'], properties } });

  const { body } = await server.send('GET', '/openapi/v2');

  assert.deepEqual(body.definitions[NAME].properties.spec, {
    type: 'object',
    required: ['filled'],
    properties: {
      either: { type: 'integer' },
      none: {},
      list: { 'x-kubernetes-preserve-unknown-fields': true },
      open: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
      filled: { type: 'string', default: 'x' },
    },
  });
});
