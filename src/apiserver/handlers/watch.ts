// SPDX-License-Identifier: Apache-2.0
// Watches: the present state where it is asked for, then every later event once, in order, until the time is up, or a 410.
//
// Flow: subscribe first, then read the window or the state (both are synchronous, so nothing falls between), then live events.
// Errors: a resourceVersion older than the window ends the watch at once with an ERROR event (410 Expired); so does a reader
// that falls behind.
// @source upstream apiserver pkg/endpoints/handlers/watch.go, storage/cacher
import { type ApiError, expired, type FieldCause, notAcceptable } from '#machinery';
import type { CachedObject } from '../cacher/cached-object.ts';
import type { ObjectCache } from '../cacher/resource-cache.ts';
import { type Interest, WatchChannel } from '../cacher/watch-channel.ts';
import { negotiate, STREAMED_TYPES, WATCH_RULES } from '../encoding/negotiation.ts';
import { includeObjectOf } from '../encoding/table.ts';
import type { StoreVersion } from '../registry/generic/generic-store.ts';
import type { ServedResource } from '../registry/generic/served-resource.ts';
import type { ApiResult, RequestContext, WatchFrame } from '../request/context.ts';
import { isWatch } from '../request/request-info.ts';
import type { ServerParts } from './endpoint.ts';
import { notOlderThan, parseRevision } from './get.ts';
import { listCauses } from './list.ts';
import { flagOf, integerOf, refuseOptions, type Selection, selectionOf } from './options.ts';

/** @source upstream --min-request-timeout: 1800 s, doubled at random */
const MIN_TIMEOUT_SECONDS = 1800;
/** Timers take no more. */
const MAX_TIMEOUT_SECONDS = 2_000_000;
/** @source upstream cacher bookmarkFrequency: about a minute */
const BOOKMARK_MS = 60_000;
/** Objects of the state that a watch begins with, made into frames at once. */
const STATE_BATCH = 500;
const INITIAL_EVENTS_END = 'k8s.io/initial-events-end';

interface WatchOptions {
  readonly revision: number | undefined;
  readonly timeoutMs: number;
  readonly bookmarks: boolean;
  readonly initialEvents: 'always' | 'legacy' | 'never';
}

export function watch(context: RequestContext, served: ServedResource, parts: ServerParts): ApiResult | Promise<ApiResult> {
  const output = negotiate(context.header('accept'), WATCH_RULES, false, context.cbor);
  if (output.mediaType === 'yaml') throw notAcceptable(`only the following media types are accepted: ${STREAMED_TYPES.join(', ')}`);
  if (output.transform === 'Table') includeObjectOf(context.query);
  const options = watchOptionsOf(context, parts.minRequestTimeoutSeconds ?? MIN_TIMEOUT_SECONDS);
  const selection = selectionOf(context, served);
  const open = (): ApiResult => ({
    type: 'watch',
    frames: frames(context, served, parts, options, selection),
    served,
    output,
    query: context.query,
  });
  const wait =
    options.initialEvents === 'always' && options.revision !== undefined ? notOlderThan(options.revision, parts) : parts.cacher.fresh();
  const { version } = served.store;
  // A conversion that fails is the answer, not the end of a stream.
  if (version?.isSlow === true) return Promise.resolve(wait).then(() => whenConverted(version, options, open));
  return wait === undefined ? open() : wait.then(open);
}

/** Reads once what the first frames show has been converted. */
function whenConverted<T>(version: StoreVersion, { initialEvents, revision }: WatchOptions, read: () => T): Promise<T> {
  if (initialEvents !== 'never') return version.read('', read);
  return revision === undefined ? Promise.resolve(read()) : version.readSince(revision, read);
}

function watchOptionsOf({ query }: RequestContext, minSeconds: number): WatchOptions {
  const asked = integerOf(query, 'timeoutSeconds') ?? 0;
  integerOf(query, 'limit');
  const version = query.get('resourceVersion') ?? '';
  const send = flagOf(query, 'sendInitialEvents');
  refuseOptions('ListOptions', watchCauses(query, version, send));
  const revision = version === '' ? undefined : parseRevision(version);
  const seconds = Math.min(asked > 0 ? asked : minSeconds * (1 + Math.random()), MAX_TIMEOUT_SECONDS);
  // A watch that says nothing of where it begins asks for the state, too. @source upstream SetListOptionsDefaults
  const legacy =
    revision !== undefined && revision !== 0 ? 'never' : isWatch(query) && !query.has('resourceVersionMatch') ? 'always' : 'legacy';
  return {
    revision: revision === 0 ? undefined : revision,
    timeoutMs: seconds * 1000,
    bookmarks: flagOf(query, 'allowWatchBookmarks') ?? false,
    initialEvents: send === undefined ? legacy : send ? 'always' : 'never',
  };
}

