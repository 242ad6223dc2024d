// SPDX-License-Identifier: Apache-2.0
// What the tests of custom resources share: a definition of kites, and waiting until it is served, by watching it.

import type { TestServer } from '../_test-server.ts';
import type { SchemaProps } from './schema-props.ts';

export const GROUP = 'toys.example.com';
export const DEFINITIONS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
export const KITES = `/apis/${GROUP}/v1/namespaces/default/kites`;

export interface KiteOptions {
  readonly spec?: SchemaProps;
  readonly plural?: string;
  readonly kind?: string;
  /** More of the version. */
  readonly version?: object;
  /** In place of the one version `v1`. */
  readonly versions?: readonly object[];
  readonly conversion?: object;
}

export function definitionOf(options: KiteOptions = {}): object {
  const { spec = { type: 'object', properties: { n: { type: 'integer' } } }, plural = 'kites', kind = 'Kite', version = {} } = options;
  const schema = { openAPIV3Schema: { type: 'object', properties: { spec } } };
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${GROUP}` },
    spec: {
      group: GROUP,
      scope: 'Namespaced',
      names: { plural, kind },
      versions: options.versions ?? [{ name: 'v1', served: true, storage: true, schema, ...version }],
      ...(options.conversion === undefined ? {} : { conversion: options.conversion }),
    },
  };
}

export const kite = (name: string, spec: object = {}) => ({ apiVersion: `${GROUP}/v1`, kind: 'Kite', metadata: { name }, spec });

/** Makes a definition; resolves when it is Established, which is when it is served. */
export async function define(server: TestServer, options: KiteOptions = {}): Promise<void> {
  const body = definitionOf(options);
  const created = await server.send('POST', DEFINITIONS, { body });
  if (created.status !== 201) throw new Error(created.text);
  await settled(server, created.body.metadata.name, (status) => conditionIn(status, 'Established') === 'True');
}

// biome-ignore lint/suspicious/noExplicitAny: a status as it came.
export const conditionIn = (status: any, type: string): string | undefined =>
  status?.conditions?.find((condition: { type: string }) => condition.type === type)?.status;

/** Watches a definition until its status is as wanted. */
export async function settled(server: TestServer, name: string, wanted: (status: unknown) => boolean): Promise<void> {
  const { customresourcedefinitions } = await import('#api');
  const stop = new AbortController();
  const watch = server.client.watch(customresourcedefinitions, { fieldSelector: `metadata.name=${name}`, signal: stop.signal });
  for await (const event of watch) {
    if (event.type !== 'DELETED' && event.type !== 'BOOKMARK' && wanted((event.object as { status?: unknown }).status)) break;
  }
  stop.abort();
}
