// SPDX-License-Identifier: Apache-2.0
// API validation of admission policies with their expressions, in upstream's order.
// @source upstream pkg/apis/admissionregistration/validation/validation.go
import { matchConstraintsCauses, paramKindCauses } from '#api';
import type { MatchCondition, Mutation, Variable } from '#api/admissionregistration/v1';
import {
  checkQualifiedName,
  type DeepReadonly,
  deepEqual,
  duplicateValue,
  type FieldCause,
  type FieldPath,
  field,
  invalidValue,
  notSupported,
  required,
  tooMany,
} from '#machinery';
import type { Compiled } from '../../cel/mod.ts';
import { parseJsonPath } from '../../crd/json-path.ts';
import type { MutatingPolicy, ValidatingPolicy } from './compiled-policy.ts';
import { APPLY_CONFIGURATION_RESULT, type Cel, JSON_PATCH_RESULT, PolicyEnvironment } from './environment.ts';

const SPEC = field('spec');
const MAX_CONDITIONS = 64;
const MAX_ANNOTATIONS = 20;
const MAX_VALUE_EXPRESSION = 5 * 1024;
const REASONS = ['Forbidden', 'Invalid', 'RequestEntityTooLarge'];
const IDENTIFIER = /^[A-Za-z_]\w*$/;
const RESERVED = new Set(
  'true false null in as break const continue else for function if import let loop package namespace return var void while'.split(' '),
);

function isBlank(text: string | undefined): boolean {
  return (text ?? '').trim() === '';
}

function problemCauses({ problem }: Compiled, expression: string, path: FieldPath): FieldCause[] {
  return problem === undefined ? [] : [invalidValue(path, expression, problem)];
}

function choiceCauses(value: string | undefined, choices: readonly string[], path: FieldPath): FieldCause[] {
  if (!value) return [required(path)];
  return choices.includes(value) ? [] : [notSupported(path, value, choices)];
}

/** It is behind a pointer: '' is a value like any other. */
function failurePolicyCauses(value: string | undefined, path: FieldPath): FieldCause[] {
  if (value === undefined) return [required(path)];
  return value === 'Fail' || value === 'Ignore' ? [] : [notSupported(path, value, ['Fail', 'Ignore'])];
}

type Policy = ValidatingPolicy | MutatingPolicy;

/** Match conditions are not looked at again where nothing could have made them invalid. */
function mayIgnoreConditions({ spec }: Policy, previous: Policy | undefined): boolean {
  if (previous === undefined) return false;
  return deepEqual(spec.paramKind, previous.spec.paramKind) && deepEqual(spec.matchConditions, previous.spec.matchConditions);
}

/** What the expressions of a policy may use: `variables` where it has some. */
function environmentOf({ spec }: Policy, cel: Cel, isMutation: boolean): PolicyEnvironment {
  const hasVariables = (spec.variables ?? []).length > 0;
  return new PolicyEnvironment(cel, { hasParams: spec.paramKind !== undefined, hasVariables, isMutation });
}

/** What both kinds of policy begin with. */
function commonCauses(policy: Policy, previous: Policy | undefined, environment: PolicyEnvironment, cel: Cel): FieldCause[] {
  const { spec } = policy;
  // They come before variables, and know none.
  const plain = new PolicyEnvironment(cel, { hasParams: spec.paramKind !== undefined, hasVariables: false });
  const conditions = mayIgnoreConditions(policy, previous) ? [] : conditionsCauses(spec.matchConditions, plain);
  return [
    ...failurePolicyCauses(spec.failurePolicy, SPEC.child('failurePolicy')),
    ...(spec.paramKind === undefined ? [] : paramKindCauses(spec.paramKind, SPEC.child('paramKind'))),
    ...matchConstraintsCauses(spec.matchConstraints, 'reinvocationPolicy' in spec || 'mutations' in spec),
    ...conditions,
    ...(spec.variables ?? []).flatMap((variable, index) => variableCauses(variable, SPEC.child('variables').index(index), environment)),
  ];
}

