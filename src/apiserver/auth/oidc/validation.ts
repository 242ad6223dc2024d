// SPDX-License-Identifier: Apache-2.0
// What an AuthenticationConfiguration must look like, expressions apart: those are judged where they are compiled.
// @source upstream apiserver pkg/apis/apiserver/validation/validation.go ValidateAuthenticationConfiguration
import { X509Certificate } from 'node:crypto';
import {
  checkDns1123Subdomain,
  duplicateValue,
  type FieldCause,
  type FieldPath,
  field,
  forbiddenField,
  invalidValue,
  required,
  tooMany,
} from '#machinery';
import type { AuthenticationConfiguration, ClaimMappings, ClaimValidationRule, JwtAuthenticator, PrefixedClaim } from './configuration.ts';

const MAX_ISSUERS = 64;

/** @param disallowedIssuers Those of the server's own tokens. */
export function authenticationCauses({ jwt, anonymous }: AuthenticationConfiguration, disallowedIssuers: readonly string[]): FieldCause[] {
  const root = field('jwt');
  if (jwt.length > MAX_ISSUERS) return [tooMany(root, jwt.length, MAX_ISSUERS)];
  const urls = new Set<string>();
  const discoveryUrls = new Set<string>();
  const causes = jwt.flatMap((one, index) => {
    const path = root.index(index);
    const { url = '', discoveryURL = '' } = one.issuer ?? {};
    const repeated = [
      ...(urls.has(url) ? [duplicateValue(path.child('issuer', 'url'), url)] : []),
      ...(discoveryURL !== '' && discoveryUrls.has(discoveryURL)
        ? [duplicateValue(path.child('issuer', 'discoveryURL'), discoveryURL)]
        : []),
    ];
    urls.add(url);
    discoveryUrls.add(discoveryURL);
    return [...authenticatorCauses(one, path, disallowedIssuers), ...repeated];
  });
  const { enabled = false, conditions = [] } = anonymous ?? {};
  if (enabled || conditions.length === 0) return causes;
  const shown = conditions.map(({ path }) => ({ Path: path }));
  return [...causes, invalidValue(field('anonymous', 'conditions'), shown, 'enabled should be set to true when conditions are defined')];
}

function authenticatorCauses(jwt: JwtAuthenticator, path: FieldPath, disallowed: readonly string[]): FieldCause[] {
  return [
    ...issuerCauses(jwt.issuer ?? {}, path.child('issuer'), disallowed),
    ...claimRuleCauses(jwt.claimValidationRules ?? [], path.child('claimValidationRules')),
    ...mappingCauses(jwt.claimMappings ?? {}, path.child('claimMappings')),
    ...emailCauses(jwt, path.child('claimMappings')),
    ...userRuleCauses(jwt.userValidationRules ?? [], path.child('userValidationRules')),
  ];
}

type Issuer = Partial<JwtAuthenticator['issuer']>;

function issuerCauses(issuer: Issuer, path: FieldPath, disallowed: readonly string[]): FieldCause[] {
  const { url = '', certificateAuthority = '', egressSelectorType = '' } = issuer;
  return [
    ...(url === '' ? [required(path.child('url'))] : urlCauses(url, path.child('url'), disallowed)),
    ...discoveryCauses(issuer, path.child('discoveryURL')),
    ...audienceCauses(issuer, path),
    ...(certificateAuthority === '' ? [] : authorityCauses(certificateAuthority, path.child('certificateAuthority'))),
    ...(egressSelectorType === '' ? [] : [forbiddenField(path.child('egressSelectorType'), 'egress selectors are not supported')]),
  ];
}

function discoveryCauses({ url = '', discoveryURL = '' }: Issuer, path: FieldPath): FieldCause[] {
  if (discoveryURL === '') return [];
  const trimmed = (text: string) => text.replace(/\/+$/, '');
  const isSame = url !== '' && trimmed(url) === trimmed(discoveryURL);
  const same = isSame ? [invalidValue(path, discoveryURL, 'discoveryURL must be different from URL')] : [];
  return [...same, ...urlCauses(discoveryURL, path, [])];
}

