// SPDX-License-Identifier: Apache-2.0
// As whom a request goes on that asks to be somebody else, by what its sender may impersonate.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiError } from '#machinery';
import type { Attributes, Authorizer } from '../auth/authorizer.ts';
import type { UserInfo } from '../auth/user.ts';
import { type AuditNotes, objectResult, RequestContext } from '../request/context.ts';
import { requestInfoOf } from '../request/request-info.ts';
import { withImpersonation } from './impersonation.ts';

const userOf = (name: string, groups: readonly string[] = [], more: Partial<UserInfo> = {}): UserInfo => ({
  name,
  uid: '',
  groups,
  extra: {},
  ...more,
});

/** `verb resource[/subresource][.group][=name]` that a group of the sender may do. */
const GRANTS: Readonly<Record<string, readonly string[]>> = {
  users: ['impersonate users'],
  accounts: ['impersonate serviceaccounts'],
  groups: ['impersonate groups'],
  scopes: ['impersonate userextras/scopes.authentication.k8s.io'],
  'scope-a': ['impersonate userextras/scopes.authentication.k8s.io=a'],
  odd: ['impersonate userextras/example.com/escapedᛄscopes.authentication.k8s.io', 'impersonate userextras/a%zzb.authentication.k8s.io'],
  uid: ['impersonate uids.authentication.k8s.io=u1'],
  'constrained-user': ['impersonate-on:user-info:list pods', 'impersonate:user-info users.authentication.k8s.io=bob'],
};

const authorizer: Authorizer = {
  name: 'Test',
  authorize({ user, verb, group, resource, subresource, name }: Attributes) {
    const what = `${verb} ${resource}${subresource === '' ? '' : `/${subresource}`}${group === '' ? '' : `.${group}`}`;
    const granted = user.groups.flatMap((one) => GRANTS[one] ?? []);
    const allowed = user.name === 'root' || granted.includes(what) || granted.includes(`${what}=${name}`);
    return { verdict: allowed ? 'allow' : 'no-opinion', reason: '' };
  },
};

type Headers = readonly (readonly [string, string])[];

async function ask(sender: UserInfo, headers: Headers, audit?: Pick<AuditNotes, 'impersonatedBy'>): Promise<UserInfo | number> {
  const request = { method: 'GET', path: '/api/v1/pods', search: '', headers: {}, rawHeaders: headers.flat() };
  const context = new RequestContext(request as never, requestInfoOf('GET', '/api/v1/pods', undefined), new URLSearchParams(), 0);
  context.user = sender;
  context.audit = audit as AuditNotes | undefined;
  try {
    await withImpersonation(() => objectResult(200, {}), authorizer)(context);
    return context.knownUser;
  } catch (error) {
    assert.ok(error instanceof ApiError);
    return error.code;
  }
}

const USER = 'Impersonate-User';
const GROUP = 'impersonate-group';
const SCOPES = 'Impersonate-Extra-Scopes';
const AUTHENTICATED = 'system:authenticated';
const may = (...groups: string[]) => userOf('dev', groups);

