// SPDX-License-Identifier: Apache-2.0
// serviceaccount-token-controller: a Secret of the type kubernetes.io/service-account-token gets the token of the ServiceAccount that its
// annotation names, with the cluster's authority and the namespace; it goes when that account does. Tokens are made for Secrets that
// people make; accounts get none by themselves, as upstream since 1.24.
// @source upstream pkg/controller/serviceaccount/tokens_controller.go
import { createPrivateKey, createPublicKey } from 'node:crypto';
import { SignJWT } from 'jose';
import type { Secret, ServiceAccount } from '#api/core/v1';
import { secrets, serviceaccounts } from '#api/resources';
import { DONE } from '#client';
import { signingAlgorithm, signingKeyId } from '#component';
import { type DeepReadonly, isConflict, isNotFound, keyOf } from '#machinery';
import { type ControllerEntry, KeyQueue } from '../context.ts';

type ReadSecret = DeepReadonly<Secret>;
type Account = DeepReadonly<ServiceAccount>;

const NAME = 'serviceaccount-token-controller';
const TYPE = 'kubernetes.io/service-account-token';
const ACCOUNT_NAME = 'kubernetes.io/service-account.name';
const ACCOUNT_UID = 'kubernetes.io/service-account.uid';
const ACCOUNT = 'account';

const base64 = (text: string) => Buffer.from(text).toString('base64');

/** Key of the account that a token is for; undefined for other Secrets. */
function accountKeyOf({ type, metadata }: ReadSecret): string | undefined {
  const name = metadata.annotations?.[ACCOUNT_NAME] ?? '';
  return type === TYPE && name !== '' ? keyOf({ namespace: metadata.namespace, name }) : undefined;
}

/** @param privateKey PEM. @returns A maker of tokens. */
function tokenMaker(privateKey: string): (account: Account, secret: ReadSecret) => Promise<string> {
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

export const serviceAccountTokens: ControllerEntry = {
  name: NAME,
  create(context) {
    const { client, informers, settings } = context;
    if (settings.serviceAccountKey === '') return undefined;
    const makeToken = tokenMaker(settings.serviceAccountKey);
    const authority = settings.rootCa === '' ? undefined : base64(settings.rootCa);
    const accounts = informers.informer(serviceaccounts);
    const all = informers.informer(secrets, { fieldSelector: `type=${TYPE}` });
    const work = new KeyQueue(context, NAME);
    all.addIndex(ACCOUNT, (secret) => [accountKeyOf(secret) ?? []].flat());
    const add = (secret: ReadSecret) => accountKeyOf(secret) !== undefined && work.add(secret);
    all.addHandler({ add, update: (_, after) => add(after), delete: add });
    const addTokens = ({ metadata }: Account) => all.lister.byIndex(ACCOUNT, keyOf(metadata)).forEach(work.add);
    accounts.addHandler({ add: addTokens, delete: addTokens });

    async function fill(secret: ReadSecret, account: Account): Promise<void> {
      const { metadata, data = {} } = secret;
      const namespace = base64(metadata.namespace ?? '');
      const isRight = data['token'] && data['namespace'] && (authority === undefined || data['ca.crt'] === authority);
      if (isRight) return;
      const filled = {
        ...data,
        ...(authority !== undefined && { 'ca.crt': authority }),
        namespace: data['namespace'] || namespace,
        token: data['token'] || base64(await makeToken(account, secret)),
      };
      const annotations = { ...metadata.annotations, [ACCOUNT_NAME]: account.metadata.name, [ACCOUNT_UID]: account.metadata.uid ?? '' };
      await client.update(secrets, { ...secret, metadata: { ...metadata, annotations }, data: filled });
    }

    /** An account need not name a Secret that is gone. */
    async function forget(key: string): Promise<void> {
      const [namespace, name] = key.split('/');
      for (const account of accounts.lister.list()) {
        if (account.metadata.namespace !== namespace || !account.secrets?.some((reference) => reference.name === name)) continue;
        await client.update(serviceaccounts, { ...account, secrets: account.secrets.filter((reference) => reference.name !== name) });
      }
    }

    /** The cache may not show a new account yet: before a token is taken away, the server is asked. */
    async function isGone(secret: ReadSecret, account: Account | undefined): Promise<boolean> {
      const uid = secret.metadata.annotations?.[ACCOUNT_UID];
      const isIt = (found: Account | undefined) => found !== undefined && (!uid || found.metadata.uid === uid);
      if (isIt(account)) return false;
      const { namespace, annotations } = secret.metadata;
      const found = await client.get(serviceaccounts, { namespace, name: annotations?.[ACCOUNT_NAME] ?? '' }).catch((error: unknown) => {
        if (isNotFound(error)) return undefined;
        throw error;
      });
      return !isIt(found);
    }

    return work.run({
      async reconcile(key) {
        const secret = all.lister.find(key);
        try {
          if (secret === undefined) await forget(key);
          else {
            const account = accounts.lister.find(accountKeyOf(secret) ?? '');
            if (await isGone(secret, account))
              await client.delete(secrets, secret.metadata, { preconditions: { uid: secret.metadata.uid } });
            else if (account !== undefined) await fill(secret, account);
          }
        } catch (error) {
          // The newer state will come, or nothing is left to do.
          if (!isNotFound(error) && !isConflict(error)) throw error;
        }
        return DONE;
      },
    });
  },
};