function conditionsCauses(conditions: readonly DeepReadonly<MatchCondition>[] = [], environment: PolicyEnvironment): FieldCause[] {
  const path = SPEC.child('matchConditions');
  const names = new Set<string>();
  const causes = conditions.length > MAX_CONDITIONS ? [tooMany(path, conditions.length, MAX_CONDITIONS)] : [];
  for (const [index, { name, expression }] of conditions.entries()) {
    const at = path.index(index);
    const text = (expression ?? '').trim();
    if (text === '') causes.push(required(at.child('expression')));
    else causes.push(...problemCauses(environment.compile(text, 'bool'), text, at.child('expression')));
    if (!name) causes.push(required(at.child('name')));
    else causes.push(...checkQualifiedName(name).map((why) => invalidValue(at.child('name'), name, why)));
    if (name && names.has(name)) causes.push(duplicateValue(at.child('name'), name));
    names.add(name);
  }
  return causes;
}

function variableCauses(variable: DeepReadonly<Variable>, path: FieldPath, environment: PolicyEnvironment): FieldCause[] {
  const causes: FieldCause[] = [];
  const { name, expression } = variable;
  if (isBlank(name)) causes.push(required(path.child('name'), 'name is not specified'));
  else if (!IDENTIFIER.test(name) || RESERVED.has(name))
    causes.push(invalidValue(path.child('name'), name, 'must be a valid CEL identifier'));
  if (isBlank(expression)) return [...causes, required(path.child('expression'), 'expression is not specified')];
  return [...causes, ...problemCauses(environment.declare(variable), expression, path.child('expression'))];
}

/** Everything wrong with a ValidatingAdmissionPolicy beside its metadata. */
export function validatingPolicyCauses(policy: ValidatingPolicy, cel: Cel, previous?: ValidatingPolicy): FieldCause[] {
  const { spec, metadata } = policy;
  const environment = environmentOf(policy, cel, false);
  const causes = commonCauses(policy, previous, environment, cel);
  const { validations = [], auditAnnotations = [] } = spec;
  if (validations.length === 0 && auditAnnotations.length === 0) {
    const why = 'validations or auditAnnotations must contain at least one item';
    return [...causes, required(SPEC.child('validations'), why), required(SPEC.child('auditAnnotations'), why)];
  }
  for (const [index, validation] of validations.entries())
    causes.push(...validationCauses(validation, SPEC.child('validations').index(index), environment));
  const path = SPEC.child('auditAnnotations');
  if (auditAnnotations.length > MAX_ANNOTATIONS)
    causes.push(invalidValue(path, auditAnnotations, `must not have more than ${MAX_ANNOTATIONS} auditAnnotations`));
  const keys = new Set<string>();
  for (const [index, annotation] of auditAnnotations.entries()) {
    causes.push(...annotationCauses(annotation, metadata.name, path.index(index), environment, cel));
    if (keys.has(annotation.key)) causes.push(duplicateValue(path.index(index).child('key'), annotation.key));
    keys.add(annotation.key);
  }
  return causes;
}

type Validation = NonNullable<ValidatingPolicy['spec']['validations']>[number];

function validationCauses(validation: Validation, path: FieldPath, environment: PolicyEnvironment): FieldCause[] {
  const { expression, message, messageExpression, reason } = validation;
  const causes: FieldCause[] = [];
  const at = path.child('expression');
  if (isBlank(expression)) causes.push(required(at, 'expression is not specified'));
  else causes.push(...problemCauses(environment.compile(expression, 'bool'), expression, at));
  const made = path.child('messageExpression');
  if (messageExpression && isBlank(messageExpression)) causes.push(invalidValue(made, messageExpression, 'must be non-empty if specified'));
  else if (messageExpression)
    causes.push(...problemCauses(environment.compile(messageExpression, 'string', false), messageExpression, made));
  if (message && isBlank(message)) causes.push(invalidValue(path.child('message'), message, 'must be non-empty if specified'));
  else if (/[\r\n]/.test(message?.trim() ?? '')) causes.push(invalidValue(path.child('message'), message, 'must not contain line breaks'));
  if (reason && !REASONS.includes(reason)) causes.push(notSupported(path.child('reason'), reason, REASONS));
  return causes;
}

