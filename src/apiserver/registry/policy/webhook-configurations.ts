// SPDX-License-Identifier: Apache-2.0
// Webhook configurations: the usual strategy, and match conditions that compile. An update that leaves the conditions alone leaves
// them unchecked, so that a newer server's expressions survive an older one.
import { sameMatchConditions } from '#api';
import type { ValidatingWebhook } from '#api/admissionregistration/v1';
import { type DeepReadonly, type FieldCause, field, type Resource } from '#machinery';
import { conditionCauses } from '../../admission/webhook/match-conditions.ts';
import type { RuleEngine } from '../../crd/rule-engine.ts';
import { defaultStrategy } from '../default-strategy.ts';
import type { MutableObject, Strategy } from '../strategy.ts';

type Configuration = { readonly webhooks?: readonly DeepReadonly<ValidatingWebhook>[] };

/** @param rules Admission has loaded it before such an object is validated. */
export function webhookConfigurationStrategy(resource: Resource, rules: RuleEngine): Strategy {
  const base = defaultStrategy(resource, { generation: true, allowUnconditionalUpdate: false });
  const expressionCauses = (object: DeepReadonly<MutableObject>): FieldCause[] =>
    ((object as Configuration).webhooks ?? []).flatMap(({ matchConditions = [] }, index) => {
      if (matchConditions.length === 0) return [];
      return conditionCauses(matchConditions, field('webhooks').index(index).child('matchConditions'), rules.cel);
    });
  return {
    ...base,
    validate: (object, scope) => [...base.validate(object, scope), ...expressionCauses(object)],
    validateUpdate(next, previous, scope) {
      const causes = base.validateUpdate(next, previous, scope);
      return sameMatchConditions(next as Configuration, previous as Configuration) ? causes : [...causes, ...expressionCauses(next)];
    },
  };
}
