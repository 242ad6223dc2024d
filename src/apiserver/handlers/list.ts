// SPDX-License-Identifier: Apache-2.0
// Lists: from the cache as of now, or from the store at the revision a page began with. Never copies an object.
// @source upstream apiserver pkg/storage/etcd3/store.go GetList, storage/continue.go
import { badRequest, invalid } from '#machinery';
import { CachedObject } from '../cacher/cached-object.ts';
import { LIST_RULES, negotiate } from '../encoding/negotiation.ts';
import { includeObjectOf } from '../encoding/table.ts';
import { objectKey } from '../registry/generic/keys.ts';
import type { ServedResource } from '../registry/generic/served-resource.ts';
import type { ApiResult, ListResult, RequestContext } from '../request/context.ts';
import type { ServerParts } from './endpoint.ts';
import { isPretty, notOlderThan, parseRevision } from './get.ts';
import { type Selection, selectionOf } from './options.ts';

interface Page {
  readonly items: readonly CachedObject[];
  readonly revision: number;
  readonly continue: string;
  readonly remaining: number | undefined;
}

export function list(context: RequestContext, served: ServedResource, parts: ServerParts): ApiResult | Promise<ApiResult> {
  const output = negotiate(context.header('accept'), LIST_RULES, isPretty(context));
  if (output.transform === 'Table') includeObjectOf(context.query);
  const wanted = listOptionsOf(context);
  const selection = selectionOf(context, served);
  const answer = (page: Page): ListResult => ({
    type: 'list',
    items: page.items,
    resourceVersion: String(page.revision),
    continue: page.continue,
    remainingItemCount: page.remaining,
    served,
    output,
    query: context.query,
  });
  if (wanted.token !== undefined) return pageAt(served, parts, selection, wanted.token.revision, wanted.token.start, wanted.limit).then(answer);
  if (wanted.exact !== undefined) return pageAt(served, parts, selection, wanted.exact, '', wanted.limit).then(answer);
  const wait = wanted.notOlderThan > 0 ? notOlderThan(wanted.notOlderThan, parts) : parts.cacher.fresh();
  const read = () => answer(pageNow(served, parts, selection, wanted.limit));
  return wait === undefined ? read() : wait.then(read);
}

interface ListOptions {
  readonly limit: number;
  readonly token: ContinueToken | undefined;
  readonly exact: number | undefined;
  readonly notOlderThan: number;
}

function listOptionsOf({ query }: RequestContext): ListOptions {
  const limit = Number(query.get('limit') ?? '0');
  const continued = query.get('continue') ?? '';
  const version = query.get('resourceVersion') ?? '';
  const match = query.get('resourceVersionMatch') ?? '';
  checkVersionOptions(version, match, continued);
  const revision = version === '' ? 0 : parseRevision(version);
  const token = continued === '' ? undefined : parseContinue(continued);
  const limited = Number.isFinite(limit) && limit > 0 ? limit : 0;
  const exact = match === 'Exact' || (match === '' && limited > 0 && revision > 0) ? revision : undefined;
  return { limit: limited, token, exact, notOlderThan: exact === undefined ? revision : 0 };
}

/** @source upstream apimachinery pkg/apis/meta/internalversion/validation */
function checkVersionOptions(version: string, match: string, continued: string): void {
  const refuse = (reason: string, message: string, field = 'resourceVersionMatch') => {
    throw invalid({ group: 'meta.k8s.io', kind: 'ListOptions' }, '', [{ reason, message, field }]);
  };
  if (match !== '') {
    if (version === '') refuse('FieldValueForbidden', 'Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided');
    if (continued !== '') refuse('FieldValueForbidden', 'Forbidden: resourceVersionMatch is forbidden when continue is provided');
    if (match !== 'Exact' && match !== 'NotOlderThan') {
      refuse('FieldValueNotSupported', `Unsupported value: ${JSON.stringify(match)}: supported values: "Exact", "NotOlderThan", ""`);
    }
    if (match === 'Exact' && version === '0') refuse('FieldValueForbidden', 'Forbidden: resourceVersionMatch "exact" is forbidden for resourceVersion "0"');
  }
  if (continued !== '' && version !== '' && version !== '0') throw badRequest('specifying resource version is not allowed when using continue');
}

interface ContinueToken {
  readonly revision: number;
  /** The last key already given. */
  readonly start: string;
}

/** Upstream's form, so that old tokens of a taken-over cluster at least parse: base64 of JSON with `v`, `rv`, `start`. */
export function formatContinue({ revision, start }: ContinueToken): string {
  return Buffer.from(JSON.stringify({ v: 'meta.k8s.io/v1', rv: revision, start: `${start}\0` })).toString('base64url');
}

/** @throws {ApiError} 400 */
export function parseContinue(text: string): ContinueToken {
  try {
    const { v, rv, start } = JSON.parse(Buffer.from(text, 'base64url').toString()) as { v: unknown; rv: unknown; start: unknown };
    if (v === 'meta.k8s.io/v1' && typeof rv === 'number' && typeof start === 'string' && start !== '') return { revision: rv, start: start.replace(/\0$/, '') };
  } catch {
    // Falls through: any way of being wrong gets the same answer.
  }
  throw badRequest('continue key is not valid: encoded continue token is not valid');
}

/** The first page (or everything), out of the cache. */
function pageNow(served: ServedResource, { cacher }: ServerParts, selection: Selection, limit: number): Page {
  const cache = cacher.cache(served.store.prefix);
  const { revision } = cacher;
  if (selection.name !== '' && (selection.namespace !== '' || !served.resource.namespaced)) {
    const found = cache.find(objectKey(selection.namespace, selection.name));
    return { items: found !== undefined && selection.matches(found) ? [found] : [], revision, continue: '', remaining: undefined };
  }
  const all = cache.list(selection.namespace);
  const matching = selection.isAll ? all : all.filter((cached) => selection.matches(cached));
  if (limit === 0 || matching.length <= limit) return { items: matching, revision, continue: '', remaining: undefined };
  const items = matching.slice(0, limit);
  const start = items.at(-1)?.key ?? '';
  return { items, revision, continue: formatContinue({ revision, start }), remaining: selection.isAll ? matching.length - limit : undefined };
}

/** A page as of a past revision, read from the store until it is full. */
async function pageAt(served: ServedResource, parts: ServerParts, selection: Selection, revision: number, start: string, limit: number): Promise<Page> {
  const items: CachedObject[] = [];
  const scope = selection.namespace === '' ? '' : `${selection.namespace}/`;
  let after = start;
  const at = revision > 0 ? revision : parts.cacher.revision;
  for (;;) {
    const page = await parts.pages.read(`${served.store.prefix}${scope}`, { revision: at, after: after === '' ? '' : `${served.store.prefix}${after}`, limit: limit === 0 ? 0 : limit - items.length + 1 });
    for (const found of page.items) {
      after = found.key.slice(served.store.prefix.length);
      const cached = new CachedObject(after, found.revision, found.object);
      if (!selection.matches(cached)) continue;
      if (limit > 0 && items.length === limit) {
        const last = items.at(-1)?.key ?? '';
        const remaining = selection.isAll ? page.count - page.items.indexOf(found) : undefined;
        return { items, revision: at, continue: formatContinue({ revision: at, start: last }), remaining };
      }
      items.push(cached);
    }
    if (!page.more) return { items, revision: at, continue: '', remaining: undefined };
  }
}

/** What the 410 for a page whose revision is gone says. @source upstream etcd3 continueExpired */
export const CONTINUE_EXPIRED =
  'The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.';