function urlCauses(text: string, path: FieldPath, disallowed: readonly string[]): FieldCause[] {
  const refuse = (why: string) => invalidValue(path, text, why);
  const taken = disallowed.includes(text)
    ? [refuse(`URL must not overlap with disallowed issuers: [${[...disallowed].sort().join(' ')}]`)]
    : [];
  const parsed = URL.parse(text);
  // Go parses what has no scheme as a path.
  if (parsed === null && /^[a-z][a-z0-9+.-]*:/i.test(text)) return [...taken, refuse(`parse ${JSON.stringify(text)}: invalid URL`)];
  const { protocol = '', username = '', password = '', search = '', hash = '' } = parsed ?? {};
  return [
    ...taken,
    ...(protocol === 'https:' ? [] : [refuse('URL scheme must be https')]),
    ...(username === '' && password === '' ? [] : [refuse('URL must not contain a username or password')]),
    ...(search === '' ? [] : [refuse('URL must not contain a query')]),
    ...(hash === '' ? [] : [refuse('URL must not contain a fragment')]),
  ];
}

function audienceCauses({ audiences = [], audienceMatchPolicy: policy = '' }: Issuer, issuer: FieldPath): FieldCause[] {
  const path = issuer.child('audiences');
  if (audiences.length === 0) return [required(path, `at least one ${path} is required`)];
  const causes = audiences.flatMap((audience, index) => [
    ...(audience === '' ? [required(path.index(index))] : []),
    ...(audiences.indexOf(audience) < index ? [duplicateValue(path.index(index), audience)] : []),
  ]);
  if (policy === 'MatchAny' || (audiences.length === 1 && policy === '')) return causes;
  const why =
    audiences.length > 1
      ? 'audienceMatchPolicy must be MatchAny for multiple audiences'
      : 'audienceMatchPolicy must be empty or MatchAny for single audience';
  return [...causes, invalidValue(issuer.child('audienceMatchPolicy'), policy, why)];
}

function authorityCauses(pem: string, path: FieldPath): FieldCause[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  if (blocks.length === 0) return [invalidValue(path, '<omitted>', 'data does not contain any valid RSA or ECDSA certificates')];
  try {
    for (const block of blocks) new X509Certificate(block);
    return [];
  } catch (error) {
    return [invalidValue(path, '<omitted>', `error parsing certificate: ${(error as Error).message}`)];
  }
}

function claimRuleCauses(rules: readonly ClaimValidationRule[], path: FieldPath): FieldCause[] {
  const claims = new Set<string>();
  const expressions = new Set<string>();
  return rules.flatMap(({ claim = '', requiredValue = '', expression = '', message = '' }, index) => {
    const at = path.index(index);
    if (claim !== '' && expression !== '') return [invalidValue(at, claim, "claim and expression can't both be set")];
    if (claim === '' && expression === '') return [required(at, 'claim or expression is required')];
    const [name, value, seen] = claim !== '' ? (['claim', claim, claims] as const) : (['expression', expression, expressions] as const);
    const [other, given] = claim !== '' ? (['message', message] as const) : (['requiredValue', requiredValue] as const);
    const repeated = seen.has(value) ? [duplicateValue(at.child(name), value)] : [];
    seen.add(value);
    return [...(given === '' ? [] : [invalidValue(at.child(other), given, `may not be specified when ${name} is set`)]), ...repeated];
  });
}

function mappingCauses({ username = {}, groups = {}, uid = {}, extra = [] }: Partial<ClaimMappings>, path: FieldPath): FieldCause[] {
  const both = Boolean(uid.claim && uid.expression);
  return [
    ...prefixedCauses(username, path.child('username'), true),
    ...prefixedCauses(groups, path.child('groups'), false),
    ...(both ? [invalidValue(path.child('uid'), '', "claim and expression can't both be set")] : []),
    ...extraCauses(extra, path.child('extra')),
  ];
}