type AuditAnnotation = NonNullable<ValidatingPolicy['spec']['auditAnnotations']>[number];

function annotationCauses(
  annotation: AuditAnnotation,
  policy: string,
  path: FieldPath,
  environment: PolicyEnvironment,
  cel: Cel,
): FieldCause[] {
  const key = `${policy}/${annotation.key}`;
  const causes = policy
    ? checkQualifiedName(key).map((why) => invalidValue(path.child('key'), key, why))
    : [invalidValue(path.child('key'), annotation.key, 'requires metadata.name be non-empty')];
  const at = path.child('valueExpression');
  const { valueExpression } = annotation;
  if (isBlank(valueExpression)) return [...causes, required(at, 'valueExpression is not specified')];
  if (Buffer.byteLength(valueExpression.trim()) > MAX_VALUE_EXPRESSION)
    return [...causes, required(at, `must not exceed ${MAX_VALUE_EXPRESSION} bytes in length`)];
  return [...causes, ...problemCauses(environment.compile(valueExpression.trim(), [cel.STRING, cel.NULL]), valueExpression, at)];
}

/** What is wrong with what type checking found, as somebody wrote it into the status. */
export function policyStatusCauses({ status }: ValidatingPolicy): FieldCause[] {
  const path = field('status', 'typeChecking', 'expressionWarnings');
  return (status?.typeChecking?.expressionWarnings ?? []).flatMap(({ warning, fieldRef }, index) => {
    const at = path.index(index);
    return [...(warning ? [] : [required(at.child('warning'))]), ...fieldRefCauses((fieldRef ?? '').trim(), at.child('fieldRef'))];
  });
}

function fieldRefCauses(fieldRef: string, path: FieldPath): FieldCause[] {
  if (fieldRef === '') return [required(path)];
  try {
    parseJsonPath(fieldRef);
    return [];
  } catch (error) {
    return [invalidValue(path, fieldRef, `invalid JSONPath: ${error instanceof Error ? error.message : String(error)}`)];
  }
}

/** Everything wrong with a MutatingAdmissionPolicy beside its metadata. */
export function mutatingPolicyCauses(policy: MutatingPolicy, cel: Cel, previous?: MutatingPolicy): FieldCause[] {
  const { spec } = policy;
  const environment = environmentOf(policy, cel, true);
  const causes = commonCauses(policy, previous, environment, cel);
  const path = SPEC.child('mutations');
  const { mutations = [] } = spec;
  if (mutations.length === 0) causes.push(required(path, 'mutations must contain at least one item'));
  for (const [index, mutation] of mutations.entries()) causes.push(...mutationCauses(mutation, path.index(index), environment));
  return [...causes, ...choiceCauses(spec.reinvocationPolicy, ['IfNeeded', 'Never'], SPEC.child('reinvocationPolicy'))];
}

const PATCHES = {
  ApplyConfiguration: { field: 'applyConfiguration', other: 'jsonPatch', result: APPLY_CONFIGURATION_RESULT },
  JSONPatch: { field: 'jsonPatch', other: 'applyConfiguration', result: JSON_PATCH_RESULT },
} as const;

function mutationCauses(mutation: DeepReadonly<Mutation>, path: FieldPath, environment: PolicyEnvironment): FieldCause[] {
  const { patchType } = mutation;
  const at = path.child('patchType');
  if (!patchType) return [required(at)];
  if (!Object.hasOwn(PATCHES, patchType)) return [notSupported(at, patchType, Object.keys(PATCHES))];
  const { field: own, other, result } = PATCHES[patchType];
  const causes: FieldCause[] = [];
  const given = mutation[own];
  const where = path.child(own, 'expression');
  if (given === undefined) causes.push(required(path.child(own), `must be specified when patchType is ${patchType}`));
  else if (isBlank(given.expression)) causes.push(required(where, 'expression is not specified'));
  else causes.push(...problemCauses(environment.compile(given.expression ?? '', result), given.expression ?? '', where));
  if (mutation[other] !== undefined)
    causes.push(invalidValue(path.child(other), `{${other}}`, `must not be specified when patchType is ${patchType}`));
  return causes;
}
