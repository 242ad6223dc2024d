// SPDX-License-Identifier: Apache-2.0
// The AuthenticationConfiguration file (apiserver.config.k8s.io, KEP-3331): its types, and everything that can be wrong with it.
// The `--oidc-*` flags become the same form. Not read: egress selectors.
import { FlagError } from '#component';
import { parseYaml } from '#machinery';

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

/** @throws {FlagError} With every problem of the file. */
export function parseAuthenticationConfiguration(text: string, path: string): AuthenticationConfiguration {
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
  const problems = problemsOf(value);
  if (problems.length > 0) refuse(problems);
  const configuration = value as unknown as AuthenticationConfiguration;
  return { ...configuration, jwt: configuration.jwt ?? [] };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function unknownFields(value: unknown, type: string, at: string): string[] {
  if (!isRecord(value)) return [`${at}: Required value`];
  return Object.keys(value)
    .filter((name) => FIELDS[type]?.includes(name) === false)
    .map((name) => `unknown field "${at === '' ? '' : `${at}.`}${name}"`);
}

function problemsOf(value: Record<string, unknown>): string[] {
  const problems = unknownFields(value, '', '');
  const jwt = value['jwt'] ?? [];
  if (!Array.isArray(jwt)) return [...problems, 'jwt: must be a list'];
  if (jwt.length > 64) problems.push('jwt: Too many: must have at most 64 items');
  const seen = new Set<unknown>();
  for (const [index, item] of jwt.entries()) {
    const at = `jwt[${index}]`;
    problems.push(...unknownFields(item, 'jwt', at));
    if (!isRecord(item)) continue;
    problems.push(
      ...issuerProblems(item['issuer'], `${at}.issuer`, seen),
      ...mappingProblems(item['claimMappings'], `${at}.claimMappings`),
    );
    problems.push(...ruleProblems(item['claimValidationRules'], `${at}.claimValidationRules`));
    problems.push(...ruleProblems(item['userValidationRules'], `${at}.userValidationRules`));
  }
  return [...problems, ...anonymousProblems(value['anonymous'])];
}

function issuerProblems(issuer: unknown, at: string, seen: Set<unknown>): string[] {
  const problems = unknownFields(issuer, 'issuer', at);
  if (!isRecord(issuer)) return problems;
  const { url, discoveryURL, audiences, audienceMatchPolicy, egressSelectorType } = issuer;
  if (typeof url !== 'string' || url === '') problems.push(`${at}.url: Required value: URL is required`);
  else if (URL.parse(url)?.protocol !== 'https:') problems.push(`${at}.url: Invalid value: "${url}": URL scheme must be https`);
  if (seen.has(url)) problems.push(`${at}.url: Duplicate value: "${url}"`);
  seen.add(url);
  if (discoveryURL !== undefined && URL.parse(String(discoveryURL))?.protocol !== 'https:')
    problems.push(`${at}.discoveryURL: Invalid value: "${discoveryURL}": URL scheme must be https`);
  if (discoveryURL !== undefined && discoveryURL === url)
    problems.push(`${at}.discoveryURL: Invalid value: "${discoveryURL}": discoveryURL must be different from URL`);
  if (!Array.isArray(audiences) || audiences.length === 0)
    problems.push(`${at}.audiences: Required value: at least one ${at}.audiences is required`);
  else if (audiences.length > 1 && audienceMatchPolicy !== 'MatchAny')
    problems.push(
      `${at}.audienceMatchPolicy: Invalid value: "${audienceMatchPolicy ?? ''}": audienceMatchPolicy must be MatchAny for multiple audiences`,
    );
  if (egressSelectorType !== undefined) problems.push(`${at}.egressSelectorType: Forbidden: egress selectors are not supported`);
  return problems;
}

function mappingProblems(mappings: unknown, at: string): string[] {
  const problems = unknownFields(mappings, 'claimMappings', at);
  if (!isRecord(mappings)) return problems;
  const { username, groups, uid, extra } = mappings;
  if (!isRecord(username) || (!username['claim'] && !username['expression']))
    problems.push(`${at}.username: Required value: claim or expression is required`);
  for (const [name, mapping] of Object.entries({ username, groups, uid })) {
    if (!isRecord(mapping)) continue;
    if (mapping['claim'] && mapping['expression'])
      problems.push(`${at}.${name}: Invalid value: "": claim and expression can't both be set`);
    if (mapping['expression'] && mapping['prefix'] !== undefined)
      problems.push(`${at}.${name}.prefix: Invalid value: "${mapping['prefix']}": prefix can't be set when expression is set`);
    if (name !== 'uid' && mapping['claim'] && mapping['prefix'] === undefined)
      problems.push(
        `${at}.${name}.prefix: Required value: prefix is required when claim is set. It can be set to an empty string to disable prefixing`,
      );
  }
  for (const [index, item] of (Array.isArray(extra) ? extra : []).entries()) {
    if (!isRecord(item) || !item['key'] || !item['valueExpression'])
      problems.push(`${at}.extra[${index}]: Required value: key and valueExpression are required`);
  }
  return problems;
}

function ruleProblems(rules: unknown, at: string): string[] {
  if (rules === undefined) return [];
  if (!Array.isArray(rules)) return [`${at}: must be a list`];
  return rules.flatMap((rule, index) => {
    const path = `${at}[${index}]`;
    if (!isRecord(rule) || (!rule['claim'] && !rule['expression'])) return [`${path}: Required value: claim or expression is required`];
    if (rule['claim'] && rule['expression']) return [`${path}: Invalid value: "${rule['claim']}": claim and expression can't both be set`];
    return [];
  });
}

function anonymousProblems(anonymous: unknown): string[] {
  if (anonymous === undefined) return [];
  if (!isRecord(anonymous)) return ['anonymous: must be an object'];
  const { enabled, conditions } = anonymous;
  if (enabled !== true && Array.isArray(conditions) && conditions.length > 0)
    return ['anonymous.conditions: Invalid value: enabled should be set to true when conditions are defined'];
  return [];
}

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
