// SPDX-License-Identifier: Apache-2.0
// Upstream's flags of service account tokens: keys, issuers, audiences, how long they may live.
import { readFileSync } from 'node:fs';
import { FlagError, type FlagSpecs, type Flags } from '#component';
import type { TokenKeys } from './tokens.ts';

export const SERVICE_ACCOUNT_FLAGS: FlagSpecs = {
  'service-account-key-file': { type: 'strings', help: 'Keys that check service account tokens, PEM.' },
  'service-account-signing-key-file': { type: 'string', help: 'Key that signs them, PEM.' },
  'service-account-issuer': { type: 'strings', help: 'Issuer of the tokens; of several the first issues, all are accepted.' },
  'service-account-jwks-uri': { type: 'string', help: 'Where the keys are found, in the discovery document.' },
  'service-account-max-token-expiration': { type: 'duration', default: '0s', help: 'The longest life of a token; 0 is no limit.' },
  'service-account-extend-token-expiration': {
    type: 'bool',
    default: 'true',
    help: 'Tokens of Pods live a year, for clients that never read them again.',
  },
  'service-account-lookup': { type: 'bool', default: 'true', help: 'Tokens are checked against what they are bound to; false is refused.' },
  'api-audiences': { type: 'strings', help: 'Audiences of the API; the issuers unless given.' },
};

const ISSUER = 'https://kubernetes.default.svc.cluster.local';
const HOUR_MS = 3_600_000;
const LONGEST_MS = 2 ** 32 * 1000;

/** @param ownKey Where no key to sign with is named. @throws {FlagError} For what cannot be used. */
export function tokenKeysFrom(flags: Flags, ownKey: string | undefined): TokenKeys {
  const path = flags.string('service-account-signing-key-file');
  const signingKey = path === '' ? (ownKey ?? '') : readFileSync(path, 'utf8');
  const keyFiles = flags.strings('service-account-key-file').map((file) => readFileSync(file, 'utf8'));
  const [issuer = ISSUER, ...otherIssuers] = flags.strings('service-account-issuer');
  const audiences = flags.strings('api-audiences');
  if (!flags.bool('service-account-lookup')) throw new FlagError('flag --service-account-lookup: tokens are always checked: leave it out');
  return {
    signingKey,
    verificationKeys: keyFiles.length > 0 ? keyFiles : [signingKey],
    issuer,
    otherIssuers,
    audiences: audiences.length > 0 ? audiences : [issuer, ...otherIssuers],
    maxExpirationSeconds: longestLife(flags.duration('service-account-max-token-expiration')),
    extendsExpiration: flags.bool('service-account-extend-token-expiration'),
    jwksUri: flags.string('service-account-jwks-uri') || undefined,
  };
}

/** @source upstream pkg/kubeapiserver/options/authentication.go */
function longestLife(milliseconds: number): number | undefined {
  if (milliseconds === 0) return undefined;
  if (milliseconds < HOUR_MS || milliseconds > LONGEST_MS)
    throw new FlagError('the service-account-max-token-expiration must be between 1 hour and 2^32 seconds');
  return milliseconds / 1000;
}
