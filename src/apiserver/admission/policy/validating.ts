// SPDX-License-Identifier: Apache-2.0
// ValidatingAdmissionPolicy: every bound policy that concerns the request is evaluated; what bindings deny ends the request, what
// they warn of or audit is noted. @source upstream apiserver pkg/admission/plugin/policy/validating/{dispatcher,validator}.go

import type { DeepReadonly } from '#machinery';
import { ApiError } from '#machinery';
import type { AdmissionPlugin, AdmissionRequest } from '../admission.ts';
import { refusal } from '../match.ts';
import type { CompiledValidatingPolicy } from './compiled-policy.ts';
import { conditionsHold, EvaluationError, Phase, type Subject } from './evaluation.ts';
import { MatchedRequest } from './matching.ts';
import { authorizeParams, writesPolicy } from './param-authorization.ts';
import { ConfigurationError, collectParams, paramResource } from './params.ts';
import { isExempt, type PolicyDeps, type Versions } from './plugin-deps.ts';
import type { EnforcementAction } from './policy-metrics.ts';
import type { Binding, BoundPolicy, PolicySource } from './source.ts';

/** @source upstream celconfig.MaxEvaluatedMessageExpressionSizeBytes */
const MAX_MESSAGE_BYTES = 5 * 1024;
const MAX_ANNOTATION_BYTES = 10 * 1024;
const FAILURE_ANNOTATION = 'validation.policy.admission.k8s.io/validation_failure';
const CODES: Readonly<Record<string, number>> = { Forbidden: 403, Unauthorized: 401, RequestEntityTooLarge: 413, Invalid: 422 };

type BoundBinding = DeepReadonly<Binding>;

interface Denial {
  readonly policy: string;
  readonly binding: string | undefined;
  readonly message: string;
  readonly reason?: string | undefined;
}

/** What is wrong with the request by one validation. */
interface Violation {
  /** Of the validation within the policy. */
  readonly index: number;
  readonly message: string;
  readonly reason?: string | undefined;
  /** It could not be evaluated; `message` says why. */
  readonly failed?: boolean;
  readonly seconds: number;
}

interface Verdict {
  readonly violations: readonly Violation[];
  readonly annotations: readonly { readonly key: string; readonly value?: string; readonly error?: string }[];
}

const NOTHING: Verdict = { violations: [], annotations: [] };

export function validatingAdmissionPolicy(source: PolicySource<never, CompiledValidatingPolicy>, deps: PolicyDeps): AdmissionPlugin {
  return {
    name: 'ValidatingAdmissionPolicy',
    handles: (request) => writesPolicy(request, 'ValidatingAdmissionPolicy') || (!source.isEmpty && !isExempt(request.resource)),
    validate: (request) => (isExempt(request.resource) ? authorizeParams(request, deps) : dispatch(request, source, deps)),
  };
}

async function dispatch(request: AdmissionRequest, source: PolicySource<never, CompiledValidatingPolicy>, deps: PolicyDeps): Promise<void> {
  await deps.engine.load();
  const matched = new MatchedRequest(request, deps);
  const versions = deps.versionsOf(matched);
  const denials: Denial[] = [];
  for (const bound of source.current(deps.engine.cel)) denials.push(...(await runPolicy(bound, matched, versions, deps)));
  const [first] = denials;
  if (first !== undefined) throw denied(request, first);
}

function denied(request: AdmissionRequest, { policy, binding, message, reason = 'Invalid' }: Denial): ApiError {
  const within = binding === undefined ? '' : ` with binding '${binding}'`;
  const text = `ValidatingAdmissionPolicy '${policy}'${within} denied request: ${message}`;
  const { status } = refusal(request, text);
  const details = { ...status.details, causes: [...(status.details?.causes ?? []), { message: text }] };
  return new ApiError({ ...status, reason, code: CODES[reason] ?? 422, details });
}

/** What a policy or binding that cannot be used comes to. */
function configurationDenial({ name, failurePolicy }: CompiledValidatingPolicy, error: unknown, binding: string | undefined): Denial[] {
  if (!(error instanceof ConfigurationError || error instanceof ApiError)) throw error;
  if (failurePolicy === 'Ignore') return [];
  const what = binding === undefined ? 'policy' : 'binding';
  return [{ policy: name, binding, message: `failed to configure ${what}: ${error.message}` }];
}

async function runPolicy(
  { policy, bindings }: BoundPolicy<CompiledValidatingPolicy>,
  matched: MatchedRequest,
  versions: Versions,
  deps: PolicyDeps,
): Promise<Denial[]> {
  const denials: Denial[] = [];
  const published = new Map<string, Set<string>>();
  try {
    const found = matched.match(policy.matcher);
    if (found === undefined) return denials;
    const params = paramResource(policy, deps.findServed);
    for (const { binding, matcher } of bindings) {
      try {
        if (matcher !== undefined && matched.match(matcher) === undefined) continue;
        const versioned = await versions(found.served);
        for (const param of await collectParams(params, binding.spec.paramRef, matched.request.namespace)) {
          const subject: Subject = { policy, versioned, param, reader: deps.reader, authorize: deps.authorize, cel: deps.engine.cel };
          const verdict = await judge(policy, subject, deps.now);
          denials.push(...enforce(matched.request, policy, binding, verdict, deps));
          for (const annotation of verdict.annotations) {
            if (annotation.error !== undefined)
              denials.push({ policy: policy.name, binding: binding.metadata.name, message: annotation.error });
            else publish(published, annotation.key, annotation.value ?? '');
          }
        }
      } catch (error) {
        denials.push(...configurationDenial(policy, error, binding.metadata.name));
      }
    }
  } catch (error) {
    denials.push(...configurationDenial(policy, error, undefined));
  }
  for (const [key, values] of published) matched.request.annotate?.(`${policy.name}/${key}`, [...values].join(', '));
  return denials;
}