/** @source upstream apimachinery pkg/apis/meta/internalversion/validation validateWatchOptions */
function watchCauses(query: URLSearchParams, version: string, send: boolean | undefined): FieldCause[] {
  const match = query.get('resourceVersionMatch') ?? '';
  const continued = query.get('continue') ?? '';
  // The old paths of watches say by themselves what they are; their options are those of a list.
  if (!isWatch(query)) return listCauses(version, match, continued, send);
  const isWithState = send === undefined && match === '' && (version === '' || version === '0');
  const causes: FieldCause[] = [];
  const forbid = (why: string) =>
    causes.push({ reason: 'FieldValueForbidden', message: `Forbidden: ${why}`, field: 'resourceVersionMatch' });
  if (send !== undefined && match !== 'NotOlderThan') forbid('sendInitialEvents requires setting resourceVersionMatch to NotOlderThan');
  if (isWithState && continued !== '') forbid('resourceVersionMatch is forbidden when continue is provided');
  if (match === '') return causes;
  if (send === undefined) forbid('resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided');
  if (match !== 'NotOlderThan') {
    const message = `Unsupported value: ${JSON.stringify(match)}: supported values: "NotOlderThan"`;
    causes.push({ reason: 'FieldValueNotSupported', message, field: 'resourceVersionMatch' });
  }
  if (continued !== '') forbid('resourceVersionMatch is forbidden when continue is provided');
  return causes;
}

async function* frames(
  context: RequestContext,
  served: ServedResource,
  parts: ServerParts,
  options: WatchOptions,
  selection: Selection,
): AsyncGenerator<readonly WatchFrame[]> {
  const { cache, version } = served.store;
  // A name without its namespace may be any of several objects: no index has it.
  const name = served.resource.namespaced && selection.namespace === '' ? '' : selection.name;
  const interest = { namespace: selection.namespace, name, nodeName: selection.nodeName };
  const start = (): Begun => begin(cache, parts.cacher.revision, { options, selection, served, interest });
  const { channel, subscription, first } = version?.isSlow === true ? await whenConverted(version, options, start) : start();
  using _subscription = subscription;
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
    for (const batch of first) {
      yield batch;
      if (batch.at(-1)?.type === 'ERROR') return;
      if (signal.aborted) return;
    }
    while (!channel.closed) {
      const items = await channel.take();
      if (items.length > 0) yield items.map((item): WatchFrame => ({ type: item.type, cached: item.object }));
      if (bookmarkDue && options.bookmarks && !channel.closed) {
        if (parts.cacher.revision > sent) yield [bookmark(served, parts.cacher.revision, false)];
        sent = parts.cacher.revision;
      }
      bookmarkDue = false;
    }
    // What came before the end is told, too.
    const rest = channel.overflowed || signal.aborted ? [] : await channel.take();
    if (rest.length > 0) yield rest.map((item): WatchFrame => ({ type: item.type, cached: item.object }));
    if (channel.overflowed) yield [errorFrame(expired('too many unread events'))];
    else if (options.bookmarks && !signal.aborted && parts.cacher.revision > sent) yield [bookmark(served, parts.cacher.revision, false)];
  } finally {
    signal.removeEventListener('abort', close);
    channel.close();
  }
}

interface Begun {
  readonly channel: WatchChannel;
  readonly subscription: Disposable;
  /** What it begins with, made as it is taken. */
  readonly first: Iterable<readonly WatchFrame[]>;
}

interface Beginning {
  readonly options: WatchOptions;
  readonly selection: Selection;
  readonly served: ServedResource;
  readonly interest: Interest;
}

/** Subscribes and reads in one go, so that nothing falls between. */
function begin(cache: ObjectCache, revision: number, { options, selection, served, interest }: Beginning): Begun {
  const channel = new WatchChannel(interest, (cached) => selection.matches(cached), options.revision);
  const first = firstFrames(cache, revision, options, selection, served);
  return { channel, subscription: cache.subscribe(channel), first };
}

function firstFrames(
  cache: ObjectCache,
  revision: number,
  options: WatchOptions,
  selection: Selection,
  served: ServedResource,
): Iterable<readonly WatchFrame[]> {
  if (options.initialEvents !== 'never') {
    const end = options.initialEvents === 'always' && options.bookmarks ? bookmark(served, revision, true) : undefined;
    return stateFrames(cache.list(selection.namespace), selection, end);
  }
  if (options.revision === undefined) return [];
  const past = cache.since(options.revision);
  if (past === undefined) return [[errorFrame(expired(`too old resource version: ${options.revision} (${cache.windowStart})`))]];
  const replay = new WatchChannel({ namespace: '', name: '', nodeName: '' }, (cached) => selection.matches(cached));
  const frames = past.flatMap((event): WatchFrame[] => {
    const item = replay.judge(event);
    return item === undefined ? [] : [{ type: item.type, cached: item.object }];
  });
  return frames.length === 0 ? [] : [frames];
}

/** The list is of one moment and never changes: what is in it may be judged later. */
function* stateFrames(list: readonly CachedObject[], selection: Selection, end: WatchFrame | undefined): Generator<readonly WatchFrame[]> {
  let batch: WatchFrame[] = [];
  for (const cached of list) {
    if (!selection.matches(cached)) continue;
    batch.push({ type: 'ADDED', cached, alone: true });
    if (batch.length < STATE_BATCH) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
  yield end === undefined ? [] : [end]; // A batch that is not of the state: that is all of it.
}

function bookmark(served: ServedResource, revision: number, initialEnd: boolean): WatchFrame {
  const annotations = initialEnd ? { annotations: { [INITIAL_EVENTS_END]: 'true' } } : {};
  const object = {
    kind: served.resource.kind,
    apiVersion: served.apiVersion,
    metadata: { resourceVersion: String(revision), ...annotations },
  };
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
