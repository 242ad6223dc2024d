// SPDX-License-Identifier: Apache-2.0
// A policy ready to be evaluated: everything compiled once, when the policy is first needed after it changed.
// @source upstream apiserver pkg/admission/plugin/policy/{validating,mutating}/plugin.go compilePolicy
import type { MutatingAdmissionPolicy, ValidatingAdmissionPolicy } from '#api/admissionregistration/v1';
import type { DeepReadonly } from '#machinery';
import type { Compiled, CompileOptions } from '../../cel/mod.ts';
import { APPLY_CONFIGURATION_RESULT, type Cel, JSON_PATCH_RESULT, PolicyEnvironment } from './environment.ts';
import { type Matcher, matcherOf } from './matching.ts';

export type ValidatingPolicy = DeepReadonly<ValidatingAdmissionPolicy>;
export type MutatingPolicy = DeepReadonly<MutatingAdmissionPolicy>;

export interface Expression {
  readonly text: string;
  readonly compiled: Compiled;
}

/** What both kinds of policy have in common. */
export interface CompiledPolicy {
  readonly name: string;
  readonly failurePolicy: 'Fail' | 'Ignore';
  readonly paramKind: { readonly apiVersion: string; readonly kind: string } | undefined;
  readonly matcher: Matcher;
  readonly variables: ReadonlyMap<string, Expression>;
  readonly matchConditions: readonly Expression[];
}

export interface CompiledValidatingPolicy extends CompiledPolicy {
  readonly validations: readonly (Expression & {
    readonly message: string | undefined;
    readonly reason: string | undefined;
    readonly messageExpression: Expression | undefined;
  })[];
  readonly auditAnnotations: readonly (Expression & { readonly key: string })[];
}

export interface CompiledMutatingPolicy extends CompiledPolicy {
  readonly mayReinvoke: boolean;
  readonly mutations: readonly (Expression & { readonly patchType: string })[];
}

type Spec = (ValidatingPolicy | MutatingPolicy)['spec'];

function common(name: string, spec: Spec, environment: PolicyEnvironment): CompiledPolicy {
  const variables = new Map<string, Expression>();
  for (const variable of spec.variables ?? [])
    variables.set(variable.name, { text: variable.expression, compiled: environment.declare(variable) });
  const { apiVersion = '', kind = '' } = spec.paramKind ?? {};
  return {
    name,
    failurePolicy: spec.failurePolicy === 'Ignore' ? 'Ignore' : 'Fail',
    paramKind: spec.paramKind === undefined ? undefined : { apiVersion, kind },
    matcher: matcherOf(spec.matchConstraints ?? {}),
    variables,
    matchConditions: (spec.matchConditions ?? []).map(({ expression }) => compiled(environment, expression, 'bool')),
  };
}

function compiled(environment: PolicyEnvironment, text: string, result: CompileOptions['result'], hasAuthorizer = true): Expression {
  return { text, compiled: environment.compile(text, result, hasAuthorizer) };
}

export function compileValidatingPolicy({ metadata, spec }: ValidatingPolicy, cel: Cel): CompiledValidatingPolicy {
  const environment = new PolicyEnvironment(cel, { hasParams: spec.paramKind !== undefined });
  return {
    ...common(metadata.name, spec, environment),
    validations: (spec.validations ?? []).map(({ expression, message, reason, messageExpression }) => ({
      ...compiled(environment, expression, 'bool'),
      message,
      reason,
      messageExpression: messageExpression ? compiled(environment, messageExpression, 'string', false) : undefined,
    })),
    auditAnnotations: (spec.auditAnnotations ?? []).map(({ key, valueExpression }) => ({
      ...compiled(environment, valueExpression, [cel.STRING, cel.NULL]),
      key,
    })),
  };
}

export function compileMutatingPolicy({ metadata, spec }: MutatingPolicy, cel: Cel): CompiledMutatingPolicy {
  const environment = new PolicyEnvironment(cel, { hasParams: spec.paramKind !== undefined, isMutation: true });
  return {
    ...common(metadata.name, spec, environment),
    mayReinvoke: spec.reinvocationPolicy === 'IfNeeded',
    mutations: (spec.mutations ?? []).map(({ patchType, applyConfiguration, jsonPatch }) => {
      const isPatch = patchType === 'JSONPatch';
      const text = (isPatch ? jsonPatch : applyConfiguration)?.expression ?? '';
      return { ...compiled(environment, text, isPatch ? JSON_PATCH_RESULT : APPLY_CONFIGURATION_RESULT), patchType };
    }),
  };
}
