// SPDX-License-Identifier: Apache-2.0
// From the claims of a verified token to a user: validation rules, mappings by claim or by CEL, rules about the user.
// Expressions are compiled once, when the configuration is read.
// @source upstream apiserver plugin/pkg/authenticator/token/oidc/oidc.go
import { FlagError } from '#component';
import { quote } from '#machinery';
import type { CelProgram, CelType, Value } from '../../cel/mod.ts';
import { AUTHENTICATED_GROUP, CREDENTIAL_ID, type UserInfo } from '../user.ts';
import type { ClaimMappings, ClaimValidationRule, JwtAuthenticator, PrefixedClaim } from './configuration.ts';

export type Claims = Readonly<Record<string, unknown>>;

/** @throws {Error} With why the claims make no user. */
export type ClaimsMapper = (claims: Claims) => UserInfo;

type Cel = typeof import('../../cel/mod.ts');
type Evaluate = (variables: Readonly<Record<string, unknown>>) => unknown;

/** One expression may cost this much. @source upstream apiserver pkg/apis/cel PerCallLimit */
const COST_LIMIT = 1_000_000;
const STRING: CelType = { kind: 'string' };
const CLAIMS: CelType = { kind: 'map', key: STRING, value: { kind: 'dyn' } };
const USER: CelType = {
  kind: 'object',
  name: 'kubernetes.UserInfo',
  fields: new Map<string, CelType>([
    ['username', STRING],
    ['uid', STRING],
    ['groups', { kind: 'list', element: STRING }],
    ['extra', { kind: 'map', key: STRING, value: { kind: 'list', element: STRING } }],
  ]),
};

/** @param at Where it stands in the configuration. @throws {FlagError} If an expression does not compile. */
export async function compileClaims(jwt: JwtAuthenticator, at = 'jwt[0]'): Promise<ClaimsMapper> {
  const cel = usesExpressions(jwt) ? await import('../../cel/mod.ts') : undefined;
  const rules = (jwt.claimValidationRules ?? []).map((rule, index) =>
    compileRule(rule, `${at}.claimValidationRules[${index}].expression`, cel),
  );
  const map = compileMappings(jwt.claimMappings, `${at}.claimMappings`, cel);
  const userRules = (jwt.userValidationRules ?? []).map(({ expression, message }, index) => {
    const evaluate = compileWith(cel, { expression, at: `${at}.userValidationRules[${index}].expression`, result: 'bool' }, { user: USER });
    return (user: UserInfo) => {
      const shown = { username: user.name, uid: user.uid, groups: user.groups, extra: user.extra };
      if (evaluate({ user: shown }) !== true) throw new Error(message || `validation expression '${expression}' failed`);
    };
  });
  return (claims) => {
    for (const rule of rules) rule(claims);
    const user = map(claims);
    for (const rule of userRules) rule(user);
    return { ...user, groups: user.groups.includes(AUTHENTICATED_GROUP) ? user.groups : [...user.groups, AUTHENTICATED_GROUP] };
  };
}

function usesExpressions({ claimMappings, claimValidationRules, userValidationRules }: JwtAuthenticator): boolean {
  const { username, groups, uid, extra } = claimMappings;
  const mapped = [username, groups, uid].some((mapping) => mapping?.expression);
  return Boolean(mapped || extra?.length || userValidationRules?.length || claimValidationRules?.some(({ expression }) => expression));
}

interface Source {
  readonly expression: string;
  /** Where it stands in the configuration. */
  readonly at: string;
  /** @default any */
  readonly result?: 'bool';
}

function compileWith(
  cel: Cel | undefined,
  { expression, at, result = 'any' as never }: Source,
  variables: Readonly<Record<string, CelType>>,
): Evaluate {
  if (cel === undefined) throw new FlagError('compile an expression of the authentication configuration: CEL is not loaded');
  const { problem, program } = cel.compile(expression, { variables, result });
  if (problem !== undefined || program === undefined) throw new FlagError(`${at}: Invalid value: ${quote(expression)}: ${problem}`);
  const compiled: CelProgram = program;
  return (values) => cel.toJson(compiled.evaluate(values, new cel.CostBudget(COST_LIMIT)) as Value);
}

