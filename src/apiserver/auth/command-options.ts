// SPDX-License-Identifier: Apache-2.0
// From upstream's authentication and authorization flags to the server's options: files are read, webhooks' clients are made,
// expressions compiled. What does not go together is refused by name.
import { readFileSync } from 'node:fs';
import { FlagError, type FlagSpecs, type Flags, type Logger, parseDuration, systemClock } from '#component';
import type { ApiServerOptions } from '../server-options.ts';
import { abacAuthorizer, parseAbacPolicies } from './abac.ts';
import { type AuthenticationOptions, readStaticTokens } from './authenticators.ts';
import { type AuthorizerChoice, kubeconfigClient, parseAuthorizationConfiguration } from './authorization-configuration.ts';
import { FollowedConfiguration } from './followed-configuration.ts';
import { type AuthenticationConfiguration, configurationOfFlags, oidcTokens, parseAuthenticationConfiguration } from './oidc/mod.ts';
import type { TokenAuthenticator } from './token-authenticator.ts';
import { webhookAuthorizer } from './webhook-authorizer.ts';
import { webhookTokens } from './webhook-token.ts';

export const AUTHENTICATION_FLAGS: FlagSpecs = {
  'token-auth-file': { type: 'string', help: 'Static bearer tokens: token,user,uid,"group,group" lines.' },
  'anonymous-auth': { type: 'bool', default: 'true', help: 'Requests without credentials are system:anonymous.' },
  'authentication-config': { type: 'string', help: 'AuthenticationConfiguration file: OIDC issuers, where anonymous access is allowed.' },
  'enable-bootstrap-token-auth': { type: 'bool', default: 'false', help: 'Secrets of type bootstrap.kubernetes.io/token are tokens.' },
  'authentication-token-webhook-config-file': { type: 'string', help: 'kubeconfig of a webhook that reads tokens.' },
  'authentication-token-webhook-cache-ttl': { type: 'string', default: '2m', help: 'How long its answers count.' },
  'authentication-token-webhook-version': { type: 'string', default: 'v1beta1', help: 'v1 or v1beta1: its TokenReview.' },
  'oidc-issuer-url': { type: 'string', help: 'OpenID issuer, https.' },
  'oidc-client-id': { type: 'string', help: 'Audience its tokens must have.' },
  'oidc-ca-file': { type: 'string', help: 'Authority of its certificate, PEM.' },
  'oidc-username-claim': { type: 'string', default: 'sub', help: 'Claim that names the user.' },
  'oidc-username-prefix': { type: 'string', help: 'What is put before names; "-" is nothing.' },
  'oidc-groups-claim': { type: 'string', help: 'Claim that lists groups.' },
  'oidc-groups-prefix': { type: 'string', help: 'What is put before groups.' },
  'oidc-required-claim': { type: 'strings', help: 'key=value pairs that a token must have.' },
  'oidc-signing-algs': { type: 'strings', default: 'RS256', help: 'Signatures that are accepted.' },
};

export const AUTHORIZATION_FLAGS: FlagSpecs = {
  'authorization-mode': {
    type: 'strings',
    default: 'Node,RBAC',
    help: 'Authorizers in order: Node, RBAC, ABAC, Webhook, AlwaysAllow, AlwaysDeny.',
  },
  'authorization-policy-file': { type: 'string', help: 'Policies of mode ABAC, one JSON object to a line.' },
  'authorization-config': { type: 'string', help: 'AuthorizationConfiguration file; instead of the mode and webhook flags.' },
  'authorization-webhook-config-file': { type: 'string', help: 'kubeconfig of the webhook of mode Webhook.' },
  'authorization-webhook-version': { type: 'string', default: 'v1beta1', help: 'v1 or v1beta1: its SubjectAccessReview.' },
  'authorization-webhook-cache-authorized-ttl': { type: 'string', default: '5m', help: 'How long its yes counts.' },
  'authorization-webhook-cache-unauthorized-ttl': { type: 'string', default: '30s', help: 'How long its no counts.' },
};

