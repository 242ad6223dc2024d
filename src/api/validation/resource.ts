// SPDX-License-Identifier: Apache-2.0
// Validation of resource.k8s.io: what claims ask for and what classes configure. CEL expressions are checked for length here, and
// by whoever can compile them in their places (registry/policy/device-selectors.ts). @source upstream pkg/apis/resource/validation/validation.go
import {
  checkDns1123Label,
  checkDns1123Subdomain,
  checkLabelValue,
  checkQualifiedName,
  type DeepReadonly,
  type FieldCause,
  type FieldPath,
  field,
  invalidValue,
  notSupported,
  required,
  semanticEqual,
  tooLong,
} from '../../machinery/mod.ts';
import type {
  DeviceClaim,
  DeviceClass,
  DeviceConstraint,
  DeviceRequest,
  DeviceSelector,
  DeviceSubRequest,
  DeviceToleration,
  ResourceClaim,
  ResourceClaimTemplate,
} from '../generated/resource/v1.ts';
import { templateMetaCauses } from './claims.ts';
import { immutableCauses } from './object-meta.ts';
import { isExtendedResource } from './pod-resources.ts';
import { configurationCauses, fullAttributeNameCauses, listCauses, setCauses } from './resource-names.ts';
import { enumCauses, isSet, problems } from './rules.ts';

const SPEC = field('spec');
const [MOST_ITEMS, MOST_ALTERNATIVES, MOST_TOLERATIONS, LONGEST_EXPRESSION] = [32, 8, 16, 10 * 1024];

/** What is wrong with an expression that chooses devices. */
export type ExpressionCheck = (expression: string, path: FieldPath) => FieldCause[];
const UNCHECKED: ExpressionCheck = () => [];

/** Requests of a claim, each with its alternatives. */
export type RequestNames = ReadonlyMap<string, ReadonlySet<string>>;

export function namesOf(claim: DeepReadonly<DeviceClaim> | undefined): RequestNames {
  return new Map((claim?.requests ?? []).map(({ name, firstAvailable }) => [name, new Set((firstAvailable ?? []).map((it) => it.name))]));
}

function claimCauses(claim: DeepReadonly<DeviceClaim> | undefined, path: FieldPath, check: ExpressionCheck): FieldCause[] {
  const { requests, constraints, config } = claim ?? {};
  const names = namesOf(claim);
  return [
    ...setCauses(requests, MOST_ITEMS, path.child('requests'), {
      rule: (it, at) => requestCauses(it, at, check),
      keyOf: ({ name }) => name,
    }),
    ...listCauses(constraints, MOST_ITEMS, path.child('constraints'), (it, at) => constraintCauses(it, at, names)),
    ...listCauses(config, MOST_ITEMS, path.child('config'), (it, at) => [
      ...referenceListCauses(it.requests, at.child('requests'), names),
      ...configurationCauses(it, at),
    ]),
  ];
}

function requestCauses(request: DeepReadonly<DeviceRequest>, path: FieldPath, check: ExpressionCheck): FieldCause[] {
  const { name, exactly, firstAvailable } = request;
  const causes = problems(checkDns1123Label(name ?? ''), path.child('name'), name ?? '');
  const hasList = (firstAvailable ?? []).length > 0;
  const one = 'exactly one of `exactly` or `firstAvailable` is required';
  if (!exactly && !hasList) return [...causes, required(path, one)];
  if (exactly && hasList) return [...causes, invalidValue(path, null, `${one}, but multiple fields are set`)];
  if (exactly) return [...causes, ...deviceCauses(exactly, path.child('exactly'), check)];
  const list = setCauses(firstAvailable, MOST_ALTERNATIVES, path.child('firstAvailable'), {
    rule: (it, at) => [...problems(checkDns1123Label(it.name ?? ''), at.child('name'), it.name ?? ''), ...deviceCauses(it, at, check)],
    keyOf: (it) => it.name,
  });
  return [...causes, ...list];
}

type Wanted = DeepReadonly<Omit<DeviceSubRequest, 'name'>>;

function deviceCauses(wanted: Wanted, path: FieldPath, check: ExpressionCheck): FieldCause[] {
  const name = wanted.deviceClassName;
  const at = path.child('deviceClassName');
  return [
    ...(name ? problems(checkDns1123Subdomain(name), at, name) : [required(at)]),
    ...listCauses(wanted.selectors, MOST_ITEMS, path.child('selectors'), (it, at) => selectorCauses(it, at, check)),
    ...allocationCauses(wanted, path),
    ...listCauses(wanted.tolerations, MOST_TOLERATIONS, path.child('tolerations'), tolerationCauses),
  ];
}

function selectorCauses({ cel }: DeepReadonly<DeviceSelector>, path: FieldPath, check: ExpressionCheck): FieldCause[] {
  if (!cel) return [required(path.child('cel'))];
  const at = path.child('cel', 'expression');
  if (!cel.expression) return [required(at)];
  return Buffer.byteLength(cel.expression) > LONGEST_EXPRESSION ? [tooLong(at, LONGEST_EXPRESSION)] : check(cel.expression, at);
}

