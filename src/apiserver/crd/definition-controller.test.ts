// SPDX-License-Identifier: Apache-2.0
// What clients that watch a definition see of the controller: each of its conditions, in order.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { customresourcedefinitions } from '#api';
import { type Clock, systemClock } from '#component';
import { startTestServer, type TestServer } from '../_test-server.ts';
import { DEFINITIONS, define, definitionOf, GROUP, KITES, kite, settled } from './_kites.ts';

const MERGE = { 'content-type': 'application/merge-patch+json' };
const NAME = `kites.${GROUP}`;
const IN_PROGRESS = 'CustomResource deletion is in progress';
const STILL_THERE = 'could not confirm zero CustomResources remaining: timed out waiting for the condition';
type Status = {
  readonly conditions?: readonly { readonly type: string; readonly status: string; readonly reason: string; readonly message: string }[];
};

/** The reasons of a condition, as they change, until one of them. */
async function reasonsOf(server: TestServer, type: string, last: string): Promise<string[]> {
  const stop = new AbortController();
  const reasons: string[] = [];
  const watch = server.client.watch(customresourcedefinitions, { fieldSelector: `metadata.name=${NAME}`, signal: stop.signal });
  for await (const event of watch) {
    if (event.type === 'BOOKMARK') continue;
    const found = (event.object as { status?: Status }).status?.conditions?.find((condition) => condition.type === type);
    if (found !== undefined && found.reason !== reasons.at(-1)) reasons.push(found.reason);
    if (found?.reason === last) break;
  }
  stop.abort();
  return reasons;
}

test('between accepted names and establishment, a definition is Installing', async () => {
  await using server = await startTestServer();
  const seen = reasonsOf(server, 'Established', 'InitialNamesAccepted');

  await server.send('POST', DEFINITIONS, { body: definitionOf() });

  assert.deepEqual(await seen, ['Installing', 'InitialNamesAccepted']);
});

/** Resolves when the definition is deleted. */
async function isGone(server: TestServer): Promise<void> {
  while ((await server.send('GET', `${DEFINITIONS}/${NAME}`)).status !== 404);
}

const conditionOf = (status: unknown) => (status as Status).conditions?.find(({ type }) => type === 'Terminating');

/** The system's clock, but what waits for just so long is run when it is told to. */
function heldClock(delayMs: number): Clock & { release(): void } {
  const held = new Set<() => void>();
  return {
    ...systemClock,
    after(delay, run) {
      if (delay !== delayMs) return systemClock.after(delay, run);
      held.add(run);
      return { [Symbol.dispose]: () => void held.delete(run) };
    },
    release() {
      for (const run of [...held]) run();
    },
  };
}

test('instances that do not go within a minute are said to be left, and deleted anew', async () => {
  const clock = heldClock(60_000);
  await using server = await startTestServer({ clock });
  await define(server);
  await server.send('POST', KITES, { body: { ...kite('held'), metadata: { name: 'held', finalizers: ['example.com/hold'] } } });
  const asked = server.send('GET', KITES, { query: 'watch=true&resourceVersion=0&timeoutSeconds=1' });
  await server.send('DELETE', `${DEFINITIONS}/${NAME}`);
  assert.match((await asked).text, /deletionTimestamp/);

  const messages: (string | undefined)[] = [];
  await settled(server, NAME, (status) => {
    if (messages.length === 0) clock.release();
    return messages.push(conditionOf(status)?.message) === 3;
  });
  await server.send('PATCH', `${KITES}/held`, { headers: MERGE, body: { metadata: { finalizers: null } } });

  await isGone(server);
  assert.deepEqual(messages, [IN_PROGRESS, STILL_THERE, IN_PROGRESS]);
});

test('the deprecation of a version names a better one that is not deprecated', async () => {
  await using server = await startTestServer();
  const schema = { openAPIV3Schema: { type: 'object' } };
  const version = (name: string, more: object = {}) => ({ name, served: true, storage: name === 'v1', schema, ...more });
  await define(server, { versions: [version('v1'), version('v1beta1', { deprecated: true }), version('v2', { deprecated: true })] });

  const warningsOf = async (name: string) =>
    (await server.send('GET', `/apis/${GROUP}/${name}/namespaces/default/kites`)).headers['warning'];

  assert.match(String(await warningsOf('v1beta1')), /v1beta1 Kite is deprecated; use toys\.example\.com\/v1 Kite"$/);
  assert.match(String(await warningsOf('v2')), /v2 Kite is deprecated"$/);
});

test('metrics say how often the OpenAPI of a definition was made anew', async () => {
  await using server = await startTestServer();
  await define(server);
  await server.send('DELETE', `${DEFINITIONS}/${NAME}`);
  await isGone(server);

  const { text } = await server.send('GET', '/metrics');

  const counts = text.split('\n').filter((line) => line.startsWith('apiextensions_openapi_'));
  assert.deepEqual(counts.sort(), [
    `apiextensions_openapi_v2_regeneration_count{crd="${NAME}",reason="add"} 1`,
    `apiextensions_openapi_v2_regeneration_count{crd="${NAME}",reason="remove"} 1`,
    `apiextensions_openapi_v3_regeneration_count{crd="${NAME}",group="${GROUP}",version="v1",reason="add"} 1`,
    `apiextensions_openapi_v3_regeneration_count{crd="${NAME}",group="${GROUP}",version="v1",reason="remove"} 1`,
  ]);
});