type Deps = { readonly logger: Pick<Logger, 'info' | 'warn' | 'error'> };
const SUPPORTED_ALGORITHMS = ['RS256', 'RS384', 'RS512', 'ES256', 'ES384', 'ES512', 'PS256', 'PS384', 'PS512'];

/** @param audiences Of the API server. @throws {FlagError} */
export async function authenticationFrom(flags: Flags, audiences: readonly string[], { logger }: Deps): Promise<AuthenticationOptions> {
  const file = flags.string('authentication-config');
  const usesOidcFlags = flags.string('oidc-issuer-url') !== '' || flags.string('oidc-client-id') !== '';
  if (file !== '' && usesOidcFlags) throw new FlagError('authentication-config file and oidc-* flags are mutually exclusive');
  const tokenAuthenticators: TokenAuthenticator[] = [];
  if (usesOidcFlags) {
    const signingAlgorithms = flags.strings('oidc-signing-algs');
    tokenAuthenticators.push(await oidcTokens({ jwt: [oidcFromFlags(flags)], signingAlgorithms, clock: systemClock }));
  }
  const followed = file === '' ? undefined : await followAuthentication(file, flags.strings('service-account-issuer'), logger);
  if (followed !== undefined) tokenAuthenticators.push(followed.tokens);
  const webhook = flags.string('authentication-token-webhook-config-file');
  if (webhook !== '') {
    tokenAuthenticators.push(
      webhookTokens({
        client: kubeconfigClient(webhook),
        version: flags.string('authentication-token-webhook-version'),
        cacheTtlMs: parseDuration(flags.string('authentication-token-webhook-cache-ttl')),
        audiences,
        clock: systemClock,
        logger,
      }),
    );
  }
  const { anonymous } = followed?.file.initial.configuration ?? {};
  return {
    staticTokens: flags.has('token-auth-file') ? readStaticTokens(flags.string('token-auth-file')) : new Map(),
    anonymous:
      anonymous === undefined
        ? { enabled: flags.bool('anonymous-auth') }
        : { enabled: anonymous.enabled, paths: anonymous.conditions?.map(({ path }) => path) },
    bootstrapTokens: flags.bool('enable-bootstrap-token-auth'),
    tokenAuthenticators,
    configurationFile: followed?.file,
  };
}

interface Authenticated {
  readonly configuration: AuthenticationConfiguration;
  readonly tokens: TokenAuthenticator;
}

/** Issuers follow the file; where anonymous access is allowed is settled at the start, as upstream has it. */
async function followAuthentication(file: string, issuers: readonly string[], logger: Deps['logger']) {
  const parse = async (text: string): Promise<Authenticated> => {
    const configuration = parseAuthenticationConfiguration(text, file, issuers);
    return { configuration, tokens: await oidcTokens({ jwt: configuration.jwt ?? [], clock: systemClock }) };
  };
  const followed = await FollowedConfiguration.open({ file, subsystem: 'authentication', parse, clock: systemClock, logger });
  let { tokens: current } = followed.initial;
  followed.use(({ tokens }) => {
    current = tokens;
  });
  const tokens: TokenAuthenticator = { name: 'OIDC', identify: (token, audiences) => current.identify(token, audiences) };
  return { file: followed, tokens };
}

function oidcFromFlags(flags: Flags) {
  const [issuerUrl, clientId] = [flags.string('oidc-issuer-url'), flags.string('oidc-client-id')];
  if (issuerUrl === '' || clientId === '')
    throw new FlagError('oidc-issuer-url and oidc-client-id must be specified together when any oidc-* flags are set');
  if (URL.parse(issuerUrl)?.protocol !== 'https:') throw new FlagError(`oidc-issuer-url "${issuerUrl}" must use https`);
  const unknown = flags.strings('oidc-signing-algs').find((algorithm) => !SUPPORTED_ALGORITHMS.includes(algorithm));
  if (unknown !== undefined) throw new FlagError(`oidc: unsupported signing alg: "${unknown}"`);
  const ca = flags.string('oidc-ca-file');
  return configurationOfFlags({
    issuerUrl,
    clientId,
    ca: ca === '' ? undefined : readFileSync(ca, 'utf8'),
    usernameClaim: flags.string('oidc-username-claim'),
    usernamePrefix: flags.string('oidc-username-prefix'),
    groupsClaim: flags.string('oidc-groups-claim'),
    groupsPrefix: flags.string('oidc-groups-prefix'),
    requiredClaims: Object.fromEntries(flags.strings('oidc-required-claim').map((pair) => splitAt(pair, pair.indexOf('=')))),
  });
}

