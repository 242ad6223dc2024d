// SPDX-License-Identifier: Apache-2.0
// Lists: from the cache as of now, or from the store at the revision a page began with. Never copies an object.
// @source upstream apiserver pkg/storage/etcd3/store.go GetList, storage/continue.go
import { ApiError, badRequest, type FieldCause } from '#machinery';
import { CachedObject } from '../cacher/cached-object.ts';
import { LIST_RULES, negotiate, type Output } from '../encoding/negotiation.ts';
import { checkShape } from '../encoding/shape.ts';
import { includeObjectOf } from '../encoding/table.ts';
import { objectKey } from '../registry/generic/keys.ts';
import type { ServedResource } from '../registry/generic/served-resource.ts';
import type { ApiResult, ListResult, RequestContext } from '../request/context.ts';
import { type ContinueToken, formatContinue, parseContinue } from './continue-token.ts';
import type { ServerParts } from './endpoint.ts';
import { isPretty, notOlderThan, parseListRevision } from './get.ts';
import { flagOf, integerOf, refuseOptions, type Selection, selectionOf } from './options.ts';

export interface Page {
  readonly items: readonly CachedObject[];
  readonly revision: number;
  readonly continue: string;
  readonly remaining: number | undefined;
}

export function list(context: RequestContext, served: ServedResource, parts: ServerParts): ApiResult | Promise<ApiResult> {
  const output = negotiate(context.header('accept'), LIST_RULES, isPretty(context), context.cbor);
  if (output.transform === 'Table') includeObjectOf(context.query);
  if (output.transform !== undefined) checkShape(output, served, true);
  const wanted = listOptionsOf(context);
  const selection = selectionOf(context, served);
  const page = pageOf(served, parts, selection, wanted);
  const answer = (found: Page) => listResult(found, served, output, context);
  return page instanceof Promise ? page.then(answer) : answer(page);
}

export function listResult(page: Page, served: ServedResource, output: Output, { query }: RequestContext): ListResult {
  return {
    type: 'list',
    items: page.items,
    resourceVersion: String(page.revision),
    continue: page.continue,
    remainingItemCount: page.remaining,
    served,
    output,
    query,
  };
}

/** The objects that a list asks for: at once where they are those of now. */
export function pageOf(
  served: ServedResource,
  parts: ServerParts,
  selection: Selection,
  { token, exact, notOlderThan: least, limit }: ListOptions,
): Page | Promise<Page> {
  if (token !== undefined) return pageAt(served, parts, selection, token.revision, token.start, limit);
  if (exact !== undefined) return pageAt(served, parts, selection, exact, '', limit);
  const wait = least > 0 ? notOlderThan(least, parts) : parts.cacher.fresh();
  const read = () => pageNow(served, parts, selection, limit);
  const { version } = served.store;
  if (version?.isSlow === true) return Promise.resolve(wait).then(() => version.read('', read));
  return wait === undefined ? read() : wait.then(read);
}

interface ListOptions {
  readonly limit: number;
  readonly token: ContinueToken | undefined;
  readonly exact: number | undefined;
  readonly notOlderThan: number;
}

/** @throws {ApiError} 400, 422. */
export function listOptionsOf({ query }: RequestContext): ListOptions {
  const limit = integerOf(query, 'limit') ?? 0;
  integerOf(query, 'timeoutSeconds');
  const continued = query.get('continue') ?? '';
  const version = query.get('resourceVersion') ?? '';
  const match = query.get('resourceVersionMatch') ?? '';
  refuseOptions('ListOptions', listCauses(version, match, continued, flagOf(query, 'sendInitialEvents')));
  const token = continued === '' ? undefined : parseContinue(continued);
  if (token !== undefined && version !== '' && version !== '0')
    throw badRequest('specifying resource version is not allowed when using continue');
  const revision = version === '' ? 0 : parseListRevision(version);
  // Who takes whatever there is gets all of it. @source upstream cacher computeListLimit
  const limited = limit > 0 && (version !== '0' || token !== undefined) ? limit : 0;
  const exact = match === 'Exact' || (match === '' && limited > 0 && revision > 0) ? revision : undefined;
  return { limit: limited, token, exact, notOlderThan: exact === undefined ? revision : 0 };
}

