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
import { type LegacyTokensOptions, legacyTokens } from './legacy-tokens.ts';
import { type TokenAuthenticator, type TokenUnion, unionTokenAuthenticator } from './token-authenticator.ts';
import type { Identification, ServiceAccountTokens } from './tokens.ts';
import { ANONYMOUS, AUTHENTICATED_GROUP, CREDENTIAL_ID, UNAUTHENTICATED_GROUP, type UserInfo } from './user.ts';

/** Upstream's own attribute of a subject. */
const UID_ATTRIBUTE = '1.3.6.1.4.1.57683.2';

/** Stands for a certificate that proves nothing: who shows it is not taken for nobody, and may still have a token. */
export const REFUSED_CERTIFICATE: UserInfo = { name: '', uid: '', groups: [], extra: {} };

/**
 * The user a verified client certificate names: CN the name, O the groups. One of an unknown authority, with more than one UID or an
 * empty one, is refused; one without a name is as none.
 */
export function userOfCertificate(socket: TLSSocket): UserInfo | undefined {
  const { subject, fingerprint256 = '' } = socket.getPeerCertificate();
  if (subject === undefined) return undefined;
  if (!socket.authorized) return REFUSED_CERTIFICATE;
  const { CN, O, [UID_ATTRIBUTE]: UID } = subject as Readonly<Record<string, string | readonly string[] | undefined>>;
  const name = [CN ?? []].flat().at(-1) ?? '';
  const uids = [UID ?? []].flat();
  if (name === '') return undefined;
  if (uids.length > 1 || uids[0] === '') return REFUSED_CERTIFICATE;
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
  readonly label: LegacyTokensOptions['label'];
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
    legacyTokens({ ...deps, tokens: deps.serviceAccounts }),
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
      const isRefused = connectionUser === REFUSED_CERTIFICATE;
      if (connectionUser !== undefined && !isRefused) return connectionUser;
      const token = bearerOf(context);
      if (token === undefined) return isRefused ? undefined : nobodyOn(context.info.path);
      if (token === UNREADABLE) return undefined;
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

/** In place of a token where one is given that cannot be read. */
const UNREADABLE = Symbol('unreadable');

/** The bearer token of the Authorization header, or of the WebSocket subprotocol that browsers use. */
function bearerOf(context: RequestContext): string | typeof UNREADABLE | undefined {
  const header = context.header('authorization');
  return header === '' ? protocolToken(context) : (headerToken(header, context) ?? protocolToken(context));
}

/** @source upstream apiserver pkg/authentication/request/bearertoken */
function headerToken(header: string, context: RequestContext): string | undefined {
  const [scheme = '', token = '', rest] = header.trim().split(' ');
  if (scheme.toLowerCase() !== 'bearer') return undefined;
  if (token !== '') return token;
  if (rest !== undefined) context.warn('the provided Authorization header contains extra space before the bearer token, and is ignored');
  return undefined;
}

const TOKEN_PROTOCOL = 'base64url.bearer.authorization.k8s.io.';
const UTF8 = new TextDecoder('utf-8', { fatal: true });

/** @source upstream apiserver pkg/authentication/request/websocket */
function protocolToken(context: RequestContext): string | typeof UNREADABLE | undefined {
  const protocols = context.header('sec-websocket-protocol');
  if (protocols === '' || context.header('upgrade').toLowerCase() !== 'websocket') return undefined;
  const tokens = protocols
    .split(',')
    .flatMap((text) => (text.trim().startsWith(TOKEN_PROTOCOL) ? [text.trim().slice(TOKEN_PROTOCOL.length)] : []));
  if (tokens.length > 1) return UNREADABLE;
  const [encoded = ''] = tokens;
  if (encoded === '') return undefined;
  if (!/^[\w-]+$/.test(encoded)) return UNREADABLE;
  try {
    return UTF8.decode(Buffer.from(encoded, 'base64url'));
  } catch {
    return UNREADABLE;
  }
}

/** Reads `token,user,uid,"group1,group2"` lines; those without a token are nobody's. @throws {Error} If a line has fewer than three columns. */
export function readStaticTokens(path: string): Map<string, UserInfo> {
  const users = new Map<string, UserInfo>();
  for (const line of readFileSync(path, 'utf8').split(/\r?\n/)) {
    if (line === '') continue;
    const columns = columnsOf(line);
    const [token = '', name = '', uid = '', groups] = columns;
    if (columns.length < 3)
      throw new Error(`token file '${path}' must have at least 3 columns (token, user name, user uid), found ${columns.length}`);
    const named = groups === undefined || groups === '' ? [] : groups.split(',');
    if (token !== '') users.set(token, { name, uid, groups: withGroup(named, AUTHENTICATED_GROUP), extra: {} });
  }
  return users;
}

/** Of a line of CSV: a quoted one may hold commas, and quotes in pairs. */
function columnsOf(line: string): string[] {
  const columns = [...`${line},`.matchAll(/(?:"((?:[^"]|"")*)"|([^,]*)),/g)];
  return columns.map(([, quoted, plain = '']) => quoted?.replaceAll('""', '"') ?? plain);
}
