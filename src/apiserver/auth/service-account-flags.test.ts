// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FlagError, parseFlags } from '#component';
import { SERVICE_ACCOUNT_FLAGS, tokenKeysFrom } from './service-account-flags.ts';

const keysFrom = (...args: string[]) => tokenKeysFrom(parseFlags('kube-apiserver', args, SERVICE_ACCOUNT_FLAGS), 'KEY');

test('without flags the cluster itself issues, for itself, without a limit', () => {
  assert.deepEqual(keysFrom(), {
    signingKey: 'KEY',
    verificationKeys: ['KEY'],
    issuer: 'https://kubernetes.default.svc.cluster.local',
    otherIssuers: [],
    audiences: ['https://kubernetes.default.svc.cluster.local'],
    maxExpirationSeconds: undefined,
    extendsExpiration: true,
    jwksUri: undefined,
  });
});

test('the first of several issuers issues, the audiences are those of all', () => {
  const { issuer, otherIssuers, audiences } = keysFrom('--service-account-issuer=https://new', '--service-account-issuer=https://old');

  assert.deepEqual([issuer, otherIssuers, audiences], ['https://new', ['https://old'], ['https://new', 'https://old']]);
});

test('the longest life is at least an hour', () => {
  assert.equal(keysFrom('--service-account-max-token-expiration=2h').maxExpirationSeconds, 7200);
  assert.throws(() => keysFrom('--service-account-max-token-expiration=59m'), FlagError);
});

test('tokens cannot be taken unchecked', () => assert.throws(() => keysFrom('--service-account-lookup=false'), FlagError));
