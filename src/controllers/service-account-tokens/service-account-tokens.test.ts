// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { jwtVerify } from 'jose';
import type { Secret } from '#api/core/v1';
import { secrets, serviceaccounts } from '#api/resources';
import { signingKeyId } from '#component';
import type { Draft } from '#machinery';
import { Lab } from '../_harness.ts';

const { privateKey } = generateKeyPairSync('ec', {
  namedCurve: 'P-256',
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  publicKeyEncoding: { type: 'spki', format: 'pem' },
});
const publicKey = createPublicKey(privateKey);
const KEY = { namespace: 'default', name: 'robot-token' };
const newLab = () => new Lab(['serviceaccount-token-controller'], { rootCa: 'AUTHORITY', serviceAccountKey: privateKey });
const account = { metadata: { namespace: 'default', name: 'robot' } };
const secret = (annotations: Record<string, string>, type = 'kubernetes.io/service-account-token') =>
  ({ metadata: { ...KEY, annotations }, type }) as unknown as Draft<Secret>;
const forRobot = secret({ 'kubernetes.io/service-account.name': 'robot' });
const signed = (lab: Lab) => lab.until(() => lab.api.peek(secrets, KEY)?.data?.['token'] !== undefined);
const textOf = (data: Readonly<Record<string, string>> | undefined, name: string) => Buffer.from(data?.[name] ?? '', 'base64').toString();

test('a Secret that asks for the token of an account gets it, with the authority and the namespace', async () => {
  await using lab = newLab();
  const robot = await lab.api.create(serviceaccounts, account);
  await lab.api.create(secrets, forRobot);
  await signed(lab);

  const found = lab.api.peek(secrets, KEY);

  assert.deepEqual([textOf(found?.data, 'ca.crt'), textOf(found?.data, 'namespace')], ['AUTHORITY', 'default']);
  assert.equal(found?.metadata.annotations?.['kubernetes.io/service-account.uid'], robot.metadata.uid);
  const { payload, protectedHeader } = await jwtVerify(textOf(found?.data, 'token'), publicKey);
  assert.deepEqual(protectedHeader, { alg: 'ES256', kid: signingKeyId(publicKey) });
  assert.deepEqual(payload, {
    iss: 'kubernetes/serviceaccount',
    sub: 'system:serviceaccount:default:robot',
    'kubernetes.io/serviceaccount/namespace': 'default',
    'kubernetes.io/serviceaccount/secret.name': 'robot-token',
    'kubernetes.io/serviceaccount/service-account.name': 'robot',
    'kubernetes.io/serviceaccount/service-account.uid': robot.metadata.uid,
  });
});

test('a token is kept, and an authority that has changed is put right', async () => {
  await using lab = newLab();
  await lab.api.create(serviceaccounts, account);
  await lab.api.create(secrets, { ...forRobot, data: { token: 'dG9rZW4=', 'ca.crt': 'b2xk', namespace: 'ZGVmYXVsdA==' } });
  await lab.settle();

  const found = lab.api.peek(secrets, KEY);

  assert.deepEqual([textOf(found?.data, 'token'), textOf(found?.data, 'ca.crt')], ['token', 'AUTHORITY']);
});

test('a token of an account that is not there goes, at once and when the account does', async () => {
  await using lab = newLab();
  await lab.api.create(secrets, forRobot);
  await lab.settle();
  assert.equal(lab.api.peek(secrets, KEY), undefined);

  await lab.api.create(serviceaccounts, account);
  await lab.api.create(secrets, forRobot);
  await signed(lab);
  await lab.api.delete(serviceaccounts, account.metadata);
  await lab.settle();
  assert.equal(lab.api.peek(secrets, KEY), undefined);
});

test('a token of an account of the same name that came later goes', async () => {
  await using lab = newLab();
  await lab.api.create(serviceaccounts, account);
  await lab.api.create(secrets, secret({ 'kubernetes.io/service-account.name': 'robot', 'kubernetes.io/service-account.uid': 'former' }));
  await lab.settle();

  assert.equal(lab.api.peek(secrets, KEY), undefined);
});

test('an account no longer names a Secret that is gone', async () => {
  await using lab = newLab();
  await lab.api.create(serviceaccounts, { ...account, secrets: [{ name: 'robot-token' }, { name: 'other' }] });
  await lab.api.create(secrets, forRobot);
  await signed(lab);
  await lab.api.delete(secrets, KEY);
  await lab.settle();

  assert.deepEqual(lab.api.peek(serviceaccounts, account.metadata)?.secrets, [{ name: 'other' }]);
});

test('Secrets of other types are left alone', async () => {
  await using lab = newLab();
  await lab.api.create(secrets, secret({ 'kubernetes.io/service-account.name': 'robot' }, 'Opaque'));
  await lab.settle();

  assert.equal(lab.api.peek(secrets, KEY)?.data, undefined);
});
