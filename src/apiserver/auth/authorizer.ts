// SPDX-License-Identifier: Apache-2.0
// The authorization contract and the union of authorizers, in order: the first that has an opinion decides.
import type { FieldRequirement, Requirement } from '#machinery';
import type { UserInfo } from './user.ts';
import { ALL_RULES, aggregate, type RuleResolver, type UserRules, unionRules } from './user-rules.ts';

export interface Attributes {
  readonly user: UserInfo;
  readonly verb: string;
  /** True for API resources; then `path` is not looked at. */
  readonly isResource: boolean;
  readonly path: string;
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
  /** What a list or watch is confined to; read when it is asked for. */
  readonly fieldSelector?: (() => readonly FieldRequirement[]) | undefined;
  readonly labelSelector?: (() => readonly Requirement[]) | undefined;
}

export interface Decision {
  readonly verdict: 'allow' | 'deny' | 'no-opinion';
  /** Why not, in upstream's words, for the 403's message. */
  readonly reason: string;
  /** What went wrong on the way: a request that nobody allows is then no 403 but a fault of the server. */
  readonly error?: string | undefined;
}

/** One without `userRules` knows of none that it could name. */
export interface Authorizer extends RuleResolver {
  readonly name: string;
  /** From what is at hand. */
  authorize(attributes: Attributes): Decision;
  /** Where somebody else may have to be asked, who answers in time; absent: `authorize` says all there is to say. */
  authorizeAsync?(attributes: Attributes): Promise<Decision>;
}

/** The whole decision, however long it takes. */
export function decide(authorizer: Authorizer, attributes: Attributes): Decision | Promise<Decision> {
  return authorizer.authorizeAsync === undefined ? authorizer.authorize(attributes) : authorizer.authorizeAsync(attributes);
}

export const ALLOW: Decision = { verdict: 'allow', reason: '' };
export const NO_OPINION: Decision = { verdict: 'no-opinion', reason: '' };

/** Asks each in turn. Reasons of those without an opinion are joined. */
export function unionAuthorizer(authorizers: readonly Authorizer[]): Authorizer {
  return {
    name: 'Union',
    userRules: (user, namespace) => unionRules(authorizers, user, namespace),
    ...(authorizers.some(({ authorizeAsync }) => authorizeAsync !== undefined) ? { authorizeAsync: asyncUnion(authorizers) } : {}),
    authorize(attributes) {
      let reasons = '';
      for (const authorizer of authorizers) {
        const decision = authorizer.authorize(attributes);
        if (decision.verdict !== 'no-opinion') return decision;
        if (decision.reason !== '') reasons = reasons === '' ? decision.reason : `${reasons}\n${decision.reason}`;
      }
      return { verdict: 'no-opinion', reason: reasons };
    },
  };
}

function asyncUnion(authorizers: readonly Authorizer[]): (attributes: Attributes) => Promise<Decision> {
  return async (attributes) => {
    const reasons: string[] = [];
    const errors: string[] = [];
    for (const authorizer of authorizers) {
      const decision = await decide(authorizer, attributes);
      if (decision.verdict !== 'no-opinion') return decision;
      if (decision.reason !== '') reasons.push(decision.reason);
      if (decision.error !== undefined) errors.push(decision.error);
    }
    return { verdict: 'no-opinion', reason: reasons.join('\n'), error: aggregate(errors) };
  };
}

/** An authorizer in whose place another may be put. */
export class ReplaceableAuthorizer implements Authorizer {
  readonly name = 'Replaceable';
  #current: Authorizer;

  constructor(first: Authorizer) {
    this.#current = first;
  }

  replace(next: Authorizer): void {
    this.#current = next;
  }

  authorize(attributes: Attributes): Decision {
    return this.#current.authorize(attributes);
  }

  userRules(user: UserInfo, namespace: string): UserRules {
    return unionRules([this.#current], user, namespace);
  }

  get authorizeAsync(): NonNullable<Authorizer['authorizeAsync']> {
    return async (attributes) => decide(this.#current, attributes);
  }
}

/** Members of `system:masters` may do anything, whatever the roles say. */
export function privilegedGroups(groups: readonly string[]): Authorizer {
  return {
    name: 'PrivilegedGroups',
    authorize: ({ user }) => (user.groups.some((group) => groups.includes(group)) ? ALLOW : NO_OPINION),
  };
}

export const alwaysAllow: Authorizer = { name: 'AlwaysAllow', authorize: () => ALLOW, userRules: () => ALL_RULES };

/** @source upstream's wording: Everything is forbidden. */
export const alwaysDeny: Authorizer = {
  name: 'AlwaysDeny',
  authorize: () => ({ verdict: 'no-opinion', reason: 'Everything is forbidden.' }),
};
