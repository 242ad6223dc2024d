// SPDX-License-Identifier: Apache-2.0
// What claims, classes and slices of resource.k8s.io share: lists and maps that are not too long, names of pools and attributes,
// conditions of binding, configuration for drivers. @source upstream pkg/apis/resource/validation/validation.go
import {
  checkDns1123Subdomain,
  checkQualifiedName,
  type DeepReadonly,
  duplicateValue,
  type FieldCause,
  type FieldPath,
  invalidValue,
  required,
  tooLong,
  tooMany,
} from '../../machinery/mod.ts';
import type { DeviceConfiguration } from '../generated/resource/v1.ts';
import { isSet, problems, sortedEntries } from './rules.ts';
import { csiDriverNameCauses } from './volume-sources.ts';

type Rule<T> = (item: T, path: FieldPath) => FieldCause[];

/** Each of a list. Of one that is too long, its length is all that is told. */
export function listCauses<T>(list: readonly T[] | undefined, most: number, path: FieldPath, rule: Rule<T>): FieldCause[] {
  const items = list ?? [];
  if (items.length > most) return [tooMany(path, items.length, most)];
  return items.flatMap((item, index) => rule(item, path.index(index)));
}

/** A list of which no two may have the same key; what is wrong with its items comes first. */
export function setCauses<T>(
  list: readonly T[] | undefined,
  most: number,
  path: FieldPath,
  { rule, keyOf }: { readonly rule: Rule<T>; readonly keyOf: (item: T) => string },
): FieldCause[] {
  const causes = listCauses(list, most, path, rule);
  const items = list ?? [];
  if (items.length > most) return causes;
  const seen = new Set<string>();
  for (const [index, item] of items.entries()) {
    const key = keyOf(item);
    if (seen.has(key)) causes.push(duplicateValue(path.index(index), key));
    seen.add(key);
  }
  return causes;
}

interface MapRules<T> {
  readonly most?: number;
  readonly key: Rule<string>;
  readonly value: Rule<T>;
  /** Keys are shown with at most as many characters. */
  readonly shown: number;
}

/** Each of a map, keys in order. */
export function mapCauses<T>(map: Readonly<Record<string, T>> | undefined, path: FieldPath, rules: MapRules<T>): FieldCause[] {
  const { most = Number.POSITIVE_INFINITY, key, value, shown } = rules;
  const entries = sortedEntries(map);
  if (entries.length > most) return [tooMany(path, entries.length, most)];
  return entries.flatMap(([name, item]) => {
    const at = path.key(shortened(name, shown));
    return [...key(name, at), ...value(item, at)];
  });
}

/** The middle is left out of what is too long. */
function shortened(text: string, most: number): string {
  if (text.length <= most) return text;
  const rest = most - 3;
  return `${text.slice(0, Math.ceil(rest / 2))}...${text.slice(text.length - Math.floor(rest / 2))}`;
}

const LONGEST_POOL = 253;

export function poolNameCauses(name: string | undefined, path: FieldPath): FieldCause[] {
  if (!name) return [required(path)];
  const causes = Buffer.byteLength(name) > LONGEST_POOL ? [tooLong(path, LONGEST_POOL)] : [];
  return [...causes, ...name.split('/').flatMap((part) => problems(checkDns1123Subdomain(part), path, part))];
}

const LONGEST_ID = 32;
const C_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;
const C_RULE = `a valid C identifier must start with alphabetic character or '_', followed by a string of alphanumeric characters or '_' (e.g. 'my_name',  or 'MY_NAME',  or 'MyName', regex used for validation is '[A-Za-z_][A-Za-z0-9_]*')`;

function identifierCauses(id: string, path: FieldPath): FieldCause[] {
  const causes = Buffer.byteLength(id) > LONGEST_ID ? [tooLong(path, LONGEST_ID)] : [];
  return C_NAME.test(id) ? causes : [...causes, invalidValue(path, id, C_RULE)];
}