function splitAt(pair: string, index: number): [string, string] {
  if (index <= 0) throw new FlagError(`invalid argument "${pair}" for "--oidc-required-claim" flag: wanted key=value`);
  return [pair.slice(0, index), pair.slice(index + 1)];
}

const MODES = ['AlwaysAllow', 'AlwaysDeny', 'ABAC', 'Webhook', 'RBAC', 'Node'];

/** @throws {FlagError} */
function checkModes(modes: readonly string[]): void {
  if (modes.length === 0) throw new FlagError('at least one authorization-mode must be passed');
  const unknown = modes.find((mode) => !MODES.includes(mode));
  if (unknown !== undefined) throw new FlagError(`authorization-mode ${JSON.stringify(unknown)} is not a valid mode`);
  if (new Set(modes).size === modes.length) return;
  const shown = modes.map((mode) => JSON.stringify(mode)).join(' ');
  throw new FlagError(`authorization-mode [${shown}] has mode specified more than once`);
}

/** Puts the policies in the place of the mode's name. @throws {FlagError} If they cannot be read, or nobody asks for them. */
function withAbac(modes: readonly AuthorizerChoice[], flags: Flags): AuthorizerChoice[] {
  const file = flags.string('authorization-policy-file');
  const isWanted = modes.includes('ABAC');
  if (isWanted && file === '') throw new FlagError("authorization-mode ABAC's authorization policy file not passed");
  if (!isWanted && file !== '') throw new FlagError('cannot specify --authorization-policy-file without mode ABAC');
  if (!isWanted) return [...modes];
  const abac = abacAuthorizer(parseAbacPolicies(readFileSync(file, 'utf8'), file));
  return modes.map((mode) => (mode === 'ABAC' ? abac : mode));
}

/** The authorizers in order, and the file that they follow. */
type AuthorizationOptions = Pick<ApiServerOptions, 'authorizationModes' | 'authorizationFile'>;

/** @throws {FlagError} */
export async function authorizationFrom(flags: Flags, { logger }: Deps): Promise<AuthorizationOptions> {
  const deps = { clock: systemClock, logger };
  const file = flags.string('authorization-config');
  const webhook = flags.string('authorization-webhook-config-file');
  if (file !== '') {
    if (webhook !== '')
      throw new FlagError('authorization-config can not be specified when authorization-webhook-config-file is specified');
    const parse = async (text: string): Promise<readonly AuthorizerChoice[]> =>
      withAbac(await parseAuthorizationConfiguration(text, file, deps), flags);
    const followed = await FollowedConfiguration.open({ file, subsystem: 'authorization', parse, clock: systemClock, logger });
    return { authorizationModes: followed.initial, authorizationFile: followed };
  }
  const modes = flags.strings('authorization-mode');
  checkModes(modes);
  if (modes.includes('Webhook') && webhook === '') throw new FlagError("authorization-mode Webhook's authorization config file not passed");
  if (!modes.includes('Webhook') && webhook !== '')
    throw new FlagError('cannot specify --authorization-webhook-config-file without mode Webhook');
  const authorizationModes = withAbac(modes, flags).map((mode) =>
    mode !== 'Webhook'
      ? mode
      : webhookAuthorizer({
          name: 'default',
          client: kubeconfigClient(webhook),
          version: flags.string('authorization-webhook-version'),
          authorizedTtlMs: parseDuration(flags.string('authorization-webhook-cache-authorized-ttl')),
          unauthorizedTtlMs: parseDuration(flags.string('authorization-webhook-cache-unauthorized-ttl')),
          timeoutMs: 30_000,
          failurePolicy: 'NoOpinion',
          ...deps,
        }),
  );
  return { authorizationModes };
}
