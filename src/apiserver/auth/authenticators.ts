// SPDX-License-Identifier: Apache-2.0
// Who a request is from: a client certificate, a bearer token, or nobody (anonymous). Loopback requests bring their user along.
// @source upstream apiserver pkg/authentication/request, pkg/kubeapiserver/authenticator
import { readFileSync } from 'node:fs';
import type { TLSSocket } from 'node:tls';
import type { Authenticator } from '../filters/authentication.ts';
import type { ObjectReader } from '../registry/strategy.ts';
import type { RequestContext } from '../request/context.ts';
import { bootstrapTokens } from './bootstrap-tokens.ts';
import type { ConfigurationFile } from './followed-configuration.ts';
import { type TokenAuthenticator, type TokenUnion, unionTokenAuthenticator } from './token-authenticator.ts';
import type { Identification, ServiceAccountTokens } from './tokens.ts';
import { ANONYMOUS, AUTHENTICATED_GROUP, CREDENTIAL_ID, UNAUTHENTICATED_GROUP, type UserInfo } from './user.ts';

/** Upstream's own attribute of a subject. */
const UID_ATTRIBUTE = '1.3.6.1.4.1.57683.2';

/** The user a verified client certificate names: CN the name, O the groups. More than one UID, or an empty one, makes it nobody's. */
export function userOfCertificate(socket: TLSSocket): UserInfo | undefined {
  if (!socket.authorized) return undefined;
  const { subject, fingerprint256 = '' } = socket.getPeerCertificate();
  if (subject === undefined) return undefined;
  const { CN, O, [UID_ATTRIBUTE]: UID } = subject as Readonly<Record<string, string | readonly string[] | undefined>>;
  const name = [CN ?? []].flat().at(-1) ?? '';
  const uids = [UID ?? []].flat();
  if (name === '' || uids.length > 1 || uids[0] === '') return undefined;
  const fingerprint = fingerprint256.replaceAll(':', '').toLowerCase();
  const extra = { [CREDENTIAL_ID]: [`X509SHA256=${fingerprint}`] };
  return { name, uid: uids[0] ?? '', groups: withGroup([O ?? []].flat(), AUTHENTICATED_GROUP), extra };
}

function withGroup(groups: readonly string[], group: string): readonly string[] {
  return groups.includes(group) ? groups : [...groups, group];
}

const NOBODY: UserInfo = { name: ANONYMOUS, uid: '', groups: [UNAUTHENTICATED_GROUP], extra: {} };

export interface AuthenticationOptions {
  /** Of `--token-auth-file`. */
  readonly staticTokens: ReadonlyMap<string, UserInfo>;
  readonly anonymous: AnonymousAccess;
  /** Secrets in kube-system are tokens of new nodes. @default false */
  readonly bootstrapTokens?: boolean | undefined;
  /** OIDC and webhooks, in order. */
  readonly tokenAuthenticators?: readonly TokenAuthenticator[] | undefined;
  /** What some of them follow. */
  readonly configurationFile?: ConfigurationFile | undefined;
}

export interface AuthenticatorDeps {
  readonly serviceAccounts: ServiceAccountTokens;
  readonly reader: ObjectReader;
  readonly now: () => number;
}

export interface Authentication {
  readonly authenticator: Authenticator;
  /** For TokenReview: whose a token is, or why it is nobody's. */
  readonly identify: (token: string, audiences: readonly string[]) => Promise<Identification>;
}

/** Who reads tokens, in upstream's order. */
export function createAuthentication(options: AuthenticationOptions, deps: AuthenticatorDeps): Authentication {
  const tokens = unionTokenAuthenticator([
    staticTokenAuthenticator(options.staticTokens),
    serviceAccountTokenAuthenticator(deps.serviceAccounts),
    ...(options.bootstrapTokens === true ? [bootstrapTokens(deps.reader, deps.now)] : []),
    ...(options.tokenAuthenticators ?? []),
  ]);
  return { authenticator: createAuthenticator({ ...options, tokens }), identify: (token, audiences) => tokens.identify(token, audiences) };
}

interface AuthenticatorOptions extends AuthenticationOptions {
  readonly tokens: TokenUnion;
}

/** Whether a request without credentials is somebody, and if on some paths only, on which. */
export interface AnonymousAccess {
  readonly enabled: boolean;
  readonly paths?: readonly string[] | undefined;
}

function createAuthenticator({ tokens, staticTokens, anonymous }: AuthenticatorOptions): Authenticator {
  const paths = anonymous.paths === undefined ? undefined : new Set(anonymous.paths);
  const nobodyOn = (path: string) => (anonymous.enabled && (paths === undefined || paths.has(path)) ? NOBODY : undefined);
  return {
    identify(context) {
      const { connectionUser } = context.request;
      if (connectionUser !== undefined) return connectionUser;
      const token = bearerOf(context);
      if (token === undefined) return nobodyOn(context.info.path);
      const known = staticTokens.get(token);
      if (known !== undefined) return known;
      return tokens.identify(token, []).then(userOf);
    },
  };
}

const userOf = (found: Identification) => ('error' in found ? undefined : found.user);

/** What `--token-auth-file` says, for TokenReview. */
function staticTokenAuthenticator(staticTokens: ReadonlyMap<string, UserInfo>): TokenAuthenticator {
  return {
    name: 'StaticToken',
    identify(token) {
      const user = staticTokens.get(token);
      return user === undefined ? undefined : { user, audiences: [] };
    },
  };
}

/** Service account tokens: only those of our own issuer are judged. */
function serviceAccountTokenAuthenticator(tokens: ServiceAccountTokens): TokenAuthenticator {
  return {
    name: 'ServiceAccount',
    identify: (token, audiences) =>
      tokens.isOwn(token) ? tokens.identify(token, audiences.length > 0 ? audiences : undefined) : undefined,
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
