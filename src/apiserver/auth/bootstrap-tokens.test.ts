// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ObjectReader } from '../registry/strategy.ts';
import { bootstrapTokens } from './bootstrap-tokens.ts';

const NOW = Date.parse('2026-01-01T00:00:00Z');
const TOKEN = 'abcdef.0123456789abcdef';
const GOOD = { 'token-id': 'abcdef', 'token-secret': '0123456789abcdef', 'usage-bootstrap-authentication': 'true' };

function readerOf(data: Record<string, string>, more: object = {}): ObjectReader {
  const encoded = Object.fromEntries(Object.entries(data).map(([key, value]) => [key, Buffer.from(value).toString('base64')]));
  const secret = { metadata: { name: 'bootstrap-token-abcdef' }, type: 'bootstrap.kubernetes.io/token', data: encoded, ...more };
  const find = (_: unknown, { namespace, name }: { namespace?: string; name: string }) =>
    namespace === 'kube-system' && name === 'bootstrap-token-abcdef' ? secret : undefined;
  return { find, list: () => [] } as unknown as ObjectReader;
}

const identify = (token: string, data: Record<string, string>, more?: object) =>
  bootstrapTokens(readerOf(data, more), () => NOW).identify(token, []);

test('a token whose Secret allows authentication is a bootstrapper of its groups', async () => {
  const found = await identify(TOKEN, { ...GOOD, 'auth-extra-groups': 'system:bootstrappers:workers' });

  assert.ok(found !== undefined && !('error' in found));
  assert.equal(found.user.name, 'system:bootstrap:abcdef');
  assert.deepEqual(found.user.groups, ['system:bootstrappers', 'system:bootstrappers:workers', 'system:authenticated']);
});

const refused: readonly (readonly [string, string, Record<string, string>, object?])[] = [
  ['another secret', 'abcdef.0123456789abcdeg', GOOD],
  ['another id', 'abcdeg.0123456789abcdef', GOOD],
  ['an id that the Secret denies', TOKEN, { ...GOOD, 'token-id': 'ghijkl' }],
  ['no permission to authenticate', TOKEN, { ...GOOD, 'usage-bootstrap-authentication': 'false' }],
  ['an expired one', TOKEN, { ...GOOD, expiration: '2025-12-31T23:59:59Z' }],
  ['one whose expiry cannot be read', TOKEN, { ...GOOD, expiration: 'tomorrow' }],
  ['a group that is none of bootstrappers', TOKEN, { ...GOOD, 'auth-extra-groups': 'system:masters' }],
  ['a Secret of another type', TOKEN, GOOD, { type: 'Opaque' }],
  ['a Secret that is going', TOKEN, GOOD, { metadata: { name: 'x', deletionTimestamp: '2025-01-01T00:00:00Z' } }],
  ['what is no bootstrap token', 'x.y.z', GOOD],
];
for (const [what, token, data, more] of refused) {
  test(`refused: ${what}`, async () => assert.equal(await identify(token, data, more), undefined));
}

test('a token that expires later counts until then', async () => {
  assert.notEqual(await identify(TOKEN, { ...GOOD, expiration: '2026-01-01T00:00:01Z' }), undefined);
});
