// SPDX-License-Identifier: Apache-2.0
// Structure of admission policies and their bindings: param kinds, what is matched, references to params. Whether expressions
// compile is checked, in their places between these, by the API server (apiserver/admission/policy).
// @source upstream pkg/apis/admissionregistration/validation/validation.go
import {
  checkDns1035Label,
  checkDns1123Subdomain,
  checkPathSegmentName,
  type DeepReadonly,
  duplicateValue,
  type FieldCause,
  type FieldPath,
  field,
  forbiddenField,
  invalidValue,
  notSupported,
  required,
} from '../../machinery/mod.ts';
import type {
  MatchResources,
  MutatingAdmissionPolicyBinding,
  NamedRuleWithOperations,
  ParamKind,
  ParamRef,
  ValidatingAdmissionPolicyBinding,
} from '../generated/admissionregistration/v1.ts';
import { choiceCauses, enumCauses, isSet, problems, selectorCauses } from './rules.ts';
import { operationRuleCauses } from './webhooks.ts';

const SPEC = field('spec');

/** `apiVersion` and `kind` of the objects a policy takes its parameters from. */
export function paramKindCauses(kind: DeepReadonly<ParamKind>, path: FieldPath): FieldCause[] {
  const causes = groupVersionCauses(kind.apiVersion ?? '', path.child('apiVersion'));
  const at = path.child('kind');
  if (!kind.kind) return [...causes, required(at)];
  const wrong = checkDns1035Label(kind.kind.toLowerCase());
  if (wrong.length > 0) causes.push(invalidValue(at, kind.kind, `may have mixed case, but should otherwise match: ${wrong.join(',')}`));
  return causes;
}

function groupVersionCauses(text: string, path: FieldPath): FieldCause[] {
  if (text === '') return [required(path)];
  const parts = text.split('/');
  if (parts.length > 2) return [invalidValue(path, text, `unexpected GroupVersion string: ${text}`)];
  const [group, version] = parts.length === 2 ? parts : ['', text];
  const causes: FieldCause[] = [];
  const badGroup = group ? checkDns1123Subdomain(group) : [];
  if (badGroup.length > 0) causes.push(invalidValue(path, group, badGroup.join(',')));
  if (!version) return [...causes, invalidValue(path, text, 'version must be specified')];
  const badVersion = checkDns1035Label(version);
  return badVersion.length > 0 ? [...causes, invalidValue(path, version, badVersion.join(','))] : causes;
}

/** `matchConstraints` of a policy, `matchResources` of a binding. */
export function matchResourcesCauses(match: DeepReadonly<MatchResources>, path: FieldPath): FieldCause[] {
  const at = path.child('matchPolicy');
  const causes = isSet(match.matchPolicy) ? choiceCauses(match.matchPolicy, ['Equivalent', 'Exact'], at) : [required(at)];
  for (const name of ['namespaceSelector', 'objectSelector'] as const) {
    if (match[name] === undefined) causes.push(required(path.child(name)));
    else causes.push(...selectorCauses(match[name], path.child(name)));
  }
  for (const name of ['resourceRules', 'excludeResourceRules'] as const)
    for (const [index, rule] of (match[name] ?? []).entries()) causes.push(...namedRuleCauses(rule, path.child(name).index(index)));
  return causes;
}

function namedRuleCauses(rule: DeepReadonly<NamedRuleWithOperations>, path: FieldPath): FieldCause[] {
  const seen = new Set<string>();
  const causes = (rule.resourceNames ?? []).flatMap((name, index) => {
    const at = path.child('resourceNames').index(index);
    const found = problems(checkPathSegmentName(name), at, name);
    if (seen.has(name)) found.push(duplicateValue(at, name));
    seen.add(name);
    return found;
  });
  return [...causes, ...operationRuleCauses(rule as never, path)];
}

const MUTATING = ['*', 'CONNECT', 'CREATE', 'UPDATE'];

/** Nothing is left to change of what is deleted. */
function mutatingOperationCauses(match: DeepReadonly<MatchResources> | undefined, path: FieldPath): FieldCause[] {
  const operations: readonly string[] = (match?.resourceRules ?? []).flatMap((rule) => rule.operations ?? []);
  const at = path.child('resourceRules', 'operations');
  return operations.flatMap((operation) => (MUTATING.includes(operation) ? [] : [notSupported(at, operation, MUTATING)]));
}

/** What a policy applies to, which it has to say. @param mutates Whether it changes objects. */
export function matchConstraintsCauses(match: DeepReadonly<MatchResources> | undefined, mutates = false): FieldCause[] {
  const path = SPEC.child('matchConstraints');
  if (match === undefined || match === null) return [required(path)];
  const causes = matchResourcesCauses(match, path);
  if ((match.resourceRules ?? []).length === 0) causes.push(required(path.child('resourceRules')));
  return mutates ? [...causes, ...mutatingOperationCauses(match, path)] : causes;
}

function paramRefCauses(ref: DeepReadonly<ParamRef>, path: FieldPath): FieldCause[] {
  const why = 'name and selector are mutually exclusive';
  const { name, selector } = ref;
  const causes: FieldCause[] = [];
  if (name) causes.push(...problems(checkPathSegmentName(name), path.child('name'), name));
  if (name && selector) causes.push(forbiddenField(path.child('name'), why));
  if (selector) causes.push(...selectorCauses(selector, path.child('selector')));
  if (name && selector) causes.push(forbiddenField(path.child('selector'), why));
  if (!name && !selector) causes.push(required(path, 'one of name or selector must be specified'));
  return [...causes, ...enumCauses(ref.parameterNotFoundAction, ['Deny', 'Allow'], path.child('parameterNotFoundAction'), true)];
}

type Binding = DeepReadonly<MutatingAdmissionPolicyBinding | ValidatingAdmissionPolicyBinding>;

function bindingCauses({ spec = {} as never }: Binding): FieldCause[] {
  const causes: FieldCause[] = [];
  const at = SPEC.child('policyName');
  if (!spec.policyName) causes.push(required(at));
  else causes.push(...problems(checkDns1123Subdomain(spec.policyName), at, spec.policyName));
  if (spec.paramRef) causes.push(...paramRefCauses(spec.paramRef, SPEC.child('paramRef')));
  if (spec.matchResources) causes.push(...matchResourcesCauses(spec.matchResources, SPEC.child('matchResources')));
  return causes;
}

export function mutatingBindingCauses(binding: DeepReadonly<MutatingAdmissionPolicyBinding>): FieldCause[] {
  return [...bindingCauses(binding), ...mutatingOperationCauses(binding.spec?.matchResources, SPEC.child('matchResources'))];
}

const ACTIONS = ['Audit', 'Deny', 'Warn'];

export function validatingBindingCauses(binding: DeepReadonly<ValidatingAdmissionPolicyBinding>): FieldCause[] {
  const causes = bindingCauses(binding);
  const actions = binding.spec?.validationActions ?? [];
  const at = SPEC.child('validationActions');
  if (actions.length === 0) causes.push(required(at, 'at least one validation action is required'));
  for (const [index, action] of actions.entries()) {
    if (!ACTIONS.includes(action)) causes.push(notSupported(at.index(index), action, ACTIONS));
    if (actions.indexOf(action) !== index) causes.push(duplicateValue(at.index(index), action));
  }
  if (actions.includes('Deny') && actions.includes('Warn')) {
    const why =
      'must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)';
    causes.push(invalidValue(at, actions, why));
  }
  return causes;
}
