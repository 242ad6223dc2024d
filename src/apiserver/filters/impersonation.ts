// SPDX-License-Identifier: Apache-2.0
// `Impersonate-*` headers: the request goes on as another user, if the first one may impersonate each part of it.
// @source upstream apiserver pkg/endpoints/filters/impersonation
import { badRequest, forbidden } from '#machinery';
import { type Authorizer, decide } from '../auth/authorizer.ts';
import { ANONYMOUS, AUTHENTICATED_GROUP, SERVICE_ACCOUNTS_GROUP, UNAUTHENTICATED_GROUP, type UserInfo } from '../auth/user.ts';
import type { Handler, RequestContext } from '../request/context.ts';
import { attributesOf, denied } from './authorization.ts';

const PREFIX = 'impersonate-';
const EXTRA = `${PREFIX}extra-`;

export function withImpersonation(next: Handler, authorizer: Authorizer): Handler {
  const modes = new ImpersonationModes(authorizer);
  return function impersonate(context) {
    if (!asksToImpersonate(context)) return next(context);
    const wanted = requestedUser(context);
    if (wanted.name === '') return next(context); // Empty headers ask for nobody.
    return modes.check(context, wanted).then(() => {
      context.user = completed(wanted);
      return next(context);
    });
  };
}

/** Every request comes here: most headers are told apart by their first letter, and walking the raw form is cheaper (2 % of a GET's time). */
function asksToImpersonate({ request: { headers, rawHeaders } }: RequestContext): boolean {
  if (rawHeaders === undefined) return Object.keys(headers).some(isOfImpersonation);
  for (let index = 0; index < rawHeaders.length; index += 2) if (isOfImpersonation(rawHeaders[index] ?? '')) return true;
  return false;
}

function isOfImpersonation(name: string): boolean {
  const first = name.charCodeAt(0);
  if (first !== LETTER_I && first !== CAPITAL_I) return false;
  const lower = name.toLowerCase();
  return lower === `${PREFIX}user` || lower === `${PREFIX}group` || lower === `${PREFIX}uid` || lower.startsWith(EXTRA);
}

const LETTER_I = 'i'.charCodeAt(0);
const CAPITAL_I = 'I'.charCodeAt(0);

/** Each value by itself, as it came: one that holds a comma is one group. */
function valuesOf({ request: { headers, rawHeaders } }: RequestContext): Map<string, string[]> {
  const found = new Map<string, string[]>();
  const add = (name: string, values: readonly string[]) => {
    if (isOfImpersonation(name)) found.set(name.toLowerCase(), [...(found.get(name.toLowerCase()) ?? []), ...values]);
  };
  if (rawHeaders === undefined) {
    for (const [name, value] of Object.entries(headers)) add(name, typeof value === 'string' ? value.split(', ') : (value ?? []));
  } else {
    for (let index = 0; index + 1 < rawHeaders.length; index += 2) add(rawHeaders[index] ?? '', [rawHeaders[index + 1] ?? '']);
  }
  return found;
}

