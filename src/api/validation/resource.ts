// SPDX-License-Identifier: Apache-2.0
// Validation of resource.k8s.io: what claims ask for and what classes configure. CEL expressions are checked for length only:
// they are compiled where devices are chosen. @source upstream pkg/apis/resource/validation/validation.go
import {
  checkDns1123Label,
  checkDns1123Subdomain,
  checkLabelValue,
  checkQualifiedName,
  type DeepReadonly,
  duplicateValue,
  type FieldCause,
  type FieldPath,
  field,
  forbiddenField,
  invalidValue,
  notSupported,
  required,
  tooLong,
  tooMany,
} from '../../machinery/mod.ts';
import type {
  DeviceClaim,
  DeviceClass,
  DeviceConfiguration,
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
import { enumCauses, isSet, problems } from './rules.ts';
import { csiDriverNameCauses } from './volume-sources.ts';

const SPEC = field('spec');
const [MOST_ITEMS, MOST_ALTERNATIVES, MOST_TOLERATIONS, MOST_CONSUMERS] = [32, 8, 16, 256];
const [LONGEST_EXPRESSION, LONGEST_PARAMETERS, LONGEST_DOMAIN, LONGEST_ID] = [10 * 1024, 10 * 1024, 63, 32];

/** Each of a list that is not too long. */
function listCauses<T>(
  list: readonly T[] | undefined,
  most: number,
  path: FieldPath,
  rule: (item: T, path: FieldPath) => FieldCause[],
  keyOf?: (item: T) => string,
): FieldCause[] {
  const causes = (list ?? []).length > most ? [tooMany(path, (list ?? []).length, most)] : [];
  const seen = new Set<string>();
  for (const [index, item] of (list ?? []).entries()) {
    const at = path.index(index);
    causes.push(...rule(item, at));
    const key = keyOf?.(item);
    if (key !== undefined && seen.has(key)) causes.push(duplicateValue(at, key));
    if (key !== undefined) seen.add(key);
  }
  return causes;
}

type Names = ReadonlyMap<string, ReadonlySet<string>>;

const namesOf = ({ requests }: DeepReadonly<DeviceClaim>): Names =>
  new Map((requests ?? []).map(({ name, firstAvailable }) => [name, new Set((firstAvailable ?? []).map((it) => it.name))]));

function claimCauses(claim: DeepReadonly<DeviceClaim> | undefined, path: FieldPath): FieldCause[] {
  const { requests, constraints, config } = claim ?? {};
  const names = namesOf({ requests: requests ?? [] });
  return [
    ...listCauses(requests, MOST_ITEMS, path.child('requests'), requestCauses, ({ name }) => name),
    ...listCauses(constraints, MOST_ITEMS, path.child('constraints'), (it, at) => constraintCauses(it, at, names)),
    ...listCauses(config, MOST_ITEMS, path.child('config'), (it, at) => [
      ...referenceListCauses(it.requests, at.child('requests'), names),
      ...configurationCauses(it, at),
    ]),
  ];
}

function requestCauses(request: DeepReadonly<DeviceRequest>, path: FieldPath): FieldCause[] {
  const { name, exactly, firstAvailable } = request;
  const causes = problems(checkDns1123Label(name ?? ''), path.child('name'), name ?? '');
  const hasList = (firstAvailable ?? []).length > 0;
  const one = 'exactly one of `exactly` or `firstAvailable` is required';
  if (!exactly && !hasList) return [...causes, required(path, one)];
  if (exactly && hasList) return [...causes, invalidValue(path, null, `${one}, but multiple fields are set`)];
  if (exactly) return [...causes, ...deviceCauses(exactly, path.child('exactly'))];
  const list = listCauses(
    firstAvailable,
    MOST_ALTERNATIVES,
    path.child('firstAvailable'),
    (it, at) => [...problems(checkDns1123Label(it.name ?? ''), at.child('name'), it.name ?? ''), ...deviceCauses(it, at)],
    (it) => it.name,
  );
  return [...causes, ...list];
}

type Wanted = DeepReadonly<Omit<DeviceSubRequest, 'name'>>;

function deviceCauses(wanted: Wanted, path: FieldPath): FieldCause[] {
  const name = wanted.deviceClassName;
  const at = path.child('deviceClassName');
  return [
    ...(name ? problems(checkDns1123Subdomain(name), at, name) : [required(at)]),
    ...listCauses(wanted.selectors, MOST_ITEMS, path.child('selectors'), selectorCauses),
    ...allocationCauses(wanted, path),
    ...listCauses(wanted.tolerations, MOST_TOLERATIONS, path.child('tolerations'), tolerationCauses),
  ];
}

function selectorCauses({ cel }: DeepReadonly<DeviceSelector>, path: FieldPath): FieldCause[] {
  if (!cel) return [required(path.child('cel'))];
  const at = path.child('cel', 'expression');
  if (!cel.expression) return [required(at)];
  return Buffer.byteLength(cel.expression) > LONGEST_EXPRESSION ? [tooLong(at, LONGEST_EXPRESSION)] : [];
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

function referenceListCauses(list: readonly string[] | undefined, path: FieldPath, names: Names): FieldCause[] {
  return listCauses(list, MOST_ITEMS, path, (name, at) => referenceCauses(name, at, names), String);
}

function referenceCauses(name: string, path: FieldPath, names: Names): FieldCause[] {
  const parts = name.split('/');
  const [request = '', inner] = parts;
  if (parts.length > 2) return [invalidValue(path, name, REFERENCE_RULE)];
  const causes = parts.flatMap((part) => problems(checkDns1123Label(part), path, part));
  const known = names.get(request);
  const isKnown = known !== undefined && (inner === undefined || known.has(inner));
  return isKnown ? causes : [...causes, invalidValue(path, name, REFERENCE_RULE)];
}

const C_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;
const C_RULE = `a valid C identifier must start with alphabetic character or '_', followed by a string of alphanumeric characters or '_' (e.g. 'my_name',  or 'MY_NAME',  or 'MyName', regex used for validation is '[A-Za-z_][A-Za-z0-9_]*')`;

/** `domain/id` of an attribute. */
function attributeNameCauses(name: string, path: FieldPath): FieldCause[] {
  const slash = name.indexOf('/');
  if (name === '') return [required(path)];
  if (slash < 0) return [invalidValue(path, name, 'must include a domain')];
  const [domain, id] = [name.slice(0, slash), name.slice(slash + 1)];
  const causes: FieldCause[] = [];
  if (domain === '') causes.push(required(path, 'the domain must not be empty'));
  else {
    if (Buffer.byteLength(domain) > LONGEST_DOMAIN) causes.push(tooLong(path, LONGEST_DOMAIN));
    causes.push(...problems(checkDns1123Subdomain(domain), path, domain));
  }
  if (id === '') return [...causes, required(path, 'the name must not be empty')];
  if (Buffer.byteLength(id) > LONGEST_ID) causes.push(tooLong(path, LONGEST_ID));
  return C_NAME.test(id) ? causes : [...causes, invalidValue(path, id, C_RULE)];
}

function constraintCauses(constraint: DeepReadonly<DeviceConstraint>, path: FieldPath, names: Names): FieldCause[] {
  const causes = referenceListCauses(constraint.requests, path.child('requests'), names);
  for (const name of ['matchAttribute', 'distinctAttribute'] as const) {
    const value = constraint[name];
    if (isSet(value)) return [...causes, ...attributeNameCauses(value, path.child(name))];
  }
  const one = 'exactly one of "matchAttribute" or "distinctAttribute" is required, but multiple fields are set';
  return [...causes, required(path, one)];
}

function configurationCauses({ opaque }: DeepReadonly<DeviceConfiguration>, path: FieldPath): FieldCause[] {
  const at = path.child('opaque');
  if (!opaque) return [required(at)];
  const causes = csiDriverNameCauses(opaque.driver, at.child('driver'));
  const parameters = at.child('parameters');
  if (!isSet(opaque.parameters)) return [...causes, required(parameters)];
  const text = JSON.stringify(opaque.parameters);
  if (Buffer.byteLength(text) > LONGEST_PARAMETERS) causes.push(tooLong(parameters, LONGEST_PARAMETERS));
  const isObject = typeof opaque.parameters === 'object' && !Array.isArray(opaque.parameters);
  return isObject ? causes : [...causes, invalidValue(parameters, '<value omitted>', 'must be a valid JSON object')];
}

export function resourceClaimCauses({ spec }: DeepReadonly<ResourceClaim>): FieldCause[] {
  return claimCauses(spec?.devices, SPEC.child('devices'));
}

export function resourceClaimUpdateCauses(next: DeepReadonly<ResourceClaim>, previous: DeepReadonly<ResourceClaim>): FieldCause[] {
  return immutableCauses(next.spec, previous.spec, SPEC);
}

export function resourceClaimStatusCauses(next: DeepReadonly<ResourceClaim>, previous: DeepReadonly<ResourceClaim>): FieldCause[] {
  const path = field('status', 'reservedFor');
  const { reservedFor = [], allocation } = next.status ?? {};
  const needed = ['resource', 'name', 'uid'] as const;
  const causes = listCauses(
    reservedFor,
    MOST_CONSUMERS,
    path,
    (it, at) => needed.filter((name) => !it[name]).map((name) => required(at.child(name))),
    ({ uid }) => uid,
  );
  const had = previous.status?.reservedFor ?? [];
  if (reservedFor.length > 0 && !allocation) causes.push(forbiddenField(path, 'may not be specified when `allocated` is not set'));
  else if (next.metadata.deletionTimestamp && reservedFor.some(({ uid }) => !had.some((it) => it.uid === uid))) {
    const why = 'new entries may not be added while `deallocationRequested` or `deletionTimestamp` are set';
    causes.push(forbiddenField(path, why));
  }
  const before = previous.status?.allocation;
  if (before && allocation) causes.push(...immutableCauses(allocation, before, field('status', 'allocation')));
  return causes;
}

export function claimTemplateCauses({ spec }: DeepReadonly<ResourceClaimTemplate>): FieldCause[] {
  return [
    ...templateMetaCauses(spec?.metadata, SPEC.child('metadata')),
    ...claimCauses(spec?.spec?.devices, SPEC.child('spec', 'devices')),
  ];
}

export function claimTemplateUpdateCauses(
  next: DeepReadonly<ResourceClaimTemplate>,
  previous: DeepReadonly<ResourceClaimTemplate>,
): FieldCause[] {
  return immutableCauses(next.spec, previous.spec, SPEC);
}

export function deviceClassCauses({ spec }: DeepReadonly<DeviceClass>): FieldCause[] {
  const name = spec?.extendedResourceName;
  const isOdd = isSet(name) && !isExtendedResource(name);
  return [
    ...listCauses(spec?.selectors, MOST_ITEMS, SPEC.child('selectors'), selectorCauses),
    ...listCauses(spec?.config, MOST_ITEMS, SPEC.child('config'), configurationCauses),
    ...(isOdd ? [invalidValue(SPEC.child('extendedResourceName'), name, 'must be a valid extended resource name')] : []),
  ];
}
