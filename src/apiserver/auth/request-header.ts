// SPDX-License-Identifier: Apache-2.0
// Authentication by headers of a front proxy: who shows a certificate of the front proxies' authority, under an allowed name, may
// say in X-Remote-* headers whose request it is. Also tells the two authorities of client certificates apart, since a front
// proxy's certificate proves nothing but that.
// @source upstream apiserver pkg/authentication/request/{headerrequest,x509}
import { X509Certificate } from 'node:crypto';
import type { DetailedPeerCertificate, TLSSocket } from 'node:tls';
import type { RequestHeaderConfig } from '../aggregation/authentication-config-map.ts';
import type { Authenticator } from '../filters/authentication.ts';
import { type IncomingRequest, RequestContext } from '../request/context.ts';
import { REFUSED_CERTIFICATE } from './authenticators.ts';
import { ANONYMOUS, AUTHENTICATED_GROUP, type UserInfo } from './user.ts';

const MAX_DEPTH = 10;
/** Each certificate of a PEM file. */
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

function certificatesOf(pem: string | undefined): readonly X509Certificate[] {
  return (pem?.match(CERTIFICATE) ?? []).map((text) => new X509Certificate(text));
}

/**
 * Whether one of `anchors` has issued the certificate, itself or through others. TLS has verified the chain already; a resumed session
 * knows only the certificate itself, so that its signature is looked at again.
 */
function isIssuedBy(certificate: DetailedPeerCertificate, anchors: readonly X509Certificate[]): boolean {
  let current: DetailedPeerCertificate | undefined = certificate.issuerCertificate;
  for (let depth = 1; current !== undefined && depth < MAX_DEPTH; depth++) {
    const { fingerprint256 } = current;
    if (anchors.some((anchor) => anchor.fingerprint256 === fingerprint256)) return true;
    if (current.issuerCertificate === current) return false;
    current = current.issuerCertificate;
  }
  const leaf = new X509Certificate(certificate.raw);
  return anchors.some((anchor) => leaf.checkIssued(anchor) && leaf.verify(anchor.publicKey));
}

export class FrontProxies {
  readonly #config: RequestHeaderConfig;
  readonly #clientAnchors: readonly X509Certificate[];
  readonly #proxyAnchors: readonly X509Certificate[];
  /** Stand-ins for connections of front proxies, with the user that the certificate itself names, if it does. */
  readonly #connections = new WeakMap<UserInfo, UserInfo | undefined>();

  /** @param clientCa PEM; the authority of ordinary client certificates. */
  constructor(config: RequestHeaderConfig, clientCa: string | undefined) {
    this.#config = config;
    this.#clientAnchors = certificatesOf(clientCa);
    this.#proxyAnchors = certificatesOf(config.clientCa);
  }

  /** Who a connection is. @param named What its certificate says by itself. */
  identify(socket: TLSSocket, named: UserInfo | undefined): UserInfo | undefined {
    if (!socket.authorized) return named;
    const certificate = socket.getPeerCertificate(true);
    const user = isIssuedBy(certificate, this.#clientAnchors) ? named : REFUSED_CERTIFICATE;
    if (!isIssuedBy(certificate, this.#proxyAnchors) || !this.#isAllowed(named)) return user;
    const stand: UserInfo = { name: `front-proxy:${named?.name ?? ''}`, uid: '', groups: [], extra: {} };
    this.#connections.set(stand, user);
    return stand;
  }

  #isAllowed(named: UserInfo | undefined): boolean {
    const { allowedNames } = this.#config;
    return allowedNames.length === 0 || (named !== undefined && allowedNames.includes(named.name));
  }

  /** Puts header authentication before `next`; what is no front proxy's goes there as it came. */
  authenticate(next: Authenticator): Authenticator {
    return {
      identify: (context) => {
        const { connectionUser } = context.request;
        if (connectionUser === undefined || !this.#connections.has(connectionUser)) return next.identify(context);
        return this.userOf(context.request) ?? next.identify(asUser(context, this.#connections.get(connectionUser)));
      },
    };
  }

  /** The user that the headers name. */
  userOf(request: Pick<IncomingRequest, 'headers' | 'rawHeaders'>): UserInfo | undefined {
    const { usernameHeaders, uidHeaders, groupHeaders, extraHeaderPrefixes } = this.#config;
    const values = headersOf(request);
    const first = (names: readonly string[]) => names.flatMap((name) => values.get(name.toLowerCase()) ?? []).find((value) => value !== '');
    const name = first(usernameHeaders);
    if (name === undefined) return undefined;
    const groups = groupHeaders.flatMap((header) => values.get(header.toLowerCase()) ?? []);
    const isNamed = groups.includes(AUTHENTICATED_GROUP) || name === ANONYMOUS;
    return {
      name,
      uid: first(uidHeaders) ?? '',
      groups: isNamed ? groups : [...groups, AUTHENTICATED_GROUP],
      extra: extraOf(values, extraHeaderPrefixes),
    };
  }
}

type Values = ReadonlyMap<string, readonly string[]>;

/** Each value by itself: one that holds a comma must not become two groups. */
function headersOf({ headers, rawHeaders }: Pick<IncomingRequest, 'headers' | 'rawHeaders'>): Values {
  const found = new Map<string, string[]>();
  const add = (name: string, value: string) => {
    const known = found.get(name);
    if (known === undefined) found.set(name, [value]);
    else known.push(value);
  };
  if (rawHeaders !== undefined) {
    for (let index = 0; index + 1 < rawHeaders.length; index += 2)
      add((rawHeaders[index] ?? '').toLowerCase(), rawHeaders[index + 1] ?? '');
    return found;
  }
  for (const [name, value] of Object.entries(headers)) for (const one of [value ?? []].flat()) add(name, one);
  return found;
}

function extraOf(values: Values, prefixes: readonly string[]): Record<string, readonly string[]> {
  const extra: Record<string, readonly string[]> = {};
  for (const [name, list] of values) {
    const prefix = prefixes.find((candidate) => name.startsWith(candidate.toLowerCase()));
    if (prefix !== undefined) extra[unescapeKey(name.slice(prefix.length))] = list;
  }
  return extra;
}

function unescapeKey(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The same request from the connection's own user. */
function asUser({ request, info, query, receivedAt }: RequestContext, connectionUser: UserInfo | undefined): RequestContext {
  const { method, path, search, headers, remoteAddress } = request;
  const plain: IncomingRequest = {
    method,
    path,
    search,
    headers,
    remoteAddress,
    connectionUser,
    readBody: (limit) => request.readBody(limit),
    get signal() {
      return request.signal;
    },
  };
  return new RequestContext(plain, info, query, receivedAt);
}
