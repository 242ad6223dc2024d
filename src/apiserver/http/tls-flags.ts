// SPDX-License-Identifier: Apache-2.0
// Upstream's flags of TLS: the oldest version, and the cipher suites, by their IANA names.
// @source upstream component-base cli/flag/ciphersuites_flag.go
import { getCiphers, type SecureContextOptions } from 'node:tls';
import { FlagError, type FlagSpecs, type Flags } from '#component';

export const TLS_FLAGS: FlagSpecs = {
  'tls-min-version': { type: 'string', help: 'The oldest version of TLS: VersionTLS12, VersionTLS13. Older ones are not spoken.' },
  'tls-cipher-suites': { type: 'strings', help: 'Cipher suites of TLS 1.2 by their IANA names; those of TLS 1.3 cannot be chosen.' },
};

const VERSIONS: Readonly<Record<string, 'TLSv1.2' | 'TLSv1.3'>> = { VersionTLS12: 'TLSv1.2', VersionTLS13: 'TLSv1.3' };
/** OpenSSL's names of the suites that Go can be told of. */
const SUITES: Readonly<Record<string, string>> = {
  TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256: 'ECDHE-ECDSA-AES128-GCM-SHA256',
  TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384: 'ECDHE-ECDSA-AES256-GCM-SHA384',
  TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305: 'ECDHE-ECDSA-CHACHA20-POLY1305',
  TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256: 'ECDHE-ECDSA-CHACHA20-POLY1305',
  TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA: 'ECDHE-ECDSA-AES128-SHA',
  TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA: 'ECDHE-ECDSA-AES256-SHA',
  TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256: 'ECDHE-RSA-AES128-GCM-SHA256',
  TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384: 'ECDHE-RSA-AES256-GCM-SHA384',
  TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305: 'ECDHE-RSA-CHACHA20-POLY1305',
  TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256: 'ECDHE-RSA-CHACHA20-POLY1305',
  TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA: 'ECDHE-RSA-AES128-SHA',
  TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA: 'ECDHE-RSA-AES256-SHA',
};
const FIXED_SUITES = new Set(['TLS_AES_128_GCM_SHA256', 'TLS_AES_256_GCM_SHA384', 'TLS_CHACHA20_POLY1305_SHA256']);

/** @throws {FlagError} For versions and suites that there are not, or that this Node was built without. */
export function tlsOptionsFrom(flags: Flags): Pick<SecureContextOptions, 'minVersion' | 'ciphers'> {
  const version = flags.string('tls-min-version');
  const suites = flags.strings('tls-cipher-suites');
  const minVersion = VERSIONS[version];
  if (version !== '' && minVersion === undefined)
    throw new FlagError(`flag --tls-min-version: unknown tls version ${JSON.stringify(version)}: give VersionTLS12 or VersionTLS13`);
  return {
    ...(minVersion !== undefined && { minVersion }),
    ...(suites.length > 0 && { ciphers: suites.map(opensslName).join(':') }),
  };
}

function opensslName(suite: string): string {
  if (FIXED_SUITES.has(suite)) return suite;
  const name = SUITES[suite];
  if (name === undefined || !getCiphers().includes(name.toLowerCase()))
    throw new FlagError(`flag --tls-cipher-suites: Cipher suite ${suite} not supported or doesn't exist`);
  return name;
}
