// SPDX-License-Identifier: Apache-2.0
// Admission policies: the usual strategy, and expressions that compile, checked where upstream's order has them.
import type { DeepReadonly, FieldCause, Resource } from '#machinery';
import { mutatingPolicyCauses, validatingPolicyCauses } from '../../admission/policy/mod.ts';
import type { RuleEngine } from '../../crd/rule-engine.ts';
import { defaultStrategy, type StrategyTraits } from '../default-strategy.ts';
import type { MutableObject, Strategy } from '../strategy.ts';

/** @param rules Admission has loaded it before such an object is validated. */
export function admissionPolicyStrategy(resource: Resource, traits: StrategyTraits, rules: RuleEngine): Strategy {
  const base = defaultStrategy(resource, { ...traits, generation: true, allowUnconditionalUpdate: false });
  const causesOf = resource.kind === 'ValidatingAdmissionPolicy' ? validatingPolicyCauses : mutatingPolicyCauses;
  const policyCauses = (object: DeepReadonly<MutableObject>): FieldCause[] => causesOf(object as never, rules.cel);
  return {
    ...base,
    validate: (object, scope) => [...base.validate(object, scope), ...policyCauses(object)],
    validateUpdate: (next, previous, scope) => [...base.validateUpdate(next, previous, scope), ...policyCauses(next)],
  };
}
