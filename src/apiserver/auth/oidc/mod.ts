// SPDX-License-Identifier: Apache-2.0
// oidc: users of OpenID Connect issuers, configured by a file (AuthenticationConfiguration) or by the `--oidc-*` flags.

export {
  type AuthenticationConfiguration,
  configurationOfFlags,
  type JwtAuthenticator,
  parseAuthenticationConfiguration,
} from './configuration.ts';
export { type OidcOptions, oidcTokens } from './oidc.ts';
