// SPDX-License-Identifier: Apache-2.0
// ID tokens of OpenID Connect issuers: the issuer's keys are found through its discovery document when the first of its tokens
// comes, and kept. Distributed claims are not resolved.
// @source upstream apiserver plugin/pkg/authenticator/token/oidc/oidc.go
import { createRemoteJWKSet, customFetch, decodeJwt, type JWTVerifyGetKey, jwtVerify } from 'jose';
import type { Clock } from '#component';
import type { TokenAuthenticator } from '../token-authenticator.ts';
import type { Identification } from '../tokens.ts';
import { type ClaimsMapper, compileClaims } from './claims.ts';
import type { JwtAuthenticator } from './configuration.ts';

export interface OidcOptions {
  readonly jwt: readonly JwtAuthenticator[];
  /** @default every asymmetric one */
  readonly signingAlgorithms?: readonly string[];
  readonly clock: Pick<Clock, 'now'>;
}

const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'ES256', 'ES384', 'ES512', 'PS256', 'PS384', 'PS512', 'EdDSA'];
const DISCOVERY_TIMEOUT_MS = 10_000;
/** A failed discovery is not repeated for this long. */
const RETRY_MS = 10_000;

/** @throws {FlagError} If an expression does not compile. */
export async function oidcTokens({ jwt, signingAlgorithms = ALGORITHMS, clock }: OidcOptions): Promise<TokenAuthenticator> {
  const issuers = new Map<string, Issuer>();
  for (const [index, configuration] of jwt.entries()) {
    const map = await compileClaims(configuration, `jwt[${index}]`);
    issuers.set(configuration.issuer.url, new Issuer(configuration, map, signingAlgorithms, clock));
  }
  return {
    name: 'OIDC',
    identify(token, audiences) {
      const issuer = issuers.get(issuerOf(token));
      return issuer?.identify(token, audiences);
    },
  };
}

function issuerOf(token: string): string {
  try {
    return decodeJwt(token).iss ?? '';
  } catch {
    return ''; // No JWT: some other kind of token.
  }
}

class Issuer {
  readonly #configuration: JwtAuthenticator;
  readonly #map: ClaimsMapper;
  readonly #algorithms: readonly string[];
  readonly #clock: Pick<Clock, 'now'>;
  #keys: Promise<JWTVerifyGetKey> | undefined;
  #failedAt = Number.NEGATIVE_INFINITY;

  constructor(configuration: JwtAuthenticator, map: ClaimsMapper, algorithms: readonly string[], clock: Pick<Clock, 'now'>) {
    this.#configuration = configuration;
    this.#map = map;
    this.#algorithms = algorithms;
    this.#clock = clock;
  }

  async identify(token: string, wanted: readonly string[]): Promise<Identification> {
    const { audiences, url } = this.#configuration.issuer;
    try {
      const keys = await this.#find();
      const { payload } = await jwtVerify(token, keys, {
        issuer: url,
        audience: [...audiences],
        algorithms: [...this.#algorithms],
        currentDate: new Date(this.#clock.now()),
      });
      const of = [payload.aud ?? []].flat();
      const shared = wanted.length === 0 ? of : of.filter((audience) => wanted.includes(audience));
      return { user: this.#map(payload), audiences: shared };
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      return { error: text.startsWith('oidc: ') ? text : `oidc: verify token: ${text}` };
    }
  }

  /** The issuer's keys. @throws {Error} While its discovery fails. */
  #find(): Promise<JWTVerifyGetKey> {
    if (this.#keys === undefined) {
      if (this.#clock.now() < this.#failedAt + RETRY_MS)
        throw new Error(`oidc: authenticator for issuer "${this.#configuration.issuer.url}" is not initialized`);
      this.#keys = this.#discover().catch((error: unknown) => {
        this.#keys = undefined;
        this.#failedAt = this.#clock.now();
        throw new Error(`oidc: authenticator for issuer "${this.#configuration.issuer.url}" is not initialized`, { cause: error });
      });
    }
    return this.#keys;
  }

  async #discover(): Promise<JWTVerifyGetKey> {
    const { Agent, fetch } = await import('../../http-client.ts');
    const { url, discoveryURL, certificateAuthority } = this.#configuration.issuer;
    const place = discoveryURL ?? `${url.replace(/\/$/, '')}/.well-known/openid-configuration`;
    const dispatcher = new Agent({ connect: certificateAuthority ? { ca: certificateAuthority } : {} });
    const answer = await fetch(place, { dispatcher, signal: AbortSignal.timeout(DISCOVERY_TIMEOUT_MS) });
    if (!answer.ok) throw new Error(`get ${place}: ${answer.status}`);
    const document = (await answer.json()) as { readonly issuer?: string; readonly jwks_uri?: string };
    if (document.issuer !== url)
      throw new Error(`issuer did not match the issuer returned by provider, expected "${url}" got "${document.issuer}"`);
    if (document.jwks_uri === undefined) throw new Error(`get ${place}: it names no jwks_uri`);
    const viaAgent = (target: string, options: object) => fetch(target, { ...options, dispatcher });
    return createRemoteJWKSet(new URL(document.jwks_uri), { [customFetch]: viaAgent as never });
  }
}