function requestedUser(context: RequestContext): UserInfo {
  const values = valuesOf(context);
  const name = values.get(`${PREFIX}user`)?.[0] ?? '';
  const groups = values.get(`${PREFIX}group`) ?? [];
  const uid = values.get(`${PREFIX}uid`)?.[0] ?? '';
  const extra: Record<string, string[]> = {};
  for (const [header, list] of values) if (header.startsWith(EXTRA)) extra[unescaped(header.slice(EXTRA.length))] = list;
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

/** Allows, or throws what its 403 says. */
type Check = (context: RequestContext, wanted: UserInfo, authorizer: Authorizer) => Promise<void>;

const SERVICE_ACCOUNT = /^system:serviceaccount:([^:]+):([^:]+)$/;
const NODE = /^system:node:(.+)$/;
const AUTHENTICATION_GROUP = 'authentication.k8s.io';
/** Users whose last successful mode is remembered. */
const REMEMBERED = 1024;

/**
 * The ways to be allowed: the constrained mode that fits the wanted user (KEP-5284: who may be impersonated, and for what), and the
 * old one (whom, for anything). The mode that last let a user through is tried first, and when none does its reason is given.
 */
class ImpersonationModes {
  readonly #authorizer: Authorizer;
  readonly #lastGood = new Map<string, 'legacy' | 'constrained'>();

  constructor(authorizer: Authorizer) {
    this.#authorizer = authorizer;
  }

  /** @throws {ApiError} 403 */
  async check(context: RequestContext, wanted: UserInfo): Promise<void> {
    const { name } = context.knownUser;
    const order: readonly ('legacy' | 'constrained')[] =
      this.#lastGood.get(name) === 'legacy' ? ['legacy', 'constrained'] : ['constrained', 'legacy'];
    let first: unknown;
    for (const mode of order) {
      try {
        await (mode === 'legacy' ? checkLegacy : checkConstrained)(context, wanted, this.#authorizer);
        if (mode === 'constrained') context.audit?.impersonatedBy(`impersonate:${constraintOf(context.knownUser, wanted).mode}`);
        this.#remember(name, mode);
        return;
      } catch (error) {
        first ??= error;
      }
    }
    throw first;
  }

  #remember(name: string, mode: 'legacy' | 'constrained'): void {
    this.#lastGood.delete(name);
    this.#lastGood.set(name, mode);
    for (const oldest of this.#lastGood.keys()) {
      if (this.#lastGood.size <= REMEMBERED) break;
      this.#lastGood.delete(oldest);
    }
  }
}

interface Part {
  readonly group: string;
  readonly resource: string;
  readonly subresource?: string;
  readonly namespace?: string;
  readonly name: string;
}

/** Group, resource and name of each part of the wanted user beside its name. */
function partsOf(wanted: UserInfo, groupsGroup: string): Part[] {
  return [
    ...wanted.groups.map((name) => ({ group: groupsGroup, resource: 'groups', name })),
    ...Object.entries(wanted.extra).flatMap(([key, values]) =>
      values.map((name) => ({ group: AUTHENTICATION_GROUP, resource: 'userextras', subresource: key, name })),
    ),
    ...(wanted.uid === '' ? [] : [{ group: AUTHENTICATION_GROUP, resource: 'uids', name: wanted.uid }]),
  ];
}

const checkLegacy: Check = async (context, wanted, authorizer) => {
  const [, namespace, account] = SERVICE_ACCOUNT.exec(wanted.name) ?? [];
  const who: Part =
    account === undefined
      ? { group: '', resource: 'users', name: wanted.name }
      : { group: '', resource: 'serviceaccounts', name: account, namespace: namespace ?? '' };
  for (const part of [who, ...partsOf(wanted, '')]) await checkPart(context, part, 'impersonate', authorizer);
};

/** First whether the request itself may be made for another, then whether for this one. */
const checkConstrained: Check = async (context, wanted, authorizer) => {
  const { mode, who } = constraintOf(context.knownUser, wanted);
  const request = attributesOf(context);
  const attributes = { ...request, verb: `impersonate-on:${mode}:${request.verb}` };
  const { verdict, reason } = await decide(authorizer, attributes);
  if (verdict !== 'allow') throw denied(attributes, reason);
  for (const part of [who, ...partsOf(wanted, AUTHENTICATION_GROUP)]) await checkPart(context, part, `impersonate:${mode}`, authorizer);
};

const NODE_NAME = 'authentication.kubernetes.io/node-name';

function constraintOf(user: UserInfo, wanted: UserInfo): { readonly mode: string; readonly who: Part } {
  const [, namespace, account] = SERVICE_ACCOUNT.exec(wanted.name) ?? [];
  const group = AUTHENTICATION_GROUP;
  if (account !== undefined)
    return { mode: 'serviceaccount', who: { group, resource: 'serviceaccounts', name: account, namespace: namespace ?? '' } };
  const [, node] = NODE.exec(wanted.name) ?? [];
  if (node === undefined) return { mode: 'user-info', who: { group, resource: 'users', name: wanted.name } };
  // A Pod's account may stand for the node that the Pod runs on.
  const isOwn = SERVICE_ACCOUNT.test(user.name) && user.extra[NODE_NAME]?.[0] === node;
  return { mode: isOwn ? 'associated-node' : 'arbitrary-node', who: { group, resource: 'nodes', name: isOwn ? '*' : node } };
}

async function checkPart(context: RequestContext, part: Part, verb: string, authorizer: Authorizer): Promise<void> {
  const { group, resource, subresource = '', namespace = '', name } = part;
  const user = context.knownUser;
  const attributes = { user, verb, isResource: true, path: '', group, version: 'v1', resource, subresource, namespace, name };
  const { verdict, reason } = await decide(authorizer, attributes);
  if (verdict === 'allow') return;
  const scope = namespace === '' ? 'at the cluster scope' : `in the namespace ${JSON.stringify(namespace)}`;
  const shown = subresource === '' ? resource : `${resource}/${subresource}`;
  const why = `User ${JSON.stringify(user.name)} cannot ${verb} resource ${JSON.stringify(shown)} in API group ${JSON.stringify(group)} ${scope}`;
  throw forbidden({ group, resource }, name, reason === '' ? why : `${why}: ${reason}`);
}

/** Adds the groups that authentication would have added. */
function completed(wanted: UserInfo): UserInfo {
  const groups = [...wanted.groups];
  const account = /^system:serviceaccount:([^:]+):[^:]+$/.exec(wanted.name);
  if (account !== null && groups.length === 0) groups.push(SERVICE_ACCOUNTS_GROUP, `${SERVICE_ACCOUNTS_GROUP}:${account[1]}`);
  if (wanted.name === ANONYMOUS) {
    if (!groups.includes(UNAUTHENTICATED_GROUP)) groups.push(UNAUTHENTICATED_GROUP);
  } else if (!groups.includes(AUTHENTICATED_GROUP) && !groups.includes(UNAUTHENTICATED_GROUP)) {
    groups.push(AUTHENTICATED_GROUP);
  }
  return { ...wanted, groups };
}

/** The name itself where it is not escaped as it should be. @source upstream apiserver impersonation unescapeExtraKey */
function unescaped(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}