function prefixedCauses({ claim = '', prefix, expression = '' }: PrefixedClaim, path: FieldPath, isRequired: boolean): FieldCause[] {
  if (claim !== '' && expression !== '') return [invalidValue(path, '', "claim and expression can't both be set")];
  if (expression !== '')
    return prefix === undefined ? [] : [invalidValue(path.child('prefix'), prefix, 'may not be specified when expression is set')];
  if (claim === '') return isRequired ? [required(path, 'claim or expression is required')] : [];
  if (prefix !== undefined) return [];
  return [required(path.child('prefix'), 'prefix is required when claim is set. It can be set to an empty string to disable prefixing')];
}

function extraCauses(extra: NonNullable<ClaimMappings['extra']>, path: FieldPath): FieldCause[] {
  const seen = new Set<string>();
  return extra.flatMap(({ key = '', valueExpression = '' }, index) => {
    const at = path.index(index);
    const causes = keyCauses(key, at.child('key'));
    if (seen.has(key)) return [...causes, duplicateValue(at.child('key'), key)];
    seen.add(key);
    return valueExpression === '' ? [...causes, required(at.child('valueExpression'))] : causes;
  });
}

/** @source apimachinery pkg/util/validation IsDomainPrefixedPath */
function domainPrefixCauses(key: string, path: FieldPath): FieldCause[] {
  if (key === '') return [required(path)];
  const [domain = '', rest] = [key.split('/', 1)[0], key.includes('/') ? key.slice(key.indexOf('/') + 1) : undefined];
  if (rest === undefined || domain === '' || rest === '')
    return [invalidValue(path, key, `must be a domain-prefixed path (such as "acme.io/foo")`)];
  const causes = checkDns1123Subdomain(domain).map((why) => invalidValue(path, domain, why));
  const format = "[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+";
  return new RegExp(`^${format}$`).test(rest)
    ? causes
    : [...causes, invalidValue(path, rest, `Invalid path (regex used for validation is '${format}')`)];
}

function keyCauses(key: string, path: FieldPath): FieldCause[] {
  const domain = key.includes('/') ? key.slice(0, key.indexOf('/')) : '';
  const isReserved = ['k8s.io', 'kubernetes.io'].some((name) => domain === name || domain.endsWith(`.${name}`));
  return [
    ...domainPrefixCauses(key, path),
    ...(key === key.toLowerCase() ? [] : [invalidValue(path, key, 'must be lowercase')]),
    ...(isReserved ? [invalidValue(path, key, 'k8s.io, kubernetes.io and their subdomains are reserved for Kubernetes use')] : []),
  ];
}

function userRuleCauses(rules: readonly { readonly expression?: string }[], path: FieldPath): FieldCause[] {
  const seen = new Set<string>();
  return rules.flatMap(({ expression = '' }, index) => {
    const at = path.index(index).child('expression');
    if (expression === '') return [required(at)];
    if (seen.has(expression)) return [duplicateValue(at, expression)];
    seen.add(expression);
    return [];
  });
}

const EMAIL_RULE =
  'claims.email_verified must be used in claimMappings.username.expression or claimMappings.extra[*].valueExpression or claimValidationRules[*].expression when claims.email is used in claimMappings.username.expression';

/** A name that is an address counts only where somebody looks at whether it was verified. */
function emailCauses({ claimMappings, claimValidationRules = [] }: JwtAuthenticator, path: FieldPath): FieldCause[] {
  const { username, extra = [] } = claimMappings ?? {};
  const expression = username?.expression ?? '';
  if (!reads(expression, 'email')) return [];
  const others = [...extra.map(({ valueExpression }) => valueExpression), ...claimValidationRules.map((rule) => rule.expression)];
  if ([expression, ...others].some((text) => reads(text ?? '', 'email_verified'))) return [];
  return [invalidValue(path.child('username', 'expression'), expression, EMAIL_RULE)];
}

/** Whether an expression names `claims.<name>`, outside of quoted texts. */
function reads(expression: string, name: string): boolean {
  const bare = expression.replace(/"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'/g, '""');
  return new RegExp(`(?<![\\w.])claims\\s*\\.\\s*\\??\\s*${name}(?!\\w)`).test(bare);
}
