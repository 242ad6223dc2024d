// SPDX-License-Identifier: Apache-2.0
// Small rules that many kinds share: ranges, enumerations, selectors, names of ports and hosts, `IntOrString`s and percentages.
import {
  checkDns1123Subdomain,
  checkLabelValue,
  checkQualifiedName,
  type DeepReadonly,
  type FieldCause,
  type FieldPath,
  forbiddenField,
  invalidValue,
  type LabelSelector,
  notSupported,
  required,
} from '../../machinery/mod.ts';
import { labelCauses } from './object-meta.ts';

export const PORT_RANGE = 'must be between 1 and 65535, inclusive';
export const NON_NEGATIVE = 'must be greater than or equal to 0';

/** Causes of a text that must obey a rule. */
export function problems(list: readonly string[], path: FieldPath, value: unknown): FieldCause[] {
  return list.map((problem) => invalidValue(path, value, problem));
}

/** A rule that upstream prints without its value. */
export function invalidPlain(path: FieldPath, detail: string): FieldCause {
  return { reason: 'FieldValueInvalid', field: String(path), message: `Invalid value: ${detail}` };
}

export function nonNegative(value: number | undefined, path: FieldPath): FieldCause[] {
  return value !== undefined && value !== null && value < 0 ? [invalidValue(path, value, NON_NEGATIVE)] : [];
}

export function portCauses(value: number, path: FieldPath): FieldCause[] {
  return value < 1 || value > 65_535 ? [invalidValue(path, value, PORT_RANGE)] : [];
}

/** A value of a closed set; '' and absence are fine unless `isRequired`. */
export function enumCauses(value: string | undefined, allowed: readonly string[], path: FieldPath, isRequired = false): FieldCause[] {
  if (value === undefined || value === null || value === '') return isRequired ? [required(path)] : [];
  return allowed.includes(value) ? [] : [notSupported(path, value, allowed)];
}

const PORT_NAME = /^[-a-z0-9]+$/;
const LETTER = /[a-z]/;

/** The name of a port (IANA service name). */
export function portNameProblems(name: string): string[] {
  const list: string[] = [];
  if (name.length > 15) list.push('must be no more than 15 characters');
  if (!PORT_NAME.test(name)) list.push('must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)');
  if (!LETTER.test(name)) list.push('must contain at least one letter (a-z)');
  if (name.includes('--')) list.push('must not contain consecutive hyphens');
  if (name.length > 0 && (name.startsWith('-') || name.endsWith('-'))) list.push('must not begin or end with a hyphen');
  return list;
}

/** A value of a closed set behind a pointer: where it is given, '' is a value like any other. */
export function choiceCauses(value: string | undefined, allowed: readonly string[], path: FieldPath): FieldCause[] {
  return value === undefined || value === null || allowed.includes(value) ? [] : [notSupported(path, value, allowed)];
}

/** A port by number or name. */
export function portOrNameCauses(value: number | string | undefined, path: FieldPath): FieldCause[] {
  if (typeof value === 'string') return problems(portNameProblems(value), path, value);
  return portCauses(value ?? 0, path);
}

/** A `LabelSelector` (apimachinery's ValidateLabelSelector). */
export function selectorCauses(selector: DeepReadonly<LabelSelector> | undefined, path: FieldPath): FieldCause[] {
  if (!selector) return [];
  const causes = labelCauses(selector.matchLabels, path.child('matchLabels'));
  for (const [index, requirement] of (selector.matchExpressions ?? []).entries()) {
    const at = path.child('matchExpressions').index(index);
    const values = requirement.values ?? [];
    switch (requirement.operator) {
      case 'In':
      case 'NotIn':
        if (values.length === 0) causes.push(required(at.child('values'), `must be specified when \`operator\` is 'In' or 'NotIn'`));
        break;
      case 'Exists':
      case 'DoesNotExist':
        if (values.length > 0)
          causes.push(forbiddenField(at.child('values'), `may not be specified when \`operator\` is 'Exists' or 'DoesNotExist'`));
        break;
      default:
        causes.push(invalidValue(at.child('operator'), requirement.operator, 'not a valid selector operator'));
    }
    causes.push(...problems(checkQualifiedName(requirement.key), at.child('key'), requirement.key));
    for (const [position, value] of values.entries())
      causes.push(...problems(checkLabelValue(value), at.child('values').index(position), value));
  }
  return causes;
}

