// SPDX-License-Identifier: Apache-2.0
// Admission policies: the usual strategy, and expressions that compile, checked where upstream's order has them.
import type { DeepReadonly, FieldCause, Resource } from '#machinery';
import { mutatingPolicyCauses, policyStatusCauses, validatingPolicyCauses } from '../../admission/policy/mod.ts';
import type { RuleEngine } from '../../crd/rule-engine.ts';
import { defaultStrategy, type StrategyTraits } from '../default-strategy.ts';
import type { MutableObject, Strategy, SubresourceRules } from '../strategy.ts';

/** @param rules Admission has loaded it before such an object is validated. */
export function admissionPolicyStrategy(resource: Resource, traits: StrategyTraits, rules: RuleEngine): Strategy {
  const base = defaultStrategy(resource, { ...traits, generation: true, allowUnconditionalUpdate: false });
  const isValidating = resource.kind === 'ValidatingAdmissionPolicy';
  const causesOf = isValidating ? validatingPolicyCauses : mutatingPolicyCauses;
  const policyCauses = (object: DeepReadonly<MutableObject>, previous?: DeepReadonly<MutableObject>): FieldCause[] =>
    causesOf(object as never, rules.cel, previous as never);
  const { status } = base.subresources;
  const checkedStatus: SubresourceRules | undefined = status && {
    ...status,
    validateUpdate: (next, previous, scope) => [...status.validateUpdate(next, previous, scope), ...policyStatusCauses(next as never)],
  };
  return {
    ...base,
    validate: (object, scope) => [...base.validate(object, scope), ...policyCauses(object)],
    validateUpdate: (next, previous, scope) => [...base.validateUpdate(next, previous, scope), ...policyCauses(next, previous)],
    ...(isValidating && checkedStatus !== undefined ? { subresources: { ...base.subresources, status: checkedStatus } } : {}),
  };
}
