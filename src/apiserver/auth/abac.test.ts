// SPDX-License-Identifier: Apache-2.0
// Policies of both forms: what each user may do by them, and lines that are none.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FlagError } from '#component';
import { abacAuthorizer, parseAbacPolicies } from './abac.ts';

const OLD = `{ "readonly": true, "resource": "events" }
{"user":"scheduler", "readonly": true, "resource": "pods"}
{"user":"scheduler", "resource": "bindings"}
{"user":"kubelet", "readonly": true, "resource": "bindings"}
{"user":"kubelet", "resource": "events"}
{"user":"alice", "namespace": "home"}
{"user":"bob", "readonly": true, "namespace": "home"}
{"user":"root"}
`;
const policy = (spec: object) => JSON.stringify({ apiVersion: 'abac.authorization.kubernetes.io/v1beta1', kind: 'Policy', spec });
const NEW = [
  ' # a comment, after which there is an empty line',
  '',
  policy({ user: '*', readonly: true, nonResourcePath: '/api' }),
  policy({ user: '*', nonResourcePath: '/custom' }),
  policy({ user: '*', nonResourcePath: '/root/*' }),
  policy({ user: 'pathfinder', nonResourcePath: '*' }),
  policy({ user: '*', readonly: true, resource: 'events', namespace: '*' }),
  policy({ user: 'scheduler', readonly: true, resource: 'pods', namespace: '*' }),
  policy({ user: 'scheduler', resource: 'bindings', namespace: '*' }),
  policy({ user: 'alice', resource: '*', namespace: 'home' }),
  policy({ user: 'debbie', resource: 'pods', namespace: 'home' }),
  policy({ user: 'grouper', resource: '*', namespace: 'any', apiGroup: '*' }),
  policy({ user: 'grouper', resource: '*', namespace: 'core', apiGroup: '' }),
  policy({ user: 'grouper', resource: '*', namespace: 'x', apiGroup: 'x' }),
  policy({ user: 'both', group: 'team', resource: 'pods', namespace: 'home' }),
  policy({ resource: '*', namespace: 'nobody' }),
].join('\n');

/** `user verb resource[.group] namespace`, or `user verb /path`; `-` is no namespace. */
const asked: readonly (readonly [string, string, boolean])[] = [
  [OLD, 'scheduler list pods ns1', true],
  [OLD, 'scheduler list pods -', true],
  [OLD, 'scheduler create pods ns1', false],
  [OLD, 'scheduler get bindings ns1', true],
  [OLD, 'alice get pods home', true],
  [OLD, 'alice update foo.bar home', true],
  [OLD, 'alice get pods ns1', false],
  [OLD, 'bob get widgets home', true],
  [OLD, 'bob update widgets home', false],
  [OLD, 'chuck get events ns1', true],
  [OLD, 'chuck update events ns1', false],
  [OLD, 'chuck get /', false],
  [OLD, 'root get /anything', true],
  [OLD, 'root delete nodes -', true],
  [NEW, 'scheduler list pods ns1', true],
  [NEW, 'scheduler create pods ns1', false],
  [NEW, 'alice update widgets home', true],
  [NEW, 'alice update widgets.group home', false],
  [NEW, 'alice get pods ns1', false],
  [NEW, 'debbie update pods home', true],
  [NEW, 'debbie get pods home', true],
  [NEW, 'debbie get services home', false],
  [NEW, 'chuck get events ns1', true],
  [NEW, 'chuck delete events ns1', false],
  [NEW, 'chuck get /api', true],
  [NEW, 'chuck create /api', false],
  [NEW, 'chuck get /api/v1', false],
  [NEW, 'chuck create /custom', true],
  [NEW, 'chuck get /root', false],
  [NEW, 'chuck get /root/', true],
  [NEW, 'chuck create /root/a/b', true],
  [NEW, 'pathfinder create /anything', true],
  [NEW, 'pathfinder get pods ns1', false],
  [NEW, 'grouper get pods.x any', true],
  [NEW, 'grouper get pods core', true],
  [NEW, 'grouper get pods.x core', false],
  [NEW, 'grouper get pods.x x', true],
  [NEW, 'grouper get pods x', false],
  [NEW, 'both get pods home', false],
  [NEW, 'both@team get pods home', true],
  [NEW, 'other@team get pods home', false],
  [NEW, 'chuck get pods nobody', false],
];
for (const [text, request, expected] of asked) {
  const [who = '', verb = '', what = '', namespace = ''] = request.split(' ');
  const [name = '', team] = who.split('@');
  const [resource = '', group = ''] = what.split('.');
  const isResource = !what.startsWith('/');
  test(`${text === OLD ? 'oldest form' : 'v1beta1'}: "${request}" is ${expected ? 'allowed' : 'left to others'}`, () => {
    const authorizer = abacAuthorizer(parseAbacPolicies(text, 'f'));
    const decision = authorizer.authorize({
      user: { name, uid: '', groups: ['system:authenticated', ...(team === undefined ? [] : [team])], extra: {} },
      verb,
      isResource,
      path: isResource ? '' : what,
      group,
      version: 'v1',
      resource: isResource ? resource : '',
      subresource: '',
      namespace: namespace === '-' ? '' : namespace,
      name: '',
    });
    assert.deepEqual(decision, expected ? { verdict: 'allow', reason: '' } : { verdict: 'no-opinion', reason: 'No policy matched.' });
  });
}

test('who is not authenticated is nobody, though a policy is for everybody', () => {
  const authorizer = abacAuthorizer(parseAbacPolicies(NEW, 'f'));
  const user = { name: 'system:anonymous', uid: '', groups: ['system:unauthenticated'], extra: {} };
  const path = { isResource: false, path: '/api', group: '', version: '', resource: '', subresource: '', namespace: '', name: '' };

  assert.equal(authorizer.authorize({ user, verb: 'get', ...path }).verdict, 'no-opinion');
});

const broken: readonly (readonly [string, RegExp])[] = [
  ['{"user"', /^error reading policy file f, line 1: \{"user": unexpected end of JSON input$/],
  [
    '# fine\n{"user": 1}',
    /^error reading policy file f, line 2: .*: json: cannot unmarshal number into Go struct field PolicySpec.user of type string$/,
  ],
  ['{"readonly": "no"}', /into Go struct field PolicySpec.readonly of type bool$/],
  ['[]', /json: cannot unmarshal array into Go value of type struct/],
];
for (const [text, message] of broken) {
  test(`a file with ${JSON.stringify(text)} is refused`, () => {
    assert.throws(() => parseAbacPolicies(text, 'f'), { name: 'FlagError', message });
  });
}

test('a file without policies is none', () => {
  assert.deepEqual(parseAbacPolicies('\n# nothing\n', 'f'), []);
});

test('whatever a line says, it is a policy or a FlagError', () => {
  fc.assert(
    fc.property(fc.oneof(fc.json(), fc.string()), (line) => {
      try {
        parseAbacPolicies(line, 'f');
      } catch (error) {
        assert.ok(error instanceof FlagError, String(error));
      }
    }),
  );
});
