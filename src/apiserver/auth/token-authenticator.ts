// SPDX-License-Identifier: Apache-2.0
// Bearer tokens: the contract of those who can read one, and their union, in upstream's order: static tokens, service accounts,
// bootstrap tokens, OIDC, webhook. The first that knows a token decides; TokenReview asks the same union.
// @source upstream pkg/kubeapiserver/authenticator/config.go
import type { Identification } from './tokens.ts';

export interface TokenAuthenticator {
  readonly name: string;
  /**
   * @param audiences Of whom the token has to speak; empty: the API server's own.
   * @returns Whose it is, or why it is no good; undefined if it is not of this kind.
   */
  identify(token: string, audiences: readonly string[]): Identification | undefined | Promise<Identification | undefined>;
}

export const INVALID_TOKEN = 'invalid bearer token';

export interface TokenUnion {
  identify(token: string, audiences: readonly string[]): Promise<Identification>;
}

/** Asks each in turn. Errors of those that refused are joined as upstream's aggregate prints them. */
export function unionTokenAuthenticator(authenticators: readonly TokenAuthenticator[]): TokenUnion {
  return {
    async identify(token, audiences) {
      const errors = new Set<string>();
      for (const authenticator of authenticators) {
        const found = await authenticator.identify(token, audiences);
        if (found === undefined) continue;
        if (!('error' in found)) return found;
        errors.add(found.error);
      }
      return { error: errors.size === 0 ? INVALID_TOKEN : aggregate([INVALID_TOKEN, ...errors]) };
    },
  };
}

function aggregate(errors: readonly string[]): string {
  const distinct = [...new Set(errors)];
  return distinct.length === 1 ? (distinct[0] ?? '') : `[${distinct.join(', ')}]`;
}
