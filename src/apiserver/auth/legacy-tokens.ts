// SPDX-License-Identifier: Apache-2.0
// Tokens that stand in Secrets of the type kubernetes.io/service-account-token. They never expire: what makes one good is the Secret that
// holds it, and its ServiceAccount. A Secret bears the day on which its token was last used.
// @source upstream pkg/serviceaccount/legacy.go
import { decodeJwt, type JWTPayload } from 'jose';
import type { Secret } from '#api/core/v1';
import { secrets, serviceaccounts } from '#api/resources';
import type { DeepReadonly } from '#machinery';
import type { ObjectReader } from '../registry/strategy.ts';
import type { TokenAuthenticator } from './token-authenticator.ts';
import { type Identification, type ServiceAccountTokens, sharedAudiences } from './tokens.ts';
import { AUTHENTICATED_GROUP, SERVICE_ACCOUNTS_GROUP, serviceAccountUser } from './user.ts';

const ISSUER = 'kubernetes/serviceaccount';
const CLAIMS = 'kubernetes.io/serviceaccount';
const LAST_USED = 'kubernetes.io/legacy-token-last-used';
const INVALID_SINCE = 'kubernetes.io/legacy-token-invalid-since';
const DAY_MS = 86_400_000;

export interface LegacyTokensOptions {
  readonly tokens: ServiceAccountTokens;
  readonly reader: ObjectReader;
  readonly now: () => number;
  /** Writes labels of a Secret; a failure is the writer's to report. */
  readonly label: (secret: DeepReadonly<Secret>, labels: Readonly<Record<string, string>>) => Promise<void>;
}

interface Claims {
  readonly namespace: string;
  readonly account: string;
  readonly uid: string;
  readonly secret: string;
}

export function legacyTokens(options: LegacyTokensOptions): TokenAuthenticator {
  const { tokens } = options;
  const marking = new Set<string>();
  return {
    name: 'LegacyServiceAccount',
    async identify(token, audiences) {
      if (!isLegacy(token)) return undefined;
      const payload = await tokens.verify(token);
      if (payload === undefined) return undefined;
      const shared = sharedAudiences(tokens.audiences, audiences.length > 0 ? audiences : tokens.audiences);
      if ('error' in shared) return shared;
      const claims = claimsOf(payload);
      if ('error' in claims) return claims;
      const secret = checkedSecret(claims, token, options);
      if ('error' in secret) return secret;
      void markUsed(secret, options, marking);
      return { user: userOf(claims), audiences: shared.audiences };
    },
  };
}

function isLegacy(token: string): boolean {
  try {
    return decodeJwt(token).iss === ISSUER;
  } catch {
    return false;
  }
}

function claimsOf(payload: JWTPayload): Claims | { readonly error: string } {
  const text = (name: string) => String(payload[`${CLAIMS}/${name}`] ?? '');
  const claims = {
    namespace: text('namespace'),
    account: text('service-account.name'),
    uid: text('service-account.uid'),
    secret: text('secret.name'),
  };
  if (!payload.sub) return { error: 'sub claim is missing' };
  if (claims.namespace === '') return { error: 'namespace claim is missing' };
  if (claims.secret === '') return { error: 'secretName claim is missing' };
  if (claims.account === '') return { error: 'serviceAccountName claim is missing' };
  if (claims.uid === '') return { error: 'serviceAccountUID claim is missing' };
  return payload.sub === serviceAccountUser(claims.namespace, claims.account) ? claims : { error: 'sub claim is invalid' };
}

function checkedSecret(
  { namespace, account, uid, secret: name }: Claims,
  token: string,
  { reader }: LegacyTokensOptions,
): DeepReadonly<Secret> | { readonly error: string } {
  const invalidated = { error: 'Token has been invalidated' };
  const secret = reader.find(secrets, { namespace, name });
  if (secret === undefined || secret.metadata.deletionTimestamp !== undefined) return invalidated;
  if (Buffer.from(secret.data?.['token'] ?? '', 'base64').toString() !== token) return { error: "Token does not match server's copy" };
  const found = reader.find(serviceaccounts, { namespace, name: account });
  if (found === undefined) return { error: `serviceaccounts ${JSON.stringify(account)} not found` };
  if (found.metadata.deletionTimestamp !== undefined) return { error: `ServiceAccount ${namespace}/${account} has been deleted` };
  if (found.metadata.uid !== uid) return { error: `ServiceAccount UID (${found.metadata.uid}) does not match claim (${uid})` };
  return secret.metadata.labels?.[INVALID_SINCE] ? invalidated : secret;
}

/** Once a day; clocks of several servers may stand on either side of midnight. */
async function markUsed(secret: DeepReadonly<Secret>, { now, label }: LegacyTokensOptions, marking: Set<string>): Promise<void> {
  const [today, tomorrow] = [now(), now() + DAY_MS].map((time) => new Date(time).toISOString().slice(0, 10));
  const last = secret.metadata.labels?.[LAST_USED];
  const { uid = '' } = secret.metadata;
  if (last === today || last === tomorrow || marking.has(uid)) return;
  marking.add(uid);
  try {
    await label(secret, { [LAST_USED]: today ?? '' });
  } finally {
    marking.delete(uid);
  }
}

function userOf({ namespace, account, uid }: Claims): Extract<Identification, { readonly user: unknown }>['user'] {
  const groups = [SERVICE_ACCOUNTS_GROUP, `${SERVICE_ACCOUNTS_GROUP}:${namespace}`, AUTHENTICATED_GROUP];
  return { name: serviceAccountUser(namespace, account), uid, groups, extra: {} };
}
