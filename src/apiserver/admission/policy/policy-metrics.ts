// SPDX-License-Identifier: Apache-2.0
// Metrics of admission policies, under upstream's names.
// @source upstream apiserver pkg/admission/plugin/policy/{validating,mutating}/metrics/metrics.go
import type { Metrics } from '#component';

const BUCKETS = [0.0000005, 0.001, 0.01, 0.1, 1];

export type EnforcementAction = 'allow' | 'deny' | 'audit' | 'warn';

/** One expression of a policy by a binding. */
export interface Check {
  readonly policy: string;
  readonly binding: string;
  readonly seconds: number;
  /** What went wrong, if it could not be evaluated. */
  readonly error?: string | undefined;
}

export class PolicyMetrics {
  readonly #validations;
  readonly #validationSeconds;
  readonly #mutations;
  readonly #mutationSeconds;

  constructor(metrics: Metrics) {
    const validating = 'apiserver_validating_admission_policy_check';
    const mutating = 'apiserver_mutating_admission_policy_check';
    const by = ['policy', 'policy_binding', 'error_type'];
    this.#validations = metrics.counter(
      `${validating}_total`,
      'Validation admission policy check total, labeled by policy and further identified by binding and enforcement action taken.',
      [...by, 'enforcement_action'],
    );
    this.#validationSeconds = metrics.histogram(
      `${validating}_duration_seconds`,
      'Validation admission latency for individual validation expressions in seconds, labeled by policy and further including binding and enforcement action taken.',
      BUCKETS,
      [...by, 'enforcement_action'],
    );
    this.#mutations = metrics.counter(
      `${mutating}_total`,
      'Mutation admission policy check total, labeled by policy and further identified by binding.',
      by,
    );
    this.#mutationSeconds = metrics.histogram(
      `${mutating}_duration_seconds`,
      'Mutation admission latency for individual mutation expressions in seconds, labeled by policy and binding.',
      BUCKETS,
      by,
    );
  }

  validated(check: Check, action: EnforcementAction): void {
    const labels = { ...labelsOf(check), enforcement_action: action };
    this.#validations.inc(labels);
    this.#validationSeconds.observe(labels, check.seconds);
  }

  mutated(check: Check): void {
    const labels = labelsOf(check);
    this.#mutations.inc(labels);
    this.#mutationSeconds.observe(labels, check.seconds);
  }
}

function labelsOf({ policy, binding, error }: Check) {
  return { policy, policy_binding: binding, error_type: errorType(error) };
}

function errorType(error: string | undefined): string {
  if (error === undefined) return 'no_error';
  if (error.startsWith('compilation')) return 'compile_error';
  return error.startsWith('validation failed due to running out of cost budget') ? 'out_of_budget' : 'invalid_error';
}
