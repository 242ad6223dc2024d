// SPDX-License-Identifier: Apache-2.0
// Watches: the present state where it is asked for, then every later event once, in order, until the time is up, or a 410.
//
// Flow: subscribe first, then read the window or the state (both are synchronous, so nothing falls between), then live events.
// Errors: a resourceVersion older than the window ends the watch at once with an ERROR event (410 Expired); so does a reader
// that falls behind.
// @source upstream apiserver pkg/endpoints/handlers/watch.go, storage/cacher
import { type ApiError, badRequest, expired, invalid } from '#machinery';
import type { ResourceCache } from '../cacher/resource-cache.ts';
import { WatchChannel } from '../cacher/watch-channel.ts';
import { negotiate, WATCH_RULES } from '../encoding/negotiation.ts';
import { includeObjectOf } from '../encoding/table.ts';
import type { ServedResource } from '../registry/generic/served-resource.ts';
import type { ApiResult, RequestContext, WatchFrame } from '../request/context.ts';
import type { ServerParts } from './endpoint.ts';
import { isPretty, notOlderThan, parseRevision } from './get.ts';
import { type Selection, selectionOf } from './options.ts';

/** @source upstream --min-request-timeout: 1800 s, doubled at random */
const MIN_TIMEOUT_SECONDS = 1800;
/** @source upstream cacher bookmarkFrequency: about a minute */
const BOOKMARK_MS = 60_000;
const INITIAL_EVENTS_END = 'k8s.io/initial-events-end';

interface WatchOptions {
  readonly revision: number | undefined;
  readonly timeoutMs: number;
  readonly bookmarks: boolean;
  readonly initialEvents: 'always' | 'legacy' | 'never';
}

export function watch(context: RequestContext, served: ServedResource, parts: ServerParts): ApiResult | Promise<ApiResult> {
  const output = negotiate(context.header('accept'), WATCH_RULES, isPretty(context));
  if (output.transform === 'Table') includeObjectOf(context.query);
  const options = watchOptionsOf(context);
  const selection = selectionOf(context, served);
  const open = (): ApiResult => ({ type: 'watch', frames: frames(context, served, parts, options, selection), served, output, query: context.query });
  const wait = options.initialEvents === 'always' && options.revision !== undefined ? notOlderThan(options.revision, parts) : parts.cacher.fresh();
  return wait === undefined ? open() : wait.then(open);
}

function watchOptionsOf({ query }: RequestContext): WatchOptions {
  const version = query.get('resourceVersion') ?? '';
  const send = query.get('sendInitialEvents');
  const match = query.get('resourceVersionMatch') ?? '';
  checkInitialEvents(send, match, query);
  const revision = version === '' ? undefined : parseRevision(version);
  const asked = Number(query.get('timeoutSeconds') ?? '0');
  const seconds = asked > 0 ? asked : MIN_TIMEOUT_SECONDS * (1 + Math.random());
  const legacy = revision === undefined || revision === 0 ? 'legacy' : 'never';
  return {
    revision: revision === 0 ? undefined : revision,
    timeoutMs: seconds * 1000,
    bookmarks: isTrue(query.get('allowWatchBookmarks')),
    initialEvents: send === null ? legacy : isTrue(send) ? 'always' : 'never',
  };
}

const isTrue = (value: string | null) => value === 'true' || value === '1';

function checkInitialEvents(send: string | null, match: string, query: URLSearchParams): void {
  const refuse = (message: string) => {
    const [field, text] = [message.split('|')[0] ?? '', message.split('|')[1] ?? ''];
    throw invalid({ group: 'meta.k8s.io', kind: 'ListOptions' }, '', [{ reason: 'FieldValueForbidden', message: `Forbidden: ${text}`, field }]);
  };
  if (send === null) {
    if (match !== '') refuse('resourceVersionMatch|resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided');
    return;
  }
  if (match !== 'NotOlderThan') refuse('resourceVersionMatch|sendInitialEvents requires setting resourceVersionMatch to NotOlderThan');
  if (isTrue(send) && !isTrue(query.get('allowWatchBookmarks'))) throw badRequest('sendInitialEvents requires allowWatchBookmarks');
}

async function* frames(context: RequestContext, served: ServedResource, parts: ServerParts, options: WatchOptions, selection: Selection): AsyncGenerator<readonly WatchFrame[]> {
  const cache = parts.cacher.cache(served.store.prefix);
  const interest = { namespace: selection.namespace, name: selection.name, nodeName: selection.nodeName };
  const channel = new WatchChannel(interest, (cached) => selection.matches(cached));
  using _subscription = cache.subscribe(channel);
  let bookmarkDue = false;
  using _timeout = parts.clock.after(options.timeoutMs, () => channel.close());
  using _bookmarks = repeat(parts, BOOKMARK_MS, () => {
    bookmarkDue = true;
    channel.nudge();
  });
  const { signal } = context.request;
  const close = () => channel.close();
  signal.addEventListener('abort', close, { once: true });
  try {
    let sent = parts.cacher.revision;
    const first = firstFrames(cache, parts.cacher.revision, options, selection, served);
    if (first.length > 0) yield first;
    if (first.at(-1)?.type === 'ERROR') return;
    while (!channel.closed) {
      const items = await channel.take();
      if (items.length > 0) yield items.map((item): WatchFrame => ({ type: item.type, cached: item.object }));
      if (bookmarkDue && options.bookmarks && !channel.closed) {
        if (parts.cacher.revision > sent) yield [bookmark(served, parts.cacher.revision, false)];
        sent = parts.cacher.revision;
      }
      bookmarkDue = false;
    }
    if (channel.overflowed) yield [errorFrame(expired('too many unread events'))];
    else if (options.bookmarks && !signal.aborted && parts.cacher.revision > sent) yield [bookmark(served, parts.cacher.revision, false)];
  } finally {
    signal.removeEventListener('abort', close);
    channel.close();
  }
}

function firstFrames(cache: ResourceCache, revision: number, options: WatchOptions, selection: Selection, served: ServedResource): readonly WatchFrame[] {
  if (options.initialEvents !== 'never') {
    const added = cache.list(selection.namespace).filter((cached) => selection.matches(cached));
    const frames = added.map((cached): WatchFrame => ({ type: 'ADDED', cached }));
    if (options.initialEvents === 'always') frames.push(bookmark(served, revision, true));
    return frames;
  }
  if (options.revision === undefined) return [];
  const past = cache.since(options.revision);
  if (past === undefined) return [errorFrame(expired(`too old resource version: ${options.revision} (${cache.windowStart})`))];
  const replay = new WatchChannel({ namespace: '', name: '', nodeName: '' }, (cached) => selection.matches(cached));
  return past.flatMap((event) => {
    const item = replay.judge(event);
    return item === undefined ? [] : [{ type: item.type, cached: item.object }];
  });
}

function bookmark(served: ServedResource, revision: number, initialEnd: boolean): WatchFrame {
  const annotations = initialEnd ? { annotations: { [INITIAL_EVENTS_END]: 'true' } } : {};
  const object = { kind: served.resource.kind, apiVersion: served.apiVersion, metadata: { resourceVersion: String(revision), creationTimestamp: null, ...annotations } };
  return { type: 'BOOKMARK', object };
}

function errorFrame(error: ApiError): WatchFrame {
  return { type: 'ERROR', object: error.status };
}

function repeat({ clock }: ServerParts, everyMs: number, run: () => void): Disposable {
  let timer = clock.after(everyMs, tick);
  function tick(): void {
    run();
    timer = clock.after(everyMs, tick);
  }
  return { [Symbol.dispose]: () => timer[Symbol.dispose]() };
}

