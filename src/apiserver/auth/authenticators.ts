// SPDX-License-Identifier: Apache-2.0
// Who a request is from: a client certificate, a bearer token, or nobody (anonymous). Loopback requests bring their user along.
// @source upstream apiserver pkg/authentication/request, pkg/kubeapiserver/authenticator
import { readFileSync } from 'node:fs';
import type { TLSSocket } from 'node:tls';
import type { Authenticator } from '../filters/authentication.ts';
import type { RequestContext } from '../request/context.ts';
import type { ServiceAccountTokens } from './tokens.ts';
import { ANONYMOUS, AUTHENTICATED_GROUP, UNAUTHENTICATED_GROUP, type UserInfo } from './user.ts';

/** The user a verified client certificate names: CN the name, O the groups. */
export function userOfCertificate(socket: TLSSocket): UserInfo | undefined {
  if (!socket.authorized) return undefined;
  const { subject } = socket.getPeerCertificate();
  if (subject === undefined) return undefined;
  const groups = subject.O === undefined ? [] : Array.isArray(subject.O) ? subject.O : [subject.O];
  const name = Array.isArray(subject.CN) ? (subject.CN[0] ?? '') : (subject.CN ?? '');
  if (name === '') return undefined;
  return { name, uid: '', groups: withGroup(groups, AUTHENTICATED_GROUP), extra: {} };
}

function withGroup(groups: readonly string[], group: string): readonly string[] {
  return groups.includes(group) ? groups : [...groups, group];
}

const NOBODY: UserInfo = { name: ANONYMOUS, uid: '', groups: [UNAUTHENTICATED_GROUP], extra: {} };

export interface AuthenticatorOptions {
  readonly tokens: ServiceAccountTokens;
  /** Of `--token-auth-file`. */
  readonly staticTokens: ReadonlyMap<string, UserInfo>;
  readonly anonymous: boolean;
}

export function createAuthenticator({ tokens, staticTokens, anonymous }: AuthenticatorOptions): Authenticator {
  return {
    identify(context) {
      const { connectionUser } = context.request;
      if (connectionUser !== undefined) return connectionUser;
      const token = bearerOf(context);
      if (token === undefined) return anonymous ? NOBODY : undefined;
      const known = staticTokens.get(token);
      if (known !== undefined) return known;
      return tokens.authenticate(token).then((found) => found?.user);
    },
  };
}

/** The bearer token of the Authorization header, or of the WebSocket subprotocol that browsers use. */
export function bearerOf(context: RequestContext): string | undefined {
  const header = context.header('authorization');
  if (header.length > 7 && header.slice(0, 7).toLowerCase() === 'bearer ') return header.slice(7).trim();
  const protocols = context.header('sec-websocket-protocol');
  if (protocols === '') return undefined;
  const prefix = 'base64url.bearer.authorization.k8s.io.';
  const found = protocols.split(',').find((text) => text.trim().startsWith(prefix));
  return found === undefined ? undefined : Buffer.from(found.trim().slice(prefix.length), 'base64url').toString();
}

/** Reads `token,user,uid,"group1,group2"` lines. @throws {Error} If a line has fewer than three columns. */
export function readStaticTokens(path: string): Map<string, UserInfo> {
  const users = new Map<string, UserInfo>();
  for (const line of readFileSync(path, 'utf8').split('\n')) {
    if (line.trim() === '') continue;
    const columns = [...line.matchAll(/"([^"]*)"|([^,]+)/g)].map((match) => (match[1] ?? match[2] ?? '').trim());
    const [token, name, uid, groups] = columns;
    if (!token || !name || uid === undefined) throw new Error(`read "${path}": a line has fewer than three columns: token, user, uid`);
    const named = groups === undefined ? [] : groups.split(',').map((group) => group.trim());
    users.set(token, { name, uid, groups: withGroup(named, AUTHENTICATED_GROUP), extra: {} });
  }
  return users;
}