const cases: readonly (readonly [string, UserInfo, Headers, UserInfo | number])[] = [
  ['nobody', may(), [], may()],
  ['an empty name', may(), [[USER, '']], may()],
  ['a user without being allowed to', may(), [[USER, 'tester']], 403],
  ['a group without a user', may('groups'), [[GROUP, 'g']], 400],
  ['an extra without a user', may('scopes'), [[SCOPES, 'a']], 400],
  ['a uid without a user', may('uid'), [['Impersonate-Uid', 'u1']], 400],
  ['a user', may('users'), [[USER, 'tester']], userOf('tester', [AUTHENTICATED])],
  [
    'a user and a group',
    may('users'),
    [
      [USER, 'tester'],
      [GROUP, 'g'],
    ],
    403,
  ],
  [
    'a user and a group',
    may('users', 'groups'),
    [
      [USER, 'tester'],
      [GROUP, 'g'],
    ],
    userOf('tester', ['g', AUTHENTICATED]),
  ],
  [
    'groups with commas',
    may('users', 'groups'),
    [
      [USER, 't'],
      [GROUP, 'cn=a, ou=b'],
      [GROUP, 'g'],
    ],
    userOf('t', ['cn=a, ou=b', 'g', AUTHENTICATED]),
  ],
  [
    'a known group',
    may('users', 'groups'),
    [
      [USER, 't'],
      [GROUP, AUTHENTICATED],
      [GROUP, 'g'],
    ],
    userOf('t', [AUTHENTICATED, 'g']),
  ],
  [
    'an unknown group',
    may('users', 'groups'),
    [
      [USER, 't'],
      [GROUP, 'system:unauthenticated'],
    ],
    userOf('t', ['system:unauthenticated']),
  ],
  ['nobody by name', may('users'), [[USER, 'system:anonymous']], userOf('system:anonymous', ['system:unauthenticated'])],
  [
    'extras',
    may('users', 'scopes'),
    [
      [USER, 't'],
      [SCOPES, 'a'],
      [SCOPES, 'b'],
    ],
    userOf('t', [AUTHENTICATED], { extra: { scopes: ['a', 'b'] } }),
  ],
  [
    'one extra of two',
    may('users', 'scope-a'),
    [
      [USER, 't'],
      [SCOPES, 'a'],
      [SCOPES, 'b'],
    ],
    403,
  ],
  [
    'extras of another key',
    may('users', 'scope-a'),
    [
      [USER, 't'],
      ['Impersonate-Extra-Project', 'a'],
    ],
    403,
  ],
  [
    'extras whose key is escaped',
    may('users', 'odd'),
    [
      [USER, 't'],
      ['Impersonate-Extra-Example.com%2fescaped%e1%9b%84scopes', 'a'],
    ],
    userOf('t', [AUTHENTICATED], { extra: { 'example.com/escapedᛄscopes': ['a'] } }),
  ],
  [
    'extras whose key is not',
    may('users', 'odd'),
    [
      [USER, 't'],
      ['Impersonate-Extra-A%zzb', 'a'],
    ],
    userOf('t', [AUTHENTICATED], { extra: { 'a%zzb': ['a'] } }),
  ],
  [
    'a uid',
    may('users', 'uid'),
    [
      [USER, 't'],
      ['Impersonate-Uid', 'u1'],
    ],
    userOf('t', [AUTHENTICATED], { uid: 'u1' }),
  ],
  [
    'another uid',
    may('users', 'uid'),
    [
      [USER, 't'],
      ['Impersonate-Uid', 'u2'],
    ],
    403,
  ],
  ['a service account', may('users'), [[USER, 'system:serviceaccount:ns:a']], 403],
  [
    'a service account',
    may('accounts'),
    [[USER, 'system:serviceaccount:ns:a']],
    userOf('system:serviceaccount:ns:a', ['system:serviceaccounts', 'system:serviceaccounts:ns', AUTHENTICATED]),
  ],
  ['a user as a service account', may('accounts'), [[USER, 'tester']], 403],
  ['a user for one thing', may('constrained-user'), [[USER, 'bob']], userOf('bob', [AUTHENTICATED])],
  ['another user for one thing', may('constrained-user'), [[USER, 'carol']], 403],
];
for (const [what, sender, headers, expected] of cases) {
  const shown = typeof expected === 'number' ? `is refused with ${expected}` : `goes on as ${expected.name}`;
  test(`who may [${sender.groups}] and asks to be ${what} ${shown}`, async () => {
    assert.deepEqual(await ask(sender, headers), expected);
  });
}

test('the audit is told by which verb, where it is for one thing', async () => {
  const told: string[] = [];
  const audit = { impersonatedBy: (verb: string) => void told.push(verb) };
  await ask(may('constrained-user'), [[USER, 'bob']], audit);
  await ask(may('users'), [[USER, 'bob']], audit);

  assert.deepEqual(told, ['impersonate:user-info']);
});
