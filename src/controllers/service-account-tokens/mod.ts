// SPDX-License-Identifier: Apache-2.0
// serviceaccount-token-controller: a Secret of the type kubernetes.io/service-account-token gets the token of the ServiceAccount that its
// annotation names, with the cluster's authority and the namespace; it goes when that account does. Tokens are made for Secrets that
// people make; accounts get none by themselves, as upstream since 1.24.
// @source upstream pkg/controller/serviceaccount/tokens_controller.go
import type { Secret } from '#api/core/v1';
import { secrets, serviceaccounts } from '#api/resources';
import { DONE, type Result } from '#client';
import { type DeepReadonly, isConflict, isNotFound, keyOf } from '#machinery';
import { type ControllerEntry, KeyQueue } from '../context.ts';
import { type Account, accountKeyOf, fill, forget, isGone, SERVICE_ACCOUNT_TOKEN, type TokenDeps, tokenMaker } from './tokens.ts';

const NAME = 'serviceaccount-token-controller';
const ACCOUNT = 'account';

export const serviceAccountTokens: ControllerEntry = {
  name: NAME,
  create(context) {
    const { client, informers, settings } = context;
    if (settings.serviceAccountKey === '') return undefined;
    const accounts = informers.informer(serviceaccounts);
    const all = informers.informer(secrets, { fieldSelector: `type=${SERVICE_ACCOUNT_TOKEN}` });
    const work = new KeyQueue(context, NAME);
    all.addIndex(ACCOUNT, (secret) => [accountKeyOf(secret) ?? []].flat());
    const add = (secret: DeepReadonly<Secret>) => accountKeyOf(secret) !== undefined && work.add(secret);
    all.addHandler({ add, update: (_, after) => add(after), delete: add });
    const addTokens = ({ metadata }: Account) => all.lister.byIndex(ACCOUNT, keyOf(metadata)).forEach(work.add);
    accounts.addHandler({ add: addTokens, delete: addTokens });
    const authority = settings.rootCa === '' ? undefined : settings.rootCa;
    const deps: TokenDeps = { client, accounts: accounts.lister, authority, makeToken: tokenMaker(settings.serviceAccountKey) };
    return work.run({ reconcile: (key) => reconcile(key, all.lister.find(key), deps) });
  },
};

async function reconcile(key: string, secret: DeepReadonly<Secret> | undefined, deps: TokenDeps): Promise<Result> {
  try {
    if (secret === undefined) await forget(key, deps);
    else {
      const account = deps.accounts.find(accountKeyOf(secret) ?? '');
      if (await isGone(secret, account, deps))
        await deps.client.delete(secrets, secret.metadata, { preconditions: { uid: secret.metadata.uid } });
      else if (account !== undefined) await fill(secret, account, deps);
    }
  } catch (error) {
    // The newer state will come, or nothing is left to do.
    if (!isNotFound(error) && !isConflict(error)) throw error;
  }
  return DONE;
}
