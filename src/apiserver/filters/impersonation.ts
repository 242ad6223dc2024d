// SPDX-License-Identifier: Apache-2.0
// `Impersonate-*` headers: the request goes on as another user, if the first one may impersonate each part of it.
// @source upstream apiserver pkg/endpoints/filters/impersonation
import { badRequest, forbidden } from '#machinery';
import type { Authorizer } from '../auth/authorizer.ts';
import { ANONYMOUS, AUTHENTICATED_GROUP, SERVICE_ACCOUNTS_GROUP, UNAUTHENTICATED_GROUP, type UserInfo } from '../auth/user.ts';
import type { Handler, RequestContext } from '../request/context.ts';

const EXTRA = 'impersonate-extra-';

export function withImpersonation(next: Handler, authorizer: Authorizer): Handler {
  return function impersonate(context) {
    if (!asksToImpersonate(context)) return next(context);
    const wanted = requestedUser(context);
    checkAllowed(context, wanted, authorizer);
    context.user = completed(wanted);
    return next(context);
  };
}

/** Every request comes here: most headers are told apart by their first letter. */
const LETTER_I = 'i'.charCodeAt(0);

function asksToImpersonate({ request }: RequestContext): boolean {
  const { headers } = request;
  if (headers['impersonate-user'] !== undefined || headers['impersonate-group'] !== undefined || headers['impersonate-uid'] !== undefined)
    return true;
  for (const name in headers) if (name.charCodeAt(0) === LETTER_I && name.startsWith(EXTRA)) return true;
  return false;
}

const listOf = (value: string | string[] | undefined) => (value === undefined ? [] : Array.isArray(value) ? value : value.split(', '));

function requestedUser({ request: { headers } }: RequestContext): UserInfo {
  const name = listOf(headers['impersonate-user'])[0] ?? '';
  const groups = listOf(headers['impersonate-group']);
  const uid = listOf(headers['impersonate-uid'])[0] ?? '';
  const extra: Record<string, string[]> = {};
  for (const header in headers) {
    if (header.startsWith(EXTRA)) extra[decodeURIComponent(header.slice(EXTRA.length))] = listOf(headers[header]);
  }
  if (name === '') {
    const what = groups.length > 0 || uid !== '' || Object.keys(extra).length > 0;
    if (what) throw badRequest(`requested ${goUser(uid, groups, extra)} without impersonating a user name`);
  }
  return { name, uid, groups, extra };
}

/** The wanted user as upstream prints it. */
function goUser(uid: string, groups: readonly string[], extra: Readonly<Record<string, readonly string[]>>): string {
  const strings = (list: readonly string[]) =>
    list.length === 0 ? '[]string(nil)' : `[]string{${list.map((text) => JSON.stringify(text)).join(', ')}}`;
  const entries = Object.entries(extra).map(([key, values]) => `${JSON.stringify(key)}:${strings(values)}`);
  const shown = entries.length === 0 ? 'map[string][]string(nil)' : `map[string][]string{${entries.join(', ')}}`;
  return `&user.DefaultInfo{Name:"", UID:${JSON.stringify(uid)}, Groups:${strings(groups)}, Extra:${shown}}`;
}

function checkAllowed(context: RequestContext, wanted: UserInfo, authorizer: Authorizer): void {
  const user = context.knownUser;
  const check = (group: string, resource: string, name: string, namespace = '', subresource = '') => {
    const attributes = {
      user,
      verb: 'impersonate',
      isResource: true,
      path: '',
      group,
      version: 'v1',
      resource,
      subresource,
      namespace,
      name,
    };
    const { verdict, reason } = authorizer.authorize(attributes);
    if (verdict === 'allow') return;
    const scope = namespace === '' ? 'at the cluster scope' : `in the namespace "${namespace}"`;
    const shown = subresource === '' ? resource : `${resource}/${subresource}`;
    const why = `User ${JSON.stringify(user.name)} cannot impersonate resource ${JSON.stringify(shown)} in API group ${JSON.stringify(group)} ${scope}`;
    throw forbidden({ group, resource }, name, reason === '' ? why : `${why}: ${reason}`);
  };
  const account = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(wanted.name);
  if (account !== null) check('', 'serviceaccounts', account[2] ?? '', account[1] ?? '');
  else check('', 'users', wanted.name);
  for (const group of wanted.groups) check('', 'groups', group);
  for (const [key, values] of Object.entries(wanted.extra))
    for (const value of values) check('authentication.k8s.io', 'userextras', value, '', key);
  if (wanted.uid !== '') check('authentication.k8s.io', 'uids', wanted.uid);
}

/** Adds the groups that authentication would have added. */
function completed(wanted: UserInfo): UserInfo {
  const groups = [...wanted.groups];
  const account = /^system:serviceaccount:([^:]+):[^:]+$/.exec(wanted.name);
  if (account !== null && groups.length === 0) groups.push(SERVICE_ACCOUNTS_GROUP, `${SERVICE_ACCOUNTS_GROUP}:${account[1]}`);
  if (wanted.name === ANONYMOUS) {
    if (!groups.includes(UNAUTHENTICATED_GROUP)) groups.push(UNAUTHENTICATED_GROUP);
  } else if (!groups.includes(AUTHENTICATED_GROUP)) {
    groups.push(AUTHENTICATED_GROUP);
  }
  return { ...wanted, groups };
}
