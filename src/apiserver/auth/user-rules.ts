// SPDX-License-Identifier: Apache-2.0
// What authorizers can tell of all that a user may do, for SelfSubjectRulesReview. Who has to ask somebody else cannot tell.
// @source upstream authorizer.RuleResolver
import type { PolicyRule } from '#api/rbac/v1';
import type { DeepReadonly } from '#machinery';
import type { UserInfo } from './user.ts';

export interface UserRules {
  readonly rules: readonly DeepReadonly<PolicyRule>[];
  /** Whether there may be more. */
  readonly incomplete: boolean;
  readonly errors: readonly string[];
}

export interface RuleResolver {
  userRules?(user: UserInfo, namespace: string): UserRules;
}

export const NO_RULES: UserRules = { rules: [], incomplete: false, errors: [] };

/** @param name How the authorizer is called in the answer. */
export function untold(name: string): UserRules {
  return { rules: [], incomplete: true, errors: [`${name} authorizer does not support user rule resolution`] };
}

const VERBS = ['*'];
export const ALL_RULES: UserRules = {
  rules: [
    { verbs: VERBS, apiGroups: ['*'], resources: ['*'] },
    { verbs: VERBS, nonResourceURLs: ['*'] },
  ],
  incomplete: false,
  errors: [],
};

/** Several errors as upstream's aggregate says them; undefined where there is none. */
export function aggregate(errors: readonly string[]): string | undefined {
  const texts = [...new Set(errors)];
  return texts.length > 1 ? `[${texts.join(', ')}]` : texts[0];
}

/** What all of them tell, in their order. */
export function unionRules(resolvers: readonly RuleResolver[], user: UserInfo, namespace: string): UserRules {
  const told = resolvers.map((resolver) => resolver.userRules?.(user, namespace) ?? NO_RULES);
  return {
    rules: told.flatMap(({ rules }) => rules),
    incomplete: told.some(({ incomplete }) => incomplete),
    errors: told.flatMap(({ errors }) => errors),
  };
}