function allocationCauses({ allocationMode: mode = '', count = 0 }: Wanted, path: FieldPath): FieldCause[] {
  const at = path.child('count');
  if (mode === 'All') return count === 0 ? [] : [invalidValue(at, count, `must not be specified when allocationMode is 'All'`)];
  if (mode === 'ExactCount') return count > 0 ? [] : [invalidValue(at, count, 'must be greater than zero')];
  return [notSupported(path.child('allocationMode'), mode, ['All', 'ExactCount'])];
}

function tolerationCauses(toleration: DeepReadonly<DeviceToleration>, path: FieldPath): FieldCause[] {
  const { key, operator = '', value = '', effect } = toleration;
  const causes = key ? problems(checkQualifiedName(key), path.child('key'), key) : [];
  if (operator === 'Exists') {
    if (value !== '') causes.push(invalidValue(path.child('value'), value, 'must be empty for operator `Exists`'));
  } else if (operator === 'Equal') {
    if (!key) causes.push(required(path.child('key'), 'must not be empty for operator `Equal`'));
    causes.push(...problems(checkLabelValue(value), path.child('value'), value));
  } else
    causes.push(operator === '' ? required(path.child('operator')) : notSupported(path.child('operator'), operator, ['Equal', 'Exists']));
  return [...causes, ...enumCauses(effect, ['NoExecute', 'NoSchedule', 'None'], path.child('effect'))];
}

const REFERENCE_RULE = `must be the name of a request in the claim or the name of a request and a subrequest separated by '/'`;

export function referenceListCauses(list: readonly string[] | undefined, path: FieldPath, names: RequestNames): FieldCause[] {
  return setCauses(list, MOST_ITEMS, path, { rule: (name, at) => referenceCauses(name, at, names), keyOf: String });
}

export function referenceCauses(name: string, path: FieldPath, names: RequestNames): FieldCause[] {
  const parts = name.split('/');
  const [request = '', inner] = parts;
  if (parts.length > 2) return [invalidValue(path, name, REFERENCE_RULE)];
  const causes = parts.flatMap((part) => problems(checkDns1123Label(part), path, part));
  const known = names.get(request);
  const isKnown = known !== undefined && (inner === undefined || known.has(inner));
  return isKnown ? causes : [...causes, invalidValue(path, name, REFERENCE_RULE)];
}

function constraintCauses(constraint: DeepReadonly<DeviceConstraint>, path: FieldPath, names: RequestNames): FieldCause[] {
  const causes = referenceListCauses(constraint.requests, path.child('requests'), names);
  for (const name of ['matchAttribute', 'distinctAttribute'] as const) {
    const value = constraint[name];
    if (isSet(value)) return [...causes, ...fullAttributeNameCauses(value, path.child(name))];
  }
  const one = 'exactly one of "matchAttribute" or "distinctAttribute" is required, but multiple fields are set';
  return [...causes, required(path, one)];
}

export function resourceClaimCauses({ spec }: DeepReadonly<ResourceClaim>, check: ExpressionCheck = UNCHECKED): FieldCause[] {
  return claimCauses(spec?.devices, SPEC.child('devices'), check);
}

export function resourceClaimUpdateCauses(next: DeepReadonly<ResourceClaim>, previous: DeepReadonly<ResourceClaim>): FieldCause[] {
  return immutableCauses(next.spec, previous.spec, SPEC);
}

export function claimTemplateCauses({ spec }: DeepReadonly<ResourceClaimTemplate>, check: ExpressionCheck = UNCHECKED): FieldCause[] {
  return [
    ...templateMetaCauses(spec?.metadata, SPEC.child('metadata')),
    ...claimCauses(spec?.spec?.devices, SPEC.child('spec', 'devices'), check),
  ];
}

export function claimTemplateUpdateCauses(
  next: DeepReadonly<ResourceClaimTemplate>,
  previous: DeepReadonly<ResourceClaimTemplate>,
  check: ExpressionCheck = UNCHECKED,
): FieldCause[] {
  return [...claimTemplateCauses(next, check), ...immutableCauses(next.spec, previous.spec, SPEC)];
}

/** Selectors that stay as they are are not looked at again. */
export function deviceClassUpdateCauses(
  next: DeepReadonly<DeviceClass>,
  previous: DeepReadonly<DeviceClass>,
  check: ExpressionCheck = UNCHECKED,
): FieldCause[] {
  return deviceClassCauses(next, semanticEqual(next.spec?.selectors, previous.spec?.selectors) ? UNCHECKED : check);
}

export function deviceClassCauses({ spec }: DeepReadonly<DeviceClass>, check: ExpressionCheck = UNCHECKED): FieldCause[] {
  const name = spec?.extendedResourceName;
  const isOdd = isSet(name) && !isExtendedResource(name);
  return [
    ...listCauses(spec?.selectors, MOST_ITEMS, SPEC.child('selectors'), (it, at) => selectorCauses(it, at, check)),
    ...listCauses(spec?.config, MOST_ITEMS, SPEC.child('config'), configurationCauses),
    ...(isOdd ? [invalidValue(SPEC.child('extendedResourceName'), name, 'must be a valid extended resource name')] : []),
  ];
}
