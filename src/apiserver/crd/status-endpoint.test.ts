// SPDX-License-Identifier: Apache-2.0
// What the status endpoint of a custom resource checks. @source upstream apiextensions-apiserver pkg/registry/customresource/status_strategy.go
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startTestServer } from '../_test-server.ts';
import { define, KITES, kite } from './_kites.ts';
import type { SchemaProps } from './schema-props.ts';

const inner: SchemaProps = { type: 'object', 'x-kubernetes-embedded-resource': true, 'x-kubernetes-preserve-unknown-fields': true };
const status: SchemaProps = { type: 'object', properties: { n: { type: 'integer', maximum: 3 }, inner } };
const version = {
  schema: { openAPIV3Schema: { type: 'object', properties: { spec: { type: 'object', properties: { inner } }, status } } },
  subresources: { status: {} },
};

test('a status is checked by its schema, what is embedded in it is not looked into', async () => {
  await using server = await startTestServer();
  await define(server, { version });
  const { body } = await server.send('POST', KITES, { body: kite('a') });
  const put = (wanted: object) => server.send('PUT', `${KITES}/a/status`, { body: { ...body, status: wanted } });

  const refused = await put({ n: 4 });
  const taken = await put({ inner: { apiVersion: 'v1', kind: '%' } });

  assert.equal(refused.body.details.causes[0].field, 'status.n');
  assert.deepEqual(taken.body.status, { inner: { apiVersion: 'v1', kind: '%' } });
});

test('an object that is embedded elsewhere is looked into', async () => {
  await using server = await startTestServer();
  await define(server, { version });

  const refused = await server.send('POST', KITES, { body: kite('a', { inner: { apiVersion: 'v1', kind: '%' } }) });

  assert.equal(refused.body.details.causes[0].field, 'spec.inner.kind');
});
