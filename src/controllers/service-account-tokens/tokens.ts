// SPDX-License-Identifier: Apache-2.0
// What is done to one token of a ServiceAccount, and to the account that names it.
// @source upstream pkg/controller/serviceaccount/tokens_controller.go, legacy.go
import { createPrivateKey, createPublicKey } from 'node:crypto';
import { SignJWT } from 'jose';
import type { Secret, ServiceAccount } from '#api/core/v1';
import { secrets, serviceaccounts } from '#api/resources';
import type { Client, Lister } from '#client';
import { signingAlgorithm, signingKeyId } from '#component';
import { type DeepReadonly, isNotFound, keyOf } from '#machinery';

export type Account = DeepReadonly<ServiceAccount>;
type ReadSecret = DeepReadonly<Secret>;

export interface TokenDeps {
  readonly client: Client;
  readonly accounts: Lister<ServiceAccount>;
  /** PEM; undefined where the cluster has none. */
  readonly authority: string | undefined;
  readonly makeToken: (account: Account, secret: ReadSecret) => Promise<string>;
}

export const SERVICE_ACCOUNT_TOKEN = 'kubernetes.io/service-account-token';
const ACCOUNT_NAME = 'kubernetes.io/service-account.name';
const ACCOUNT_UID = 'kubernetes.io/service-account.uid';

const base64 = (text: string) => Buffer.from(text).toString('base64');

/** Key of the account that a token is for; undefined for other Secrets. */
export function accountKeyOf({ type, metadata }: ReadSecret): string | undefined {
  const name = metadata.annotations?.[ACCOUNT_NAME] ?? '';
  return type === SERVICE_ACCOUNT_TOKEN && name !== '' ? keyOf({ namespace: metadata.namespace, name }) : undefined;
}

/** @param privateKey PEM. @returns A maker of tokens. */
export function tokenMaker(privateKey: string): TokenDeps['makeToken'] {
  const key = createPrivateKey(privateKey);
  const header = { alg: signingAlgorithm(key), kid: signingKeyId(createPublicKey(key)) };
  return ({ metadata: { namespace = '', name, uid } }, secret) => {
    const claims = {
      'kubernetes.io/serviceaccount/namespace': namespace,
      'kubernetes.io/serviceaccount/secret.name': secret.metadata.name,
      'kubernetes.io/serviceaccount/service-account.name': name,
      'kubernetes.io/serviceaccount/service-account.uid': uid,
    };
    const token = new SignJWT(claims).setProtectedHeader(header).setIssuer('kubernetes/serviceaccount');
    return token.setSubject(`system:serviceaccount:${namespace}:${name}`).sign(key);
  };
}

/** Gives a Secret what its account's token lacks. @throws {ApiError} */
export async function fill(secret: ReadSecret, account: Account, { client, authority, makeToken }: TokenDeps): Promise<void> {
  const { metadata, data = {} } = secret;
  const ca = authority === undefined ? {} : { 'ca.crt': base64(authority) };
  if (data['token'] && data['namespace'] && (authority === undefined || data['ca.crt'] === ca['ca.crt'])) return;
  const filled = {
    ...data,
    ...ca,
    namespace: data['namespace'] || base64(metadata.namespace ?? ''),
    token: data['token'] || base64(await makeToken(account, secret)),
  };
  const annotations = { ...metadata.annotations, [ACCOUNT_NAME]: account.metadata.name, [ACCOUNT_UID]: account.metadata.uid ?? '' };
  await client.update(secrets, { ...secret, metadata: { ...metadata, annotations }, data: filled });
}

/** An account need not name a Secret that is gone. @param key The Secret's. @throws {ApiError} */
export async function forget(key: string, { client, accounts }: TokenDeps): Promise<void> {
  const [namespace, name] = key.split('/');
  for (const account of accounts.list()) {
    if (account.metadata.namespace !== namespace || !account.secrets?.some((reference) => reference.name === name)) continue;
    await client.update(serviceaccounts, { ...account, secrets: account.secrets.filter((reference) => reference.name !== name) });
  }
}

/** The cache may not show a new account yet: before a token is taken away, the server is asked. @throws {ApiError} */
export async function isGone(secret: ReadSecret, account: Account | undefined, { client }: TokenDeps): Promise<boolean> {
  const { namespace, annotations } = secret.metadata;
  const uid = annotations?.[ACCOUNT_UID];
  const isIt = (found: Account | undefined) => found !== undefined && (!uid || found.metadata.uid === uid);
  if (isIt(account)) return false;
  const found = await client.get(serviceaccounts, { namespace, name: annotations?.[ACCOUNT_NAME] ?? '' }).catch((error: unknown) => {
    if (isNotFound(error)) return undefined;
    throw error;
  });
  return !isIt(found);
}
