// SPDX-License-Identifier: Apache-2.0
// The AuthenticationConfiguration file (apiserver.config.k8s.io, KEP-3331): its types, and everything that can be wrong with it.
// The `--oidc-*` flags become the same form. Not read: egress selectors.
import { FlagError } from '#component';
import { parseYaml } from '#machinery';
import { describeProblems } from '../field-problems.ts';
import { authenticationCauses } from './validation.ts';

export interface PrefixedClaim {
  readonly claim?: string;
  readonly prefix?: string;
  readonly expression?: string;
}

export interface ClaimMappings {
  readonly username: PrefixedClaim;
  readonly groups?: PrefixedClaim;
  readonly uid?: { readonly claim?: string; readonly expression?: string };
  readonly extra?: readonly { readonly key: string; readonly valueExpression: string }[];
}

export interface ClaimValidationRule {
  readonly claim?: string;
  readonly requiredValue?: string;
  readonly expression?: string;
  readonly message?: string;
}

export interface JwtAuthenticator {
  readonly issuer: {
    readonly url: string;
    readonly discoveryURL?: string;
    readonly certificateAuthority?: string;
    readonly audiences: readonly string[];
    readonly audienceMatchPolicy?: string;
    readonly egressSelectorType?: string;
  };
  readonly claimValidationRules?: readonly ClaimValidationRule[];
  readonly claimMappings: ClaimMappings;
  readonly userValidationRules?: readonly { readonly expression: string; readonly message?: string }[];
}

export interface AuthenticationConfiguration {
  readonly jwt: readonly JwtAuthenticator[];
  /** Undefined: `--anonymous-auth` says. */
  readonly anonymous?: { readonly enabled: boolean; readonly conditions?: readonly { readonly path: string }[] };
}

const API_VERSIONS = ['v1', 'v1beta1', 'v1alpha1'].map((version) => `apiserver.config.k8s.io/${version}`);
const FIELDS: Readonly<Record<string, readonly string[]>> = {
  '': ['apiVersion', 'kind', 'jwt', 'anonymous'],
  jwt: ['issuer', 'claimValidationRules', 'claimMappings', 'userValidationRules'],
  issuer: ['url', 'discoveryURL', 'certificateAuthority', 'audiences', 'audienceMatchPolicy', 'egressSelectorType'],
  claimMappings: ['username', 'groups', 'uid', 'extra'],
};

/** @param disallowedIssuers Those of the server's own tokens. @throws {FlagError} With every problem of the file. */
export function parseAuthenticationConfiguration(
  text: string,
  path: string,
  disallowedIssuers: readonly string[] = [],
): AuthenticationConfiguration {
  const refuse = (problems: readonly string[]): never => {
    throw new FlagError(`authentication configuration "${path}" cannot be used: ${problems.join('; ')}`);
  };
  let value: unknown;
  try {
    value = parseYaml(text).value;
  } catch (error) {
    refuse([error instanceof Error ? error.message : String(error)]);
  }
  if (!isRecord(value)) return refuse(['it is no object']);
  if (value['kind'] !== 'AuthenticationConfiguration' || !API_VERSIONS.includes(String(value['apiVersion'])))
    refuse([`its kind is ${value['apiVersion']} ${value['kind']}, wanted ${API_VERSIONS[0]} AuthenticationConfiguration`]);
  const unknown = unknownFieldsOf(value);
  if (unknown.length > 0) refuse([`strict decoding error: ${unknown.join(', ')}`]);
  if (!hasShape(value)) return refuse(['a field is not of the type that it must have']);
  const given = value as unknown as Partial<AuthenticationConfiguration>;
  const configuration: AuthenticationConfiguration = { ...given, jwt: given.jwt ?? [] };
  const causes = authenticationCauses(configuration, disallowedIssuers);
  return causes.length > 0 ? refuse([describeProblems(causes)]) : configuration;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function unknownFieldsOf(value: Record<string, unknown>): string[] {
  const problems = unknownFields(value, '', '');
  const jwt = Array.isArray(value['jwt']) ? value['jwt'] : [];
  for (const [index, item] of jwt.entries()) {
    problems.push(...unknownFields(item, 'jwt', `jwt[${index}]`));
    for (const name of ['issuer', 'claimMappings']) {
      const inner = isRecord(item) ? item[name] : undefined;
      problems.push(...unknownFields(inner, name, `jwt[${index}].${name}`));
    }
  }
  return problems;
}

function unknownFields(value: unknown, type: string, at: string): string[] {
  if (!isRecord(value)) return [];
  return Object.keys(value)
    .filter((name) => FIELDS[type]?.includes(name) === false)
    .map((name) => `unknown field "${at === '' ? '' : `${at}.`}${name}"`);
}

type Check = (value: unknown) => boolean;

const isText: Check = (value) => typeof value === 'string';
const optional =
  (check: Check): Check =>
  (value) =>
    value === undefined || check(value);
const listOf = (check: Check): Check => optional((value) => Array.isArray(value) && value.every(check));
const recordOf =
  (fields: Readonly<Record<string, Check>>): Check =>
  (value) =>
    isRecord(value) && Object.entries(fields).every(([name, check]) => check(value[name]));
const text = optional(isText);
const prefixed = optional(recordOf({ claim: text, prefix: text, expression: text }));

/** Whether what is given is of the types that the rules rely on. */
const hasShape = recordOf({
  jwt: listOf(
    recordOf({
      issuer: optional(
        recordOf({
          url: text,
          discoveryURL: text,
          certificateAuthority: text,
          audiences: listOf(isText),
          audienceMatchPolicy: text,
          egressSelectorType: text,
        }),
      ),
      claimValidationRules: listOf(recordOf({ claim: text, requiredValue: text, expression: text, message: text })),
      claimMappings: optional(
        recordOf({ username: prefixed, groups: prefixed, uid: prefixed, extra: listOf(recordOf({ key: text, valueExpression: text })) }),
      ),
      userValidationRules: listOf(recordOf({ expression: text, message: text })),
    }),
  ),
  anonymous: optional(
    recordOf({ enabled: optional((value) => typeof value === 'boolean'), conditions: listOf(recordOf({ path: isText })) }),
  ),
});

export interface OidcFlags {
  readonly issuerUrl: string;
  readonly clientId: string;
  readonly ca: string | undefined;
  readonly usernameClaim: string;
  readonly usernamePrefix: string;
  readonly groupsClaim: string;
  readonly groupsPrefix: string;
  readonly requiredClaims: Readonly<Record<string, string>>;
}

/** What the flags mean in the file's form. @source upstream pkg/kubeapiserver/options/authentication.go */
export function configurationOfFlags(flags: OidcFlags): JwtAuthenticator {
  const { issuerUrl, clientId, ca, usernameClaim, groupsClaim } = flags;
  // Names of different issuers must not meet, save where asked for, or where they are mail addresses.
  const standard = usernameClaim === 'email' ? '' : `${issuerUrl}#`;
  const prefix = flags.usernamePrefix === '-' ? '' : flags.usernamePrefix || standard;
  return {
    issuer: { url: issuerUrl, audiences: [clientId], ...(ca === undefined ? {} : { certificateAuthority: ca }) },
    claimMappings: {
      username: { claim: usernameClaim, prefix },
      ...(groupsClaim === '' ? {} : { groups: { claim: groupsClaim, prefix: flags.groupsPrefix } }),
    },
    claimValidationRules: Object.entries(flags.requiredClaims).map(([claim, requiredValue]) => ({ claim, requiredValue })),
  };
}
