// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { SignJWT } from 'jose';
import type { ObjectReader } from '../registry/strategy.ts';
import { legacyTokens } from './legacy-tokens.ts';
import { ServiceAccountTokens } from './tokens.ts';

const { privateKey, publicKey } = generateKeyPairSync('ec', {
  namedCurve: 'P-256',
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  publicKeyEncoding: { type: 'spki', format: 'pem' },
});
const NOW = Date.parse('2026-05-06T12:00:00Z');
const CLAIMS = {
  'kubernetes.io/serviceaccount/namespace': 'ns',
  'kubernetes.io/serviceaccount/secret.name': 's',
  'kubernetes.io/serviceaccount/service-account.name': 'robot',
  'kubernetes.io/serviceaccount/service-account.uid': 'u1',
};

function sign(claims: object = {}, subject = 'system:serviceaccount:ns:robot', issuer = 'kubernetes/serviceaccount'): Promise<string> {
  const token = new SignJWT({ ...CLAIMS, ...claims }).setProtectedHeader({ alg: 'ES256' }).setIssuer(issuer).setSubject(subject);
  return token.sign(createPrivateKey(privateKey));
}

interface World {
  readonly token: string;
  readonly secret?: object | undefined;
  readonly account?: object | undefined;
}

function authenticatorIn({ token, secret = {}, account = {} }: World) {
  const labeled: object[] = [];
  const objects: Readonly<Record<string, object | undefined>> = {
    secrets: secret && {
      metadata: { name: 's', namespace: 'ns', uid: 's1', ...secret },
      data: { token: Buffer.from(token).toString('base64') },
    },
    serviceaccounts: account && { metadata: { name: 'robot', namespace: 'ns', uid: 'u1', ...account } },
  };
  const reader = { find: ({ resource }: { resource: string }) => objects[resource] } as unknown as ObjectReader;
  const keys = { signingKey: privateKey, verificationKeys: [publicKey], issuer: 'https://own', audiences: ['own'] };
  const tokens = new ServiceAccountTokens(keys, reader, () => NOW);
  const label = async (_: unknown, labels: object) => void labeled.push(labels);
  return { authenticator: legacyTokens({ tokens, reader, now: () => NOW, label }), labeled };
}

test('a token is its account as long as its Secret holds it, and the Secret bears the day', async () => {
  const token = await sign();
  const { authenticator, labeled } = authenticatorIn({ token });

  assert.deepEqual(await authenticator.identify(token, []), {
    user: {
      name: 'system:serviceaccount:ns:robot',
      uid: 'u1',
      groups: ['system:serviceaccounts', 'system:serviceaccounts:ns', 'system:authenticated'],
      extra: {},
    },
    audiences: ['own'],
  });
  assert.deepEqual(labeled, [{ 'kubernetes.io/legacy-token-last-used': '2026-05-06' }]);
});

test('the day is written once', async () => {
  const token = await sign();
  const { authenticator, labeled } = authenticatorIn({
    token,
    secret: { labels: { 'kubernetes.io/legacy-token-last-used': '2026-05-06' } },
  });
  await authenticator.identify(token, []);

  assert.deepEqual(labeled, []);
});

const GONE = { deletionTimestamp: '2026-05-06T11:00:00Z' };
const REFUSED: readonly (readonly [what: string, claims: object, world: Partial<World>, error: string])[] = [
  ['whose Secret is going', {}, { secret: GONE }, 'Token has been invalidated'],
  ['that its Secret no longer holds', {}, { token: 'other' }, "Token does not match server's copy"],
  ['whose account has been deleted', {}, { account: GONE }, 'ServiceAccount ns/robot has been deleted'],
  ['of a former account', {}, { account: { uid: 'u2' } }, 'ServiceAccount UID (u2) does not match claim (u1)'],
  [
    'marked as invalid',
    {},
    { secret: { labels: { 'kubernetes.io/legacy-token-invalid-since': '2026-01-01' } } },
    'Token has been invalidated',
  ],
  ['without a namespace', { 'kubernetes.io/serviceaccount/namespace': '' }, {}, 'namespace claim is missing'],
  ['of another subject', { 'kubernetes.io/serviceaccount/service-account.name': 'else' }, {}, 'sub claim is invalid'],
];
for (const [what, claims, world, error] of REFUSED) {
  test(`a token ${what} is refused`, async () => {
    const token = await sign(claims);
    const { authenticator } = authenticatorIn({ token, ...world });

    assert.deepEqual(await authenticator.identify(token, []), { error });
  });
}

test('other audiences than the server itself are refused, other tokens left to others', async () => {
  const token = await sign();
  const { authenticator } = authenticatorIn({ token });

  assert.deepEqual(await authenticator.identify(token, ['vault']), {
    error: 'token audiences ["own"] is invalid for the target audiences ["vault"]',
  });
  assert.equal(await authenticator.identify(await sign({}, 'x', 'https://own'), []), undefined);
  assert.equal(await authenticator.identify('no-token', []), undefined);
});
