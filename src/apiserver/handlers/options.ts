// SPDX-License-Identifier: Apache-2.0
// Query options that several verbs share, parsed and checked as upstream does.
import {
  ANY_FIELDS,
  badRequest,
  canonicalTime,
  EVERYTHING,
  type FieldCause,
  type FieldSelector,
  invalid,
  parseFieldSelector,
  parseSelector,
  quote,
  type Selector,
} from '#machinery';
import type { CachedObject } from '../cacher/cached-object.ts';
import type { ServedResource } from '../registry/generic/served-resource.ts';
import type { WriteContext } from '../registry/generic/write-context.ts';
import type { RequestContext } from '../request/context.ts';
import { storedFields } from './selectable-fields.ts';

const INT64 = /^[+-]?\d+$/;

/** A number in the query. @throws {ApiError} 400 */
export function integerOf(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null) return undefined;
  if (!INT64.test(text)) throw badRequest(`strconv.ParseInt: parsing ${quote(text)}: invalid syntax`);
  if (BigInt.asIntN(64, BigInt(text)) !== BigInt(text)) throw badRequest(`strconv.ParseInt: parsing ${quote(text)}: value out of range`);
  return Number(text);
}

/** A time in the query. @throws {ApiError} 400 */
export function timeOf(query: URLSearchParams, name: string): string | undefined {
  const text = query.get(name);
  if (text === null || text === '' || text === 'null') return undefined;
  return parsed(text, canonicalTime, undefined);
}

/** What a flag in the query says; one without a value is set. Undefined: it is not there. */
export function flagOf(query: URLSearchParams, name: string): boolean | undefined {
  const text = query.get(name);
  return text === null ? undefined : text !== '0' && text.toLowerCase() !== 'false';
}

/** Causes where `dryRun` is anything but `All`. */
export function dryRunCauses(values: readonly string[]): FieldCause[] {
  if (values.every((value) => value === 'All')) return [];
  return [
    { reason: 'FieldValueNotSupported', message: `Unsupported value: ${JSON.stringify(values)}: supported values: "All"`, field: 'dryRun' },
  ];
}

const FIELD_VALIDATIONS = ['', 'Ignore', 'Strict', 'Warn'];
const MAX_MANAGER_BYTES = 128;

function managerCauses(manager: string): FieldCause[] {
  const causes: FieldCause[] = [];
  if (Buffer.byteLength(manager) > MAX_MANAGER_BYTES)
    causes.push({ reason: 'FieldValueTooLong', message: 'Too long: may not be more than 128 bytes', field: 'fieldManager' });
  for (const bad of manager.matchAll(/\p{C}|(?! )\p{Z}/gu)) {
    const code = (bad[0].codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0');
    const message = `Invalid value: ${quote(manager)}: invalid character U+${code} (at position ${Buffer.byteLength(manager.slice(0, bad.index))})`;
    causes.push({ reason: 'FieldValueInvalid', message, field: 'fieldManager' });
  }
  return causes;
}

/** @source upstream apimachinery pkg/apis/meta/v1/validation: ValidateCreateOptions, ValidateUpdateOptions, ValidatePatchOptions */
function writeCauses(query: URLSearchParams): FieldCause[] {
  const validation = query.get('fieldValidation') ?? '';
  const causes = [...managerCauses(query.get('fieldManager') ?? ''), ...dryRunCauses(query.getAll('dryRun'))];
  if (!FIELD_VALIDATIONS.includes(validation)) {
    const supported = FIELD_VALIDATIONS.map((value) => JSON.stringify(value)).join(', ');
    causes.push({
      reason: 'FieldValueNotSupported',
      message: `Unsupported value: ${JSON.stringify(validation)}: supported values: ${supported}`,
      field: 'fieldValidation',
    });
  }
  return causes;
}

/** @throws {ApiError} 422 where there is a cause. */
export function refuseOptions(kind: string, causes: readonly FieldCause[]): void {
  if (causes.length > 0) throw invalid({ group: 'meta.k8s.io', kind }, '', causes);
}

/** Who managedFields books a change to: `fieldManager`, else the program in the User-Agent. */
export function fieldManagerOf(context: RequestContext): string {
  return context.query.get('fieldManager') || printable(context.header('user-agent').split('/')[0] ?? '') || 'unknown';
}

function printable(text: string): string {
  return text.replace(/\p{C}/gu, '').slice(0, MAX_MANAGER_BYTES);
}

/** @throws {ApiError} 422 */
export function checkWriteOptions(query: URLSearchParams, optionsKind: string, causes: readonly FieldCause[] = []): void {
  if (query.size > 0 || causes.length > 0) refuseOptions(optionsKind, [...causes, ...writeCauses(query)]);
}

/** @param causes What else is wrong with the options. @throws {ApiError} 422 */
export function writeContextOf(
  context: RequestContext,
  served: ServedResource,
  optionsKind: string,
  causes: readonly FieldCause[] = [],
): WriteContext {
  checkWriteOptions(context.query, optionsKind, causes);
  return {
    user: context.knownUser,
    namespace: served.resource.namespaced ? context.info.namespace : '',
    dryRun: context.query.has('dryRun'),
    fieldManager: fieldManagerOf(context),
    resource: served.resource,
    subresource: context.info.subresource,
    given: () => context.given,
    warn: (text) => context.warn(text),
  };
}

/** What of a resource a list, watch or deletecollection concerns. */
export interface Selection {
  readonly labels: Selector;
  readonly fields: FieldSelector;
  readonly namespace: string;
  /** From the path, or from a `metadata.name` selector. */
  readonly name: string;
  readonly nodeName: string;
  readonly isAll: boolean;
  matches(cached: CachedObject): boolean;
}

/** @throws {ApiError} 400 if a selector does not parse or names a field that cannot be selected by. */
export function selectionOf(context: RequestContext, served: ServedResource): Selection {
  const labels = parsed(context.query.get('labelSelector'), parseSelector, EVERYTHING);
  const fields = storedFields(served, parsed(context.query.get('fieldSelector'), parseFieldSelector, ANY_FIELDS));
  const { strategy } = served.store;
  const namespace = served.resource.namespaced ? context.info.namespace : '';
  const selected = fields.exact('metadata.name');
  const { name: pathName } = context.info;
  if (pathName !== '' && !fields.isEmpty && selected !== pathName)
    throw badRequest("fieldSelector metadata.name doesn't match requested name");
  const name = pathName || (selected ?? '');
  const readField = (cached: CachedObject) => (field: string) => {
    if (field === 'metadata.name') return cached.object.metadata.name;
    if (field === 'metadata.namespace') return cached.object.metadata.namespace ?? '';
    return strategy.fieldValue?.(cached.object, field) ?? '';
  };
  const isAll = labels.isEmpty && fields.isEmpty && context.info.name === '';
  return {
    labels,
    fields,
    namespace,
    name,
    nodeName: fields.exact('spec.nodeName') ?? '',
    isAll,
    matches(cached) {
      if (namespace !== '' && cached.object.metadata.namespace !== namespace) return false;
      if (isAll) return true;
      if (name !== '' && cached.object.metadata.name !== name) return false;
      return labels.matches(cached.object.metadata.labels) && (fields.isEmpty || fields.matches(readField(cached)));
    },
  };
}

function parsed<T>(text: string | null, parse: (text: string) => T, none: T): T {
  if (text === null || text === '') return none;
  try {
    return parse(text);
  } catch (error) {
    throw badRequest((error as Error).message, error);
  }
}
