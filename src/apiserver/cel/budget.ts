// SPDX-License-Identifier: Apache-2.0
// What an expression may cost, and the errors its evaluation ends with. Upstream's limits: apiserver pkg/apis/cel/config.go.

/** The most one evaluation of one expression may cost. */
export const PER_CALL_LIMIT = 1_000_000;
/** The most all expressions of a policy, or of an object's rules, may cost together. */
export const RUNTIME_COST_BUDGET = 10_000_000;
/** The most the match conditions of one policy or webhook may cost together. */
export const MATCH_CONDITIONS_BUDGET = 2_500_000;

/** Thrown when an evaluation failed; the message is upstream's. */
export class CelError extends Error {}

/** Thrown when one call or the whole budget cost too much. */
export class CostExceededError extends CelError {
  readonly scope: 'call' | 'budget';
  constructor(scope: 'call' | 'budget') {
    super(
      scope === 'call'
        ? 'operation cancelled: actual cost limit exceeded'
        : 'validation failed due to running out of cost budget, no further validation rules will be run',
    );
    this.scope = scope;
  }
}

/** Shared by the evaluations that are limited together. */
export class CostBudget {
  readonly limit: number;
  #used = 0;
  constructor(limit: number) {
    this.limit = limit;
  }
  get used(): number {
    return this.#used;
  }
  get remaining(): number {
    return this.limit - this.#used;
  }
  get isExhausted(): boolean {
    return this.#used > this.limit;
  }
  charge(cost: number): void {
    this.#used += cost;
  }
}
