// SPDX-License-Identifier: Apache-2.0
// Bootstrap tokens: `abcdef.0123456789abcdef`, kept as Secrets in kube-system, with which new nodes introduce themselves.
// @source upstream plugin/pkg/auth/authenticator/token/bootstrap, staging cluster-bootstrap/token
import { timingSafeEqual } from 'node:crypto';
import { secrets } from '#api';
import type { Secret } from '#api/core/v1';
import type { DeepReadonly } from '#machinery';
import type { ObjectReader } from '../registry/strategy.ts';
import type { TokenAuthenticator } from './token-authenticator.ts';
import { AUTHENTICATED_GROUP } from './user.ts';

const TOKEN = /^([a-z0-9]{6})\.([a-z0-9]{16})$/;
const SECRET_TYPE = 'bootstrap.kubernetes.io/token';
const GROUP = 'system:bootstrappers';
const EXTRA_GROUP = /^system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]$/;

export function bootstrapTokens(reader: ObjectReader, now: () => number): TokenAuthenticator {
  return {
    name: 'BootstrapToken',
    identify(token) {
      const [, id, secret] = TOKEN.exec(token) ?? [];
      if (id === undefined || secret === undefined) return undefined;
      const found = reader.find(secrets, { namespace: 'kube-system', name: `bootstrap-token-${id}` }) as DeepReadonly<Secret> | undefined;
      if (found === undefined || !isUsable(found, { id, secret }, now())) return undefined;
      const extra = extraGroups(textOf(found, 'auth-extra-groups'));
      if (extra === undefined) return undefined;
      const groups = [...new Set([GROUP, ...extra])].sort();
      return { user: { name: `system:bootstrap:${id}`, uid: '', groups: [...groups, AUTHENTICATED_GROUP], extra: {} }, audiences: [] };
    },
  };
}

const textOf = ({ data }: DeepReadonly<Secret>, key: string) => Buffer.from(data?.[key] ?? '', 'base64').toString();

function isUsable(found: DeepReadonly<Secret>, token: { readonly id: string; readonly secret: string }, now: number): boolean {
  if (found.metadata.deletionTimestamp !== undefined || found.type !== SECRET_TYPE) return false;
  if (!equal(textOf(found, 'token-secret'), token.secret) || textOf(found, 'token-id') !== token.id) return false;
  const expiration = textOf(found, 'expiration');
  // What does not parse counts as past: a token must not live on for a typing error.
  if (expiration !== '' && !(Date.parse(expiration) > now)) return false;
  return textOf(found, 'usage-bootstrap-authentication') === 'true';
}

/** Takes as long for a wrong text as for the right one. */
function equal(left: string, right: string): boolean {
  const [a, b] = [Buffer.from(left), Buffer.from(right)];
  return a.length === b.length && timingSafeEqual(a, b);
}

/** @returns undefined if one of them is no group that a bootstrap token may have. */
function extraGroups(text: string): readonly string[] | undefined {
  if (text === '') return [];
  const groups = text.split(',');
  return groups.every((group) => EXTRA_GROUP.test(group)) ? groups : undefined;
}