/** `id` or `domain/id`. Names with more slashes pass, as they do upstream. */
export function attributeNameCauses(name: string, path: FieldPath): FieldCause[] {
  const parts = name.split('/');
  const [domain = '', id = ''] = parts;
  if (parts.length === 1) return identifierCauses(domain, path);
  if (parts.length > 2) return [];
  const before = domain === '' ? [invalidValue(path, '', 'the domain must not be empty')] : csiDriverNameCauses(domain, path);
  return [...before, ...(id === '' ? [invalidValue(path, '', 'the name must not be empty')] : identifierCauses(id, path))];
}

/** `domain/id`. */
export function fullAttributeNameCauses(name: string, path: FieldPath): FieldCause[] {
  const causes = attributeNameCauses(name, path);
  return name.includes('/')
    ? causes
    : [...causes, invalidValue(path, name, 'a fully qualified name must be a domain and a name separated by a slash')];
}

/** The longest key of an attribute or a capacity: a domain, a slash, a name. */
export const LONGEST_ATTRIBUTE = 63 + 1 + LONGEST_ID;

const LONGEST_PARAMETERS = 10 * 1024;

export function configurationCauses({ opaque }: DeepReadonly<DeviceConfiguration>, path: FieldPath): FieldCause[] {
  const at = path.child('opaque');
  if (!opaque) return [required(at)];
  return [...csiDriverNameCauses(opaque.driver, at.child('driver')), ...rawObjectCauses(opaque.parameters, at.child('parameters'))];
}

/** Any JSON object that is not too long. */
export function rawObjectCauses(value: unknown, path: FieldPath): FieldCause[] {
  if (!isSet(value)) return [required(path)];
  if (Buffer.byteLength(JSON.stringify(value)) > LONGEST_PARAMETERS) return [tooLong(path, LONGEST_PARAMETERS)];
  const isObject = typeof value === 'object' && !Array.isArray(value);
  return isObject ? [] : [invalidValue(path, '<value omitted>', 'must be a valid JSON object')];
}

const MOST_CONDITIONS = 4;
const [BIND, FAIL] = ['bindingConditions', 'bindingFailureConditions'] as const;

interface Bound {
  readonly bindingConditions?: readonly string[];
  readonly bindingFailureConditions?: readonly string[];
}

/** Conditions under which a Pod is bound, and under which it is not: either both or none, each once. */
export function bindingCauses(given: Bound, path: FieldPath): FieldCause[] {
  const [bind, fail] = [given[BIND] ?? [], given[FAIL] ?? []];
  if (bind.length + fail.length === 0) return [];
  const named: Rule<string> = (name, at) => problems(checkQualifiedName(name), at, name);
  const causes = [
    ...listCauses(bind, MOST_CONDITIONS, path.child(BIND), named),
    ...listCauses(fail, MOST_CONDITIONS, path.child(FAIL), named),
  ];
  for (const [index, name] of bind.entries())
    if (bind.indexOf(name) < index) causes.push(duplicateValue(path.child(BIND).index(index), name));
  for (const [index, name] of fail.entries()) {
    const at = path.child(FAIL).index(index);
    if (fail.indexOf(name) < index) causes.push(duplicateValue(at, name));
    if (bind.includes(name)) causes.push(invalidValue(at, name, `${FAIL} must not overlap with ${BIND}`));
  }
  if (bind.length === 0) causes.push(invalidValue(path.child(BIND), given[BIND], `${BIND} are required to use ${FAIL}`));
  if (fail.length === 0) causes.push(invalidValue(path.child(FAIL), given[FAIL], `${FAIL} are required to use ${BIND}`));
  return causes;
}

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export function uuidCauses(value: string | undefined, path: FieldPath): FieldCause[] {
  if (!isSet(value) || UUID.test(value)) return [];
  return [invalidValue(path, value, 'must be a lowercase UUID in 8-4-4-4-12 format')];
}