function publish(published: Map<string, Set<string>>, key: string, value: string): void {
  const values = published.get(key) ?? new Set();
  values.add(Buffer.byteLength(value) > MAX_ANNOTATION_BYTES ? Buffer.from(value).subarray(0, MAX_ANNOTATION_BYTES).toString() : value);
  published.set(key, values);
}

/** Acts on violations as the binding says. @returns Those that end the request. */
function enforce(
  request: AdmissionRequest,
  { name: policy, failurePolicy }: CompiledValidatingPolicy,
  { metadata: { name }, spec: { validationActions: actions = [] } }: BoundBinding,
  { violations }: Verdict,
  { metrics }: PolicyDeps,
): Denial[] {
  const denials: Denial[] = [];
  for (const { index, message, reason, failed, seconds } of violations) {
    const check = { policy, binding: name, seconds, error: failed ? message : undefined };
    if (failed && failurePolicy === 'Ignore') {
      metrics?.validated(check, 'allow');
      continue;
    }
    for (const action of actions) {
      metrics?.validated(check, action.toLowerCase() as EnforcementAction);
      if (action === 'Deny') denials.push({ policy, binding: name, message, reason });
      else if (action === 'Warn')
        request.warn(`Validation failed for ValidatingAdmissionPolicy '${policy}' with binding '${name}': ${message}`);
      else {
        const value = [{ message, policy, binding: name, expressionIndex: index, validationActions: actions }];
        request.annotate?.(FAILURE_ANNOTATION, JSON.stringify(value));
      }
    }
  }
  return denials;
}

/** Evaluates a policy; phases that cannot be finished count as one violation. */
async function judge(policy: CompiledValidatingPolicy, subject: Subject, now: () => number): Promise<Verdict> {
  const start = now();
  try {
    if (!(await conditionsHold(subject))) return NOTHING;
    const violations = await violationsOf(policy, subject, now);
    return { violations, annotations: await annotationsOf(policy, subject) };
  } catch (error) {
    if (!(error instanceof EvaluationError)) throw error;
    const seconds = (now() - start) / 1000;
    return { violations: [{ index: 0, message: error.message, failed: true, seconds }], annotations: [] };
  }
}

async function violationsOf(policy: CompiledValidatingPolicy, subject: Subject, now: () => number): Promise<Violation[]> {
  const phase = new Phase(subject, subject.cel.RUNTIME_COST_BUDGET);
  const violations: (Violation & { readonly validation?: CompiledValidatingPolicy['validations'][number] })[] = [];
  for (const [index, validation] of policy.validations.entries()) {
    const start = now();
    const outcome = await phase.evaluate(validation);
    const seconds = (now() - start) / 1000;
    if (outcome.error !== undefined) violations.push({ index, message: outcome.error, failed: true, seconds });
    else if (outcome.value !== true) violations.push({ index, message: '', reason: validation.reason ?? 'Invalid', validation, seconds });
  }
  const messages = new Phase(subject, phase.remaining);
  const result: Violation[] = [];
  for (const { validation, ...violation } of violations)
    result.push(validation === undefined ? violation : { ...violation, message: await messageOf(validation, messages) });
  return result;
}

/** By its expression, else its text, else what failed. */
async function messageOf(validation: CompiledValidatingPolicy['validations'][number], phase: Phase): Promise<string> {
  const { messageExpression, message = '', text } = validation;
  if (messageExpression !== undefined) {
    const outcome = await phase.evaluate(messageExpression);
    const made = outcome.error === undefined && typeof outcome.value === 'string' ? outcome.value.trim() : '';
    if (made !== '' && !made.includes('\n') && Buffer.byteLength(made) <= MAX_MESSAGE_BYTES) return made;
  }
  return message.trim() || `failed expression: ${text.trim()}`;
}

async function annotationsOf(policy: CompiledValidatingPolicy, subject: Subject): Promise<Verdict['annotations']> {
  if (policy.auditAnnotations.length === 0) return [];
  const phase = new Phase(subject, subject.cel.RUNTIME_COST_BUDGET);
  const annotations: { key: string; value?: string; error?: string }[] = [];
  for (const annotation of policy.auditAnnotations) {
    const outcome = await phase.evaluate(annotation);
    const { key } = annotation;
    if (outcome.error !== undefined) {
      if (policy.failurePolicy === 'Fail') annotations.push({ key, error: outcome.error });
    } else if (typeof outcome.value === 'string') {
      const value = outcome.value.trim();
      if (value !== '') annotations.push({ key, value });
    }
  }
  return annotations;
}
