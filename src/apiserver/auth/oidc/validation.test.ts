// SPDX-License-Identifier: Apache-2.0
// Every complaint about an AuthenticationConfiguration, and what is taken.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FlagError } from '#component';
import { createAuthority } from '#component/pki';
import { compileClaims } from './claims.ts';
import { parseAuthenticationConfiguration } from './configuration.ts';

const ISSUER = { url: 'https://issuer', audiences: ['a'] };
const NAME = { claim: 'sub', prefix: '' };
const of = (more: object, issuer: object = {}) => ({ issuer: { ...ISSUER, ...issuer }, claimMappings: { username: NAME }, ...more });
const issuer = (more: object) => [of({}, more)];
const mapped = (more: object) => [of({ claimMappings: { username: NAME, ...more } })];
const extra = (...keys: string[]) => mapped({ extra: keys.map((key) => ({ key, valueExpression: 'claims.a' })) });
const rules = (...list: object[]) => [of({ claimValidationRules: list })];
const userRules = (...expressions: string[]) => [of({ userValidationRules: expressions.map((expression) => ({ expression })) })];
const named = (expression: string, more: object = {}) => [of({ claimMappings: { username: { expression } }, ...more })];
const I = 'jwt[0].issuer';
const M = 'jwt[0].claimMappings';
const R = 'jwt[0].claimValidationRules';
const U = 'jwt[0].userValidationRules';
const EMAIL = `${M}.username.expression: Invalid value: "claims.email": claims.email_verified must be used in claimMappings.username.expression or claimMappings.extra[*].valueExpression or claimValidationRules[*].expression when claims.email is used in claimMappings.username.expression`;
const LOWER =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";

