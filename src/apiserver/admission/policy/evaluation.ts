// SPDX-License-Identifier: Apache-2.0
// Runs the expressions of a policy on one request: variables are evaluated when first read and kept for the phase, costs of all
// count against one budget. @source upstream apiserver pkg/admission/plugin/cel/condition.go, composition.go
import { namespaces } from '#api';
import type { CostBudget, Value } from '../../cel/mod.ts';
import type { ObjectReader } from '../../registry/strategy.ts';
import { variablesOf } from '../webhook/cel-variables.ts';
import type { Authorize } from '../webhook/match-conditions.ts';
import type { VersionedRequest } from '../webhook/versioned-request.ts';
import type { CompiledPolicy, Expression } from './compiled-policy.ts';
import { type Cel, VARIABLES } from './environment.ts';
import type { Param } from './params.ts';

/** Thrown when a phase ran out of budget, or a match condition failed: the whole policy fails. */
export class EvaluationError extends Error {
  override readonly name = 'EvaluationError';
}

/** What one expression came to. */
export type Outcome = { readonly value: Value; readonly error?: undefined } | { readonly error: string };

export interface Subject {
  readonly policy: CompiledPolicy;
  readonly versioned: VersionedRequest;
  readonly param: Param | null;
  readonly reader: ObjectReader;
  readonly authorize: Authorize;
  readonly cel: Cel;
}

/** One phase of one policy on one request: match conditions, validations, messages, annotations, or one mutation. */
export class Phase {
  readonly #subject: Subject;
  readonly #budget: CostBudget;
  readonly #values: Record<string, unknown>;

  constructor(subject: Subject, limit: number) {
    const { cel, policy, versioned } = subject;
    this.#subject = subject;
    this.#budget = new cel.CostBudget(limit);
    const known = new Map<string, Value>();
    this.#values = {
      ...variablesOf(versioned, subject.authorize, cel),
      namespaceObject: namespaceOf(subject),
      params: subject.param,
      [VARIABLES]: new cel.LazyFields([...policy.variables.keys()], (name) => {
        let value = known.get(name);
        if (value === undefined) {
          value = this.#variable(name);
          known.set(name, value);
        }
        return value;
      }),
    };
  }

  get remaining(): number {
    return this.#budget.remaining;
  }

  #variable(name: string): Value {
    const { cel, policy } = this.#subject;
    const { program, problem } = policy.variables.get(name)?.compiled ?? {};
    const quoted = JSON.stringify(name);
    if (program === undefined) return cel.failure(`composited variable ${quoted} fails to compile: ${problem ?? 'not declared'}`);
    try {
      return program.evaluate(this.#values, this.#budget) as Value;
    } catch (error) {
      const isOwn = error instanceof cel.CelError && !(error instanceof cel.CostExceededError && error.scope === 'budget');
      if (!isOwn) throw error;
      return cel.failure(`composited variable ${quoted} fails to evaluate: ${error.message}`);
    }
  }

  /** @throws {EvaluationError} When the budget is used up. */
  async evaluate({ text, compiled }: Expression): Promise<Outcome> {
    const { cel } = this.#subject;
    if (compiled.program === undefined) return { error: `compilation error: ${compiled.problem}` };
    try {
      return { value: (await cel.evaluateAsync(compiled.program, this.#values, this.#budget)) as Value };
    } catch (error) {
      if (!(error instanceof cel.CelError)) throw error;
      if (error instanceof cel.CostExceededError && error.scope === 'budget') throw new EvaluationError(error.message, { cause: error });
      return { error: `expression '${text}' resulted in error: ${error.message}` };
    }
  }
}

/** The namespace the object is in; null for what is in none, and for namespaces themselves. */
function namespaceOf({ versioned, reader }: Subject): unknown {
  const { namespace, resource } = versioned.request;
  if (namespace === '' || (resource.group === '' && resource.resource === 'namespaces')) return null;
  return reader.find(namespaces, { name: namespace }) ?? null;
}

/** Whether all match conditions hold. @throws {EvaluationError} If one fails, none is false, and failurePolicy is Fail. */
export async function conditionsHold(subject: Subject): Promise<boolean> {
  const { policy, cel } = subject;
  if (policy.matchConditions.length === 0) return true;
  const errors: string[] = [];
  try {
    const phase = new Phase(subject, cel.MATCH_CONDITIONS_BUDGET);
    for (const condition of policy.matchConditions) {
      const outcome = await phase.evaluate(condition);
      if (outcome.error !== undefined) errors.push(outcome.error);
      else if (outcome.value === false) return false;
    }
  } catch (error) {
    if (!(error instanceof EvaluationError)) throw error;
    if (policy.failurePolicy === 'Fail') throw error;
    return false;
  }
  if (errors.length === 0) return true;
  if (policy.failurePolicy === 'Ignore') return false;
  throw new EvaluationError(errors.length === 1 ? (errors[0] ?? '') : `[${[...new Set(errors)].join(', ')}]`);
}