/** Whether a selector parses at all: keys and values of labels, operators with the values they need. */
export function isSelectable(selector: DeepReadonly<LabelSelector>): boolean {
  const isLabel = (key: string, values: readonly string[]) =>
    checkQualifiedName(key).length === 0 && values.every((value) => checkLabelValue(value).length === 0);
  return (
    Object.entries(selector.matchLabels ?? {}).every(([key, value]) => isLabel(key, [value])) &&
    (selector.matchExpressions ?? []).every(({ key, operator, values }) => {
      const count = (values ?? []).length;
      if (operator !== 'In' && operator !== 'NotIn' && operator !== 'Exists' && operator !== 'DoesNotExist') return false;
      return (operator === 'In' || operator === 'NotIn' ? count > 0 : count === 0) && isLabel(key, values ?? []);
    })
  );
}

export function isEmptySelector(selector: DeepReadonly<LabelSelector> | undefined): boolean {
  return Object.keys(selector?.matchLabels ?? {}).length + (selector?.matchExpressions ?? []).length === 0;
}

const PERCENT_RULE = `a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')`;

/** A count or a percentage that is not negative. */
export function countOrPercentCauses(value: number | string | undefined, path: FieldPath): FieldCause[] {
  if (value === undefined || value === null) return [];
  if (typeof value === 'number') return nonNegative(value, path);
  return /^[0-9]+%$/.test(value) ? [] : [invalidValue(path, value, PERCENT_RULE)];
}

export function notOver100Percent(value: number | string | undefined, path: FieldPath): FieldCause[] {
  const over = typeof value === 'string' && /^[0-9]+%$/.test(value) && Number.parseInt(value, 10) > 100;
  return over ? [invalidValue(path, value, 'must not be greater than 100%')] : [];
}

/** The number of a count or percentage; percentages that parse give their number. */
export function amountOf(value: number | string | undefined): number {
  if (typeof value !== 'string') return value ?? 0;
  return /^(?:[+-]?[0-9]+|[0-9]+%)$/.test(value) ? Number.parseInt(value, 10) : 0;
}

const CONFIG_KEY_RULE = `a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')`;

/** A key of a ConfigMap or Secret. */
export function configKeyProblems(key: string): string[] {
  const list: string[] = [];
  if (key.length > 253) list.push('must be no more than 253 characters');
  if (!/^[-._a-zA-Z0-9]+$/.test(key)) list.push(CONFIG_KEY_RULE);
  if (key === '.') list.push(`must not be '.'`);
  else if (key === '..') list.push(`must not be '..'`);
  else if (key.startsWith('..')) list.push(`must not start with '..'`);
  return list;
}

export const isSet = <T>(value: T | null | undefined): value is T => value !== undefined && value !== null;

const byKey = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]) => (a < b ? -1 : a > b ? 1 : 0);

/** The entries of a map, keys in order: Go's own order is left to chance. */
export function sortedEntries<T>(map: Readonly<Record<string, T>> | undefined): [string, T][] {
  if (!map) return [];
  const entries = Object.entries(map);
  return entries.length > 1 ? entries.sort(byKey) : entries;
}

const DOMAIN_PATH_RULE = 'must be a domain-prefixed path (such as "acme.io/foo")';

/** `acme.io/foo`: a domain, a slash and a path (apimachinery's IsDomainPrefixedPath). */
export function domainPathCauses(text: string, path: FieldPath): FieldCause[] {
  if (text === '') return [required(path)];
  const slash = text.indexOf('/');
  const [domain, rest] = slash < 0 ? [text, ''] : [text.slice(0, slash), text.slice(slash + 1)];
  if (slash < 0 || domain === '' || rest === '') return [invalidValue(path, text, DOMAIN_PATH_RULE)];
  const wrong = checkDns1123Subdomain(domain);
  if (wrong.length > 0) return problems(wrong, path, domain);
  return isPathText(rest) ? [] : [invalidValue(path, rest, PATH_RULE)];
}

const PATH_TEXT = /^[A-Za-z0-9/\-._~%!$&'()*+,;=:]+$/;
const PATH_RULE = `Invalid path (regex used for validation is '[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+')`;
const isPathText = (text: string) => PATH_TEXT.test(text);

/** A path below some root. */
export function relativePathCauses(text: string, path: FieldPath): FieldCause[] {
  const causes: FieldCause[] = [];
  if (text.startsWith('/')) causes.push(invalidValue(path, text, 'must be a relative path'));
  return [...causes, ...backstepCauses(text, path)];
}

/** A path below some root that does not begin with two dots: what writes files of a volume keeps those names for itself. */
export function unreservedPathCauses(text: string, path: FieldPath): FieldCause[] {
  const causes = relativePathCauses(text, path);
  if (text.startsWith('..') && !text.startsWith('../')) causes.push(invalidValue(path, text, `must not start with '..'`));
  return causes;
}

export function backstepCauses(text: string, path: FieldPath): FieldCause[] {
  return text.split('/').includes('..') ? [invalidValue(path, text, `must not contain '..'`)] : [];
}