const cases: readonly (readonly [string, readonly object[], string | undefined])[] = [
  ['no issuers', [], undefined],
  ['an issuer', [of({})], undefined],
  ['two issuers', [of({}), of({}, { url: 'https://other' })], undefined],
  ['an issuer twice', [of({}), of({})], 'jwt[1].issuer.url: Duplicate value: "https://issuer"'],
  [
    'one discovery of two',
    [of({}, { discoveryURL: 'https://d' }), of({}, { url: 'https://other', discoveryURL: 'https://d' })],
    'jwt[1].issuer.discoveryURL: Duplicate value: "https://d"',
  ],
  ['too many', Array.from({ length: 65 }, () => of({})), 'jwt: Too many: 65: must have at most 64 items'],
  ['no url', issuer({ url: '' }), `${I}.url: Required value`],
  ['no TLS', issuer({ url: 'http://issuer' }), `${I}.url: Invalid value: "http://issuer": URL scheme must be https`],
  ['no scheme', issuer({ url: 'issuer' }), `${I}.url: Invalid value: "issuer": URL scheme must be https`],
  [
    'a password',
    issuer({ url: 'https://u:p@issuer' }),
    `${I}.url: Invalid value: "https://u:p@issuer": URL must not contain a username or password`,
  ],
  ['a query', issuer({ url: 'https://issuer?a=b' }), `${I}.url: Invalid value: "https://issuer?a=b": URL must not contain a query`],
  ['a fragment', issuer({ url: 'https://issuer#a' }), `${I}.url: Invalid value: "https://issuer#a": URL must not contain a fragment`],
  [
    'the issuer of service accounts',
    issuer({ url: 'https://own' }),
    `${I}.url: Invalid value: "https://own": URL must not overlap with disallowed issuers: [https://also https://own]`,
  ],
  [
    'discovery at itself',
    issuer({ discoveryURL: 'https://issuer/' }),
    `${I}.discoveryURL: Invalid value: "https://issuer/": discoveryURL must be different from URL`,
  ],
  ['discovery without TLS', issuer({ discoveryURL: 'http://d' }), `${I}.discoveryURL: Invalid value: "http://d": URL scheme must be https`],
  ['no audience', issuer({ audiences: [] }), `${I}.audiences: Required value: at least one ${I}.audiences is required`],
  ['an empty audience', issuer({ audiences: [''] }), `${I}.audiences[0]: Required value`],
  ['an audience twice', issuer({ audiences: ['a', 'a'], audienceMatchPolicy: 'MatchAny' }), `${I}.audiences[1]: Duplicate value: "a"`],
  ['two audiences', issuer({ audiences: ['a', 'b'], audienceMatchPolicy: 'MatchAny' }), undefined],
  [
    'two audiences without a policy',
    issuer({ audiences: ['a', 'b'] }),
    `${I}.audienceMatchPolicy: Invalid value: "": audienceMatchPolicy must be MatchAny for multiple audiences`,
  ],
  [
    'another policy',
    issuer({ audienceMatchPolicy: 'MatchAll' }),
    `${I}.audienceMatchPolicy: Invalid value: "MatchAll": audienceMatchPolicy must be empty or MatchAny for single audience`,
  ],
  [
    'an authority that is none',
    issuer({ certificateAuthority: 'x' }),
    `${I}.certificateAuthority: Invalid value: "<omitted>": data does not contain any valid RSA or ECDSA certificates`,
  ],
  [
    'an egress selector',
    issuer({ egressSelectorType: 'cluster' }),
    `${I}.egressSelectorType: Forbidden: egress selectors are not supported`,
  ],
  ['a rule of both', rules({ claim: 'a', expression: 'true' }), `${R}[0]: Invalid value: "a": claim and expression can't both be set`],
  ['a rule of neither', rules({}), `${R}[0]: Required value: claim or expression is required`],
  ['a claim twice', rules({ claim: 'a' }, { claim: 'a' }), `${R}[1].claim: Duplicate value: "a"`],
  [
    'a claim with a message',
    rules({ claim: 'a', message: 'm' }),
    `${R}[0].message: Invalid value: "m": may not be specified when claim is set`,
  ],
  [
    'an expression with a value',
    rules({ expression: 'true', requiredValue: 'v' }),
    `${R}[0].requiredValue: Invalid value: "v": may not be specified when expression is set`,
  ],
  ['an expression twice', rules({ expression: 'true' }, { expression: 'true' }), `${R}[1].expression: Duplicate value: "true"`],
  ['a rule of text', rules({ expression: '"a"' }), `${R}[0].expression: Invalid value: "\\"a\\"": must evaluate to bool`],
  [
    'a rule of somebody else',
    rules({ expression: 'user.username == "a"' }),
    `${R}[0].expression: Invalid value: "user.username == \\"a\\"": compilation failed: ERROR: <input>:1:1: undeclared reference to 'user'`,
  ],
  ['no name', [of({ claimMappings: {} })], `${M}.username: Required value: claim or expression is required`],
  [
    'a name of both',
    mapped({ username: { claim: 'a', expression: 'claims.a' } }),
    `${M}.username: Invalid value: "": claim and expression can't both be set`,
  ],
  [
    'a name without prefix',
    mapped({ username: { claim: 'a' } }),
    `${M}.username.prefix: Required value: prefix is required when claim is set. It can be set to an empty string to disable prefixing`,
  ],
  [
    'an expression with a prefix',
    mapped({ username: { expression: 'claims.a', prefix: '' } }),
    `${M}.username.prefix: Invalid value: "": may not be specified when expression is set`,
  ],
  [
    'groups of both',
    mapped({ groups: { claim: 'a', prefix: '', expression: 'claims.a' } }),
    `${M}.groups: Invalid value: "": claim and expression can't both be set`,
  ],
  ['groups without prefix', mapped({ groups: { claim: 'a' } }), `${M}.groups.prefix: Required value: prefix is required`],
  [
    'a uid of both',
    mapped({ uid: { claim: 'a', expression: 'claims.a' } }),
    `${M}.uid: Invalid value: "": claim and expression can't both be set`,
  ],
  ['extra', extra('example.org/foo'), undefined],
  ['extra of no key', extra(''), `${M}.extra[0].key: Required value`],
  ['extra of no domain', extra('foo'), `${M}.extra[0].key: Invalid value: "foo": must be a domain-prefixed path (such as "acme.io/foo")`],
  ['extra of a domain that is none', extra('_/foo'), `${M}.extra[0].key: Invalid value: "_": ${LOWER}`],
  [
    'extra of a path that is none',
    extra('example.org/f oo'),
    `${M}.extra[0].key: Invalid value: "f oo": Invalid path (regex used for validation is '[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+')`,
  ],
  ['extra in capitals', extra('example.org/Foo'), `${M}.extra[0].key: Invalid value: "example.org/Foo": must be lowercase`],
  [
    'extra of Kubernetes',
    extra('example.k8s.io/foo'),
    `${M}.extra[0].key: Invalid value: "example.k8s.io/foo": k8s.io, kubernetes.io and their subdomains are reserved for Kubernetes use`,
  ],
  ['extra twice', extra('example.org/foo', 'example.org/foo'), `${M}.extra[1].key: Duplicate value: "example.org/foo"`],
  ['extra of nothing', mapped({ extra: [{ key: 'example.org/foo' }] }), `${M}.extra[0].valueExpression: Required value`],
  ['an address', named('claims.email'), EMAIL],
  ['an address in text', named('"claims.email" + claims.sub'), undefined],
  ['an address that is verified', named('claims.email_verified ? claims.email : ""'), undefined],
  [
    'an address that a rule verifies',
    named('claims.email', { claimValidationRules: [{ expression: 'claims.?email_verified.orValue(true) == true' }] }),
    undefined,
  ],
  ['a user rule of nothing', userRules(''), `${U}[0].expression: Required value`],
  ['a user rule twice', userRules('true', 'true'), `${U}[1].expression: Duplicate value: "true"`],
  ['a user rule of text', userRules('user.username'), `${U}[0].expression: Invalid value: "user.username": must evaluate to bool`],
];
for (const [what, jwt, problem] of cases) {
  test(`a configuration with ${what} is ${problem === undefined ? 'taken' : `refused: ${problem}`}`, async () => {
    const text = JSON.stringify({ apiVersion: 'apiserver.config.k8s.io/v1', kind: 'AuthenticationConfiguration', jwt });
    const read = async () => {
      const configuration = parseAuthenticationConfiguration(text, 'f', ['https://own', 'https://also']);
      for (const [index, one] of configuration.jwt.entries()) await compileClaims(one, `jwt[${index}]`);
    };
    if (problem === undefined) {
      await read();
      return;
    }
    await assert.rejects(read(), (error: Error) => {
      assert.ok(error instanceof FlagError);
      const said = error.message.replace(/^authentication configuration "f" cannot be used: /, '');
      assert.equal(said.slice(0, problem.length), problem);
      return true;
    });
  });
}

test('an authority is read as it is given', async () => {
  const { certificate } = await createAuthority('issuer', Date.now());
  const jwt = issuer({ certificateAuthority: certificate });
  const text = JSON.stringify({ apiVersion: 'apiserver.config.k8s.io/v1beta1', kind: 'AuthenticationConfiguration', jwt });

  assert.equal(parseAuthenticationConfiguration(text, 'f').jwt[0]?.issuer.certificateAuthority, certificate);
});
