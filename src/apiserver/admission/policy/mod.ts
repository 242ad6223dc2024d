// SPDX-License-Identifier: Apache-2.0
// admission/policy: ValidatingAdmissionPolicy and MutatingAdmissionPolicy. Policies and bindings come from the cache (source.ts), are
// compiled once (compiled-policy.ts), matched (matching.ts), given parameters (params.ts) and evaluated (evaluation.ts); their
// API validation is in validation.ts, the type checking that the status shows in type-checking.ts.
export { createPolicyPlugins, type PolicyPluginsOptions } from './plugins.ts';
export { PolicyMetrics } from './policy-metrics.ts';
export { checkTypes, type ExpressionWarning, typesToCheck } from './type-checking.ts';
export { runTypeChecking } from './type-checking-controller.ts';
export { mutatingPolicyCauses, policyStatusCauses, validatingPolicyCauses } from './validation.ts';