/** @source upstream apimachinery pkg/apis/meta/internalversion/validation */
export function listCauses(version: string, match: string, continued: string, initialEvents: boolean | undefined): FieldCause[] {
  const causes: FieldCause[] = [];
  const forbid = (why: string, field = 'resourceVersionMatch') =>
    causes.push({ reason: 'FieldValueForbidden', message: `Forbidden: ${why}`, field });
  if (match !== '') {
    if (version === '') forbid('resourceVersionMatch is forbidden unless resourceVersion is provided');
    if (continued !== '') forbid('resourceVersionMatch is forbidden when continue is provided');
    if (match !== 'Exact' && match !== 'NotOlderThan') {
      const message = `Unsupported value: ${JSON.stringify(match)}: supported values: "Exact", "NotOlderThan", ""`;
      causes.push({ reason: 'FieldValueNotSupported', message, field: 'resourceVersionMatch' });
    }
    if (match === 'Exact' && version === '0') forbid('resourceVersionMatch "exact" is forbidden for resourceVersion "0"');
  }
  if (initialEvents !== undefined) forbid('sendInitialEvents is forbidden for list', 'sendInitialEvents');
  return causes;
}

/** The first page (or everything), out of the cache. */
function pageNow(served: ServedResource, { cacher }: ServerParts, selection: Selection, limit: number): Page {
  const { cache } = served.store;
  const { revision } = cacher;
  if (selection.name !== '' && (selection.namespace !== '' || !served.resource.namespaced)) {
    const found = cache.find(objectKey(selection.namespace, selection.name));
    return { items: found !== undefined && selection.matches(found) ? [found] : [], revision, continue: '', remaining: undefined };
  }
  const all = cache.list(selection.namespace);
  const matching = selection.isAll ? all : all.filter((cached) => selection.matches(cached));
  if (limit === 0 || matching.length <= limit) return { items: matching, revision, continue: '', remaining: undefined };
  const items = matching.slice(0, limit);
  const start = belowScope(items.at(-1)?.key ?? '', selection);
  return {
    items,
    revision,
    continue: formatContinue({ revision, start }),
    remaining: selection.isAll ? matching.length - limit : undefined,
  };
}

/** A page as of a past revision, read from the store until it is full. */
async function pageAt(
  served: ServedResource,
  parts: ServerParts,
  selection: Selection,
  revision: number,
  start: string,
  limit: number,
): Promise<Page> {
  const items: CachedObject[] = [];
  const scope = scopeOf(selection);
  let after = start === '' ? '' : `${scope}${start}`;
  const at = revision > 0 ? revision : parts.cacher.revision;
  for (;;) {
    const options = {
      revision: at,
      after: after === '' ? '' : `${served.store.prefix}${after}`,
      limit: limit === 0 ? 0 : limit - items.length + 1,
    };
    const page = await parts.pages.read(`${served.store.prefix}${scope}`, options).catch((error: unknown) => rethrow(error, start));
    const stored = page.items.map(({ key, revision: at, object }) => new CachedObject(key.slice(served.store.prefix.length), at, object));
    const viewed = (await served.store.version?.viewAll(stored)) ?? stored;
    for (const cached of viewed) {
      after = cached.key;
      if (!selection.matches(cached)) continue;
      if (limit > 0 && items.length === limit) {
        const last = belowScope(items.at(-1)?.key ?? '', selection);
        const remaining = selection.isAll ? page.count - viewed.indexOf(cached) : undefined;
        return { items, revision: at, continue: formatContinue({ revision: at, start: last }), remaining };
      }
      items.push(cached);
    }
    if (!page.more) return { items, revision: at, continue: '', remaining: undefined };
  }
}

const scopeOf = ({ namespace }: Selection) => (namespace === '' ? '' : `${namespace}/`);

function belowScope(key: string, selection: Selection): string {
  return key.slice(scopeOf(selection).length);
}

/** A page whose revision is gone goes on at what is there now, if the client wants: -1 says so in a token. */
function rethrow(error: unknown, start: string): never {
  if (!(error instanceof ApiError) || error.code !== 410 || start === '') throw error;
  throw new ApiError({ ...error.status, metadata: { continue: formatContinue({ revision: -1, start }) } });
}

/** What the 410 for a page whose revision is gone says. @source upstream etcd3 continueExpired */
export const CONTINUE_EXPIRED =
  'The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.';