function compileRule(
  { claim, requiredValue = '', expression, message }: ClaimValidationRule,
  at: string,
  cel: Cel | undefined,
): (claims: Claims) => void {
  if (expression) {
    const evaluate = compileWith(cel, { expression, at, result: 'bool' }, { claims: CLAIMS });
    return (claims) => {
      if (evaluate({ claims }) !== true) throw new Error(`oidc: ${message || `validation expression '${expression}' failed`}`);
    };
  }
  const name = claim ?? '';
  return (claims) => {
    if (!(name in claims)) throw new Error(`oidc: required claim ${name} not present in ID token`);
    if (claims[name] !== requiredValue)
      throw new Error(`oidc: required claim ${name} value does not match. Got = ${String(claims[name])}, want = ${requiredValue}`);
  };
}

function compileMappings({ username, groups, uid, extra = [] }: ClaimMappings, at: string, cel: Cel | undefined): ClaimsMapper {
  const nameOf = compileUsername(username, `${at}.username.expression`, cel);
  const groupsOf = compileGroups(groups, `${at}.groups.expression`, cel);
  const uidOf = compileUid(uid, `${at}.uid.expression`, cel);
  const extras = extra.map(({ key, valueExpression: expression }, index) => ({
    key,
    evaluate: compileWith(cel, { expression, at: `${at}.extra[${index}].valueExpression` }, { claims: CLAIMS }),
  }));
  return (claims) => ({
    name: nameOf(claims),
    uid: uidOf(claims),
    groups: groupsOf(claims),
    extra: {
      ...(typeof claims['jti'] === 'string' && claims['jti'] !== '' ? { [CREDENTIAL_ID]: [`JTI=${claims['jti']}`] } : {}),
      ...Object.fromEntries(
        extras.flatMap(({ key, evaluate }) => {
          const values = stringsOf(evaluate({ claims }), `extra[${key}]`);
          return values.length === 0 ? [] : [[key, values]];
        }),
      ),
    },
  });
}

function compileUsername(
  { claim = '', prefix = '', expression }: PrefixedClaim,
  at: string,
  cel: Cel | undefined,
): (claims: Claims) => string {
  if (expression) {
    const evaluate = compileWith(cel, { expression, at }, { claims: CLAIMS });
    return (claims) => {
      const name = evaluate({ claims });
      if (typeof name !== 'string') throw new Error(`oidc: error evaluating username claim expression: must return a string`);
      if (name === '') throw new Error('oidc: username claim expression evaluated to an empty string');
      return name;
    };
  }
  return (claims) => {
    if (!(claim in claims)) throw new Error(`oidc: parse username claims "${claim}": claim not present`);
    const value = claims[claim];
    if (typeof value !== 'string') throw new Error(`oidc: parse username claims "${claim}": claim is no string`);
    // A mail address that nobody verified is no name.
    if (claim === 'email' && 'email_verified' in claims && claims['email_verified'] !== true) throw new Error('oidc: email not verified');
    return `${prefix}${value}`;
  };
}

function compileGroups(groups: PrefixedClaim | undefined, at: string, cel: Cel | undefined): (claims: Claims) => readonly string[] {
  if (groups?.expression) {
    const evaluate = compileWith(cel, { expression: groups.expression, at }, { claims: CLAIMS });
    return (claims) => stringsOf(evaluate({ claims }), 'groups');
  }
  const { claim, prefix = '' } = groups ?? {};
  if (!claim) return () => [];
  return (claims) => (claim in claims ? stringsOf(claims[claim], claim).map((group) => `${prefix}${group}`) : []);
}

function compileUid(uid: ClaimMappings['uid'], at: string, cel: Cel | undefined): (claims: Claims) => string {
  if (uid?.expression) {
    const evaluate = compileWith(cel, { expression: uid.expression, at }, { claims: CLAIMS });
    return (claims) => String(evaluate({ claims }));
  }
  const claim = uid?.claim;
  if (!claim) return () => '';
  return (claims) => {
    if (typeof claims[claim] !== 'string') throw new Error(`oidc: error parsing uid claim "${claim}": claim not present`);
    return claims[claim];
  };
}

/** One text or a list of them. */
function stringsOf(value: unknown, what: string): readonly string[] {
  if (value === null || value === undefined || value === '') return [];
  if (typeof value === 'string') return [value];
  if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value.filter((item) => item !== '');
  throw new Error(`oidc: parse "${what}": must be a string or a list of strings`);
}
