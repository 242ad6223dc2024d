// SPDX-License-Identifier: Apache-2.0
// `matchConditions` of webhooks: CEL expressions that all have to hold for the webhook to be called. Compiled on first use.
// @source upstream apiserver pkg/admission/plugin/webhook/matchconditions/matcher.go
import type { MatchCondition } from '#api/admissionregistration/v1';
import { type DeepReadonly, type FieldCause, type FieldPath, invalidValue } from '#machinery';
import type { UserInfo } from '../../auth/user.ts';
import type { CelCheck, CelDecision, CelProgram } from '../../cel/mod.ts';
import { type Cel, variablesOf, variableTypes } from './cel-variables.ts';
import type { VersionedRequest } from './versioned-request.ts';

export type Authorize = (user: UserInfo, check: CelCheck) => CelDecision | Promise<CelDecision>;

/** `error`: at least one could not be evaluated, and none was false. */
export type Verdict = { readonly matches: boolean; readonly error?: undefined } | { readonly error: string };

const OVER_BUDGET = 'validation failed due to running out of cost budget, no further validation rules will be run';

interface Condition {
  readonly expression: string;
  readonly program: CelProgram | undefined;
  readonly problem: string | undefined;
}

export class MatchConditions {
  readonly #conditions: readonly DeepReadonly<MatchCondition>[];
  #compiled: readonly Condition[] | undefined;

  constructor(conditions: readonly DeepReadonly<MatchCondition>[]) {
    this.#conditions = conditions;
    this.#compiled = undefined;
  }

  async evaluate(versioned: VersionedRequest, authorize: Authorize): Promise<Verdict> {
    const cel = await import('../../cel/mod.ts');
    this.#compiled ??= this.#conditions.map(({ expression }) => {
      const { program, problem } = cel.compile(expression, { variables: variableTypes(cel), result: 'bool' });
      return { expression, program, problem };
    });
    const variables = variablesOf(versioned, authorize, cel);
    const budget = new cel.CostBudget(cel.MATCH_CONDITIONS_BUDGET);
    const errors: string[] = [];
    let isExcluded = false;
    for (const { expression, program, problem } of this.#compiled) {
      if (program === undefined) {
        errors.push(`compilation error: ${problem}`);
        continue;
      }
      try {
        if ((await cel.evaluateAsync(program, variables, budget)) === false) isExcluded = true;
      } catch (error) {
        // Whatever the others say: it is not known any more what they cost.
        if (error instanceof cel.CostExceededError) return { error: OVER_BUDGET };
        errors.push(`expression '${expression}' resulted in error: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
    if (isExcluded || errors.length === 0) return { matches: !isExcluded };
    return { error: errors.length === 1 ? (errors[0] ?? '') : `[${[...new Set(errors)].join(', ')}]` };
  }
}

/** What is wrong with the expressions of a list of conditions; blank ones are validation's matter. */
export function conditionCauses(conditions: readonly DeepReadonly<MatchCondition>[], path: FieldPath, cel: Cel): FieldCause[] {
  return conditions.flatMap(({ expression }, index) => {
    if ((expression ?? '').trim() === '') return [];
    const { problem } = cel.compile(expression, { variables: variableTypes(cel), result: 'bool' });
    return problem === undefined ? [] : [invalidValue(path.index(index).child('expression'), expression, problem)];
  });
}
