// SPDX-License-Identifier: Apache-2.0
// Tokens of an issuer that the test runs, with its own authority, keys and discovery document.
import assert from 'node:assert/strict';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import fc from 'fast-check';
import { type CryptoKey, exportJWK, generateKeyPair, SignJWT } from 'jose';
import { FlagError } from '#component';
import { createAuthority, createCertificate } from '#component/pki';
import { type JwtAuthenticator, oidcTokens, parseAuthenticationConfiguration } from './mod.ts';

const NOW = Date.now();
const clock = { now: () => NOW };

describe('oidcTokens()', () => {
  let issuer = '';
  let ca = '';
  let key: CryptoKey;
  let stop: () => void = () => {};
  before(async () => {
    const authority = await createAuthority('issuer-authority', NOW);
    const request = { commonName: 'issuer', usages: ['server' as const], dnsNames: ['localhost'], validDays: 1 };
    const { certificate, key: tlsKey } = await createCertificate(authority, request, NOW);
    const pair = await generateKeyPair('RS256');
    key = pair.privateKey;
    const jwk = { ...(await exportJWK(pair.publicKey)), kid: 'one', alg: 'RS256', use: 'sig' };
    const server = createServer({ cert: certificate, key: tlsKey }, (incoming, response) => {
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify(incoming.url === '/keys' ? { keys: [jwk] } : { issuer, jwks_uri: `${issuer}/keys` }));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    issuer = `https://localhost:${(server.address() as AddressInfo).port}`;
    ca = authority.certificate;
    stop = () => {
      server.close();
      server.closeAllConnections();
    };
  });
  after(() => stop());

  const sign = (claims: Record<string, unknown>, signer: CryptoKey = key) =>
    new SignJWT({ iss: issuer, aud: 'kubernetes', exp: NOW / 1000 + 600, ...claims })
      .setProtectedHeader({ alg: 'RS256', kid: 'one' })
      .sign(signer);

  const identify = async (token: string, more: Partial<JwtAuthenticator> = {}) => {
    const jwt: JwtAuthenticator = {
      issuer: { url: issuer, audiences: ['kubernetes'], certificateAuthority: ca },
      claimMappings: { username: { claim: 'sub', prefix: 'oidc:' }, groups: { claim: 'groups', prefix: 'oidc:' } },
      ...more,
    };
    return (await oidcTokens({ jwt: [jwt], clock })).identify(token, []);
  };

  test('a token of the issuer is the user that its claims name', async () => {
    const found = await identify(await sign({ sub: 'ann', groups: ['dev', 'ops'] }));

    assert.deepEqual(found, {
      user: { name: 'oidc:ann', uid: '', groups: ['oidc:dev', 'oidc:ops', 'system:authenticated'], extra: {} },
      audiences: ['kubernetes'],
    });
  });

  test('a token of somebody else is left to others', async () => {
    assert.equal(await identify(await sign({ iss: 'https://other.example', sub: 'ann' })), undefined);
    assert.equal(await identify('no token at all'), undefined);
  });

  const wrong: readonly (readonly [string, () => Promise<string>, RegExp])[] = [
    ['another audience', () => sign({ sub: 'ann', aud: 'mail' }), /"aud" claim/],
    ['one that has expired', () => sign({ sub: 'ann', exp: NOW / 1000 - 60 }), /"exp" claim/],
    ['another key', async () => sign({ sub: 'ann' }, (await generateKeyPair('RS256')).privateKey), /signature/],
    ['no name', () => sign({}), /parse username claims "sub": claim not present/],
  ];
  for (const [what, make, text] of wrong) {
    test(`refused: ${what}`, async () => {
      const found = await identify(await make());

      assert.ok(found !== undefined && 'error' in found);
      assert.match(found.error, text);
    });
  }

  test('an address counts as a name once it is verified', async () => {
    const claimMappings = { username: { claim: 'email', prefix: '' } };

    const unverified = await identify(await sign({ email: 'ann@example.com', email_verified: false }), { claimMappings });
    const verified = await identify(await sign({ email: 'ann@example.com', email_verified: true }), { claimMappings });

    assert.deepEqual(unverified, { error: 'oidc: email not verified' });
    assert.ok(verified !== undefined && !('error' in verified) && verified.user.name === 'ann@example.com');
  });

  test('expressions map claims, and rules refuse', async () => {
    const more: Partial<JwtAuthenticator> = {
      claimMappings: {
        username: { expression: 'claims.sub + "@" + claims.tenant' },
        groups: { expression: 'claims.roles.map(r, "role:" + r)' },
        extra: [{ key: 'example.com/tenant', valueExpression: 'claims.tenant' }],
      },
      claimValidationRules: [{ expression: 'claims.tenant != "evil"', message: 'not that tenant' }],
      userValidationRules: [{ expression: '!user.username.startsWith("system:")', message: 'reserved' }],
    };

    const good = await identify(await sign({ sub: 'ann', tenant: 't1', roles: ['a'], jti: 'j1' }), more);
    const evil = await identify(await sign({ sub: 'ann', tenant: 'evil', roles: [] }), more);
    const reserved = await identify(await sign({ sub: 'system:x', tenant: 't1', roles: [] }), more);

    assert.ok(good !== undefined && !('error' in good));
    assert.deepEqual(good.user, {
      name: 'ann@t1',
      uid: '',
      groups: ['role:a', 'system:authenticated'],
      extra: { 'authentication.kubernetes.io/credential-id': ['JTI=j1'], 'example.com/tenant': ['t1'] },
    });
    assert.deepEqual(evil, { error: 'oidc: not that tenant' });
    assert.ok(reserved !== undefined && 'error' in reserved && reserved.error.includes('reserved'));
  });
});

const HEAD = 'apiVersion: apiserver.config.k8s.io/v1\nkind: AuthenticationConfiguration\n';
const broken: readonly (readonly [string, string, RegExp])[] = [
  ['another kind', 'apiVersion: v1\nkind: Pod\n', /its kind is v1 Pod/],
  [
    'an issuer without TLS',
    `${HEAD}jwt: [{issuer: {url: "http://x", audiences: [a]}, claimMappings: {username: {claim: sub, prefix: ""}}}]`,
    /URL scheme must be https/,
  ],
  [
    'no audience',
    `${HEAD}jwt: [{issuer: {url: "https://x"}, claimMappings: {username: {claim: sub, prefix: ""}}}]`,
    /audiences: Required value/,
  ],
  ['no name', `${HEAD}jwt: [{issuer: {url: "https://x", audiences: [a]}, claimMappings: {}}]`, /username: Required value/],
  [
    'no prefix',
    `${HEAD}jwt: [{issuer: {url: "https://x", audiences: [a]}, claimMappings: {username: {claim: sub}}}]`,
    /prefix is required when claim is set/,
  ],
  ['an unknown field', `${HEAD}jwts: []`, /unknown field "jwts"/],
  ['conditions of nothing', `${HEAD}anonymous: {enabled: false, conditions: [{path: /livez}]}`, /enabled should be set to true/],
];
for (const [what, text, expected] of broken) {
  test(`parseAuthenticationConfiguration() refuses ${what}`, () => {
    assert.throws(
      () => parseAuthenticationConfiguration(text, 'file'),
      (error: Error) => error instanceof FlagError && expected.test(error.message),
    );
  });
}

test('parseAuthenticationConfiguration() throws a FlagError or nothing, whatever it is given', () => {
  const values = fc.oneof(
    fc.string(),
    fc.json().map((json) => `${HEAD}jwt: ${json}`),
    fc.json().map((json) => `${HEAD}anonymous: ${json}`),
  );
  fc.assert(
    fc.property(values, (text) => {
      try {
        parseAuthenticationConfiguration(text, 'file');
      } catch (error) {
        assert.ok(error instanceof FlagError, String(error));
      }
    }),
  );
});
