// SPDX-License-Identifier: Apache-2.0
// Defaults where versions differ: those of the version at hand are filled into what is sent, those of the stored version into what is read.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startTestServer } from '../_test-server.ts';
import { DEFINITIONS, define, GROUP, KITES, kite } from './_kites.ts';
import type { SchemaProps } from './schema-props.ts';

const text: SchemaProps = { type: 'string' };

function version(name: string, storage: boolean, properties: Readonly<Record<string, SchemaProps>>): object {
  const schema = { openAPIV3Schema: { type: 'object', properties: { spec: { type: 'object', default: {}, properties } } } };
  return { name, served: true, storage, schema };
}

test('a create fills in the defaults of its version, its answer those of the stored one', async () => {
  await using server = await startTestServer();
  const one = { a: { ...text, default: 'one' }, b: text };
  const two = { a: text, b: { ...text, default: 'two' } };
  await define(server, { versions: [version('v1', false, one), version('v2', true, two)] });

  const created = await server.send('POST', KITES, { body: kite('a') });

  assert.deepEqual(created.body.spec, { a: 'one', b: 'two' });
});

test('a read shows the defaults of the stored version, not those of its own', async () => {
  await using server = await startTestServer();
  const plain = { a: text, b: text };
  await define(server, { versions: [version('v1', false, plain), version('v2', true, plain)] });
  await server.send('POST', KITES, { body: kite('a') });
  const current = await server.send('GET', `${DEFINITIONS}/kites.${GROUP}`);
  current.body.spec.versions = [
    version('v1', false, { a: { ...text, default: 'one' }, b: text }),
    version('v2', true, { a: text, b: { ...text, default: 'two' } }),
  ];

  await server.send('PUT', `${DEFINITIONS}/kites.${GROUP}`, { body: current.body });
  const read = await server.send('GET', `${KITES}/a`);

  assert.deepEqual(read.body.spec, { b: 'two' });
});

test('a default inside the metadata of an embedded object is in the form of metadata', async () => {
  await using server = await startTestServer();
  const metadata: SchemaProps = {
    type: 'object',
    default: {},
    properties: { name: { ...text, default: 'n' }, odd: { ...text, default: 'x' } },
  };
  const inner: SchemaProps = {
    type: 'object',
    'x-kubernetes-embedded-resource': true,
    properties: { apiVersion: { ...text, default: 'v1' }, kind: { ...text, default: 'Pod' }, metadata },
  };
  await define(server, { spec: { type: 'object', properties: { inner } } });

  const created = await server.send('POST', KITES, { body: kite('a', { inner: {} }) });

  assert.deepEqual(created.body.spec.inner, { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'n' } });
});
