// SPDX-License-Identifier: Apache-2.0
// Query options that several verbs share, parsed and checked as upstream does.
import { ANY_FIELDS, badRequest, EVERYTHING, type FieldSelector, invalid, parseFieldSelector, parseSelector, type Selector } from '#machinery';
import type { CachedObject } from '../cacher/cached-object.ts';
import type { WriteContext } from '../registry/generic/write-context.ts';
import type { ServedResource } from '../registry/generic/served-resource.ts';
import type { RequestContext } from '../request/context.ts';

/** @throws {ApiError} 422 for any value but `All`. */
export function isDryRun(context: RequestContext, kind = 'CreateOptions'): boolean {
  const values = context.query.getAll('dryRun').filter((value) => value !== '');
  checkDryRun(values, kind);
  return values.length > 0;
}

export function checkDryRun(values: readonly string[], kind: string): void {
  const wrong = values.filter((value) => value !== 'All');
  if (wrong.length === 0) return;
  const causes = wrong.map((value) => ({
    reason: 'FieldValueNotSupported',
    message: `Unsupported value: ${JSON.stringify(value)}: supported values: "All"`,
    field: 'dryRun',
  }));
  throw invalid({ group: 'meta.k8s.io', kind }, '', causes);
}

/** Who managedFields books a change to: `fieldManager`, else the program in the User-Agent. */
export function fieldManagerOf(context: RequestContext): string {
  const asked = context.query.get('fieldManager') ?? '';
  if (asked !== '') {
    if (asked.length > 128) throw invalidManager(asked, 'Too long: may not be more than 128 bytes');
    return asked;
  }
  return (context.header('user-agent').split('/')[0] ?? '').slice(0, 128) || 'unknown';
}

function invalidManager(value: string, message: string) {
  return invalid({ group: 'meta.k8s.io', kind: 'CreateOptions' }, '', [{ reason: 'FieldValueTooLong', field: 'fieldManager', message: value === '' ? message : message }]);
}

export function writeContextOf(context: RequestContext, served: ServedResource, optionsKind: string): WriteContext {
  return {
    user: context.knownUser,
    namespace: served.resource.namespaced ? context.info.namespace : '',
    dryRun: isDryRun(context, optionsKind),
    fieldManager: fieldManagerOf(context),
    resource: served.resource,
    subresource: context.info.subresource,
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
  const fields = parsed(context.query.get('fieldSelector'), parseFieldSelector, ANY_FIELDS);
  const { strategy } = served.store;
  for (const { field } of fields.requirements) {
    if (field !== 'metadata.name' && !(field === 'metadata.namespace' && served.resource.namespaced) && !strategy.selectableFields.includes(field)) {
      throw badRequest(`field label not supported: ${field}`);
    }
  }
  const namespace = served.resource.namespaced ? context.info.namespace : '';
  const name = context.info.name || (fields.exact('metadata.name') ?? '');
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
    throw badRequest(`unable to parse requirement: ${(error as Error).message}`);
  }
}
