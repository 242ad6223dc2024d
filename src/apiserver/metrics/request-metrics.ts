// SPDX-License-Identifier: Apache-2.0
// Counts, times and weighs every request: `apiserver_request_*`, `apiserver_response_sizes`, `apiserver_watch_events_*` and more, in
// one filter. The child of a set of labels is made once, and found by the request info where that is shared; a request costs one
// lookup and a few additions.
// @source upstream apiserver pkg/endpoints/metrics/metrics.go
import type { Metrics } from '#component';
import type { ApiResult, Handler, RequestContext } from '../request/context.ts';
import { registerComputed, type Sample } from './computed-metric.ts';
import { Histogram } from './histogram.ts';

/** Seconds. @source upstream requestLatencies */
export const DURATION_BUCKETS = [0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60];
/** Those of the service level begin here. */
const SLI_SKIPPED = DURATION_BUCKETS.indexOf(0.05);
const SIZE_BUCKETS = [1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9];
const EVENT_SIZE_BUCKETS = [1024, 2048, 4096, 8192, 16384, 32768, 65536, 131072];
const MAX_CHILDREN = 4_000;

interface RequestLabels extends Readonly<Record<string, string>> {
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly verb: string;
}

/** Requests that differ only by code. */
interface Child {
  readonly labels: RequestLabels;
  readonly codes: Map<number, number>;
  readonly durations: Histogram;
  readonly sizes: Histogram;
  readonly longRunning: boolean;
  /** Of watches: how many events, and how large. */
  readonly events: Histogram;
  timeouts: number;
  lists: number;
  listed: number;
}

const METHODS: Readonly<Record<string, string>> = {
  create: 'POST',
  update: 'PUT',
  patch: 'PATCH',
  delete: 'DELETE',
  deletecollection: 'DELETECOLLECTION',
  get: 'GET',
  list: 'LIST',
  watch: 'WATCH',
};
const CONNECT: ReadonlySet<string> = new Set(['exec', 'attach', 'portforward', 'proxy', 'log']);
/** Resources whose every use is warned of, with the release that has them no more. */
const DEPRECATED: Readonly<Record<string, string>> = { 'v1/endpoints': '', 'v1/componentstatuses': '' };

type Info = RequestContext['info'];

export class RequestMetrics {
  readonly #children = new Map<string, Child>();
  readonly #byInfo = new WeakMap<Info, Child>();

  constructor(metrics: Metrics) {
    const add = (
      type: 'counter' | 'gauge' | 'histogram',
      name: string,
      help: string,
      samples: (child: Child, name: string) => Iterable<Sample>,
    ) =>
      registerComputed(metrics, {
        name,
        help,
        type,
        samples: () => [...this.#children.values()].flatMap((child) => [...samples(child, name)]),
      });
    add('counter', 'apiserver_request_total', 'Requests answered, by verb, resource and code.', ({ labels, codes }) =>
      [...codes].map(([code, value]) => ({ value, labels: { ...labels, code, system_client: '' } })),
    );
    add(
      'histogram',
      'apiserver_request_duration_seconds',
      'How long requests took, in seconds.',
      ({ labels, durations, longRunning }, name) => (longRunning ? [] : durations.samples(name, labels)),
    );
    registerComputed(metrics, {
      name: 'apiserver_request_sli_duration_seconds',
      help: 'How long requests took that the service level counts, in seconds.',
      type: 'histogram',
      samples: () => this.#serviceLevel(),
    });
    add(
      'histogram',
      'apiserver_response_sizes',
      'How large answers were, in bytes.',
      ({ labels: { dry_run: _none, ...labels }, sizes }, name) => (sizes.count === 0 ? [] : sizes.samples(name, labels)),
    );
    add(
      'counter',
      'apiserver_request_terminations_total',
      'Requests cut off to protect the server.',
      ({ labels: { dry_run: _none, ...labels }, timeouts }) =>
        timeouts === 0 ? [] : [{ value: timeouts, labels: { ...labels, code: 504 } }],
    );
    add('gauge', 'apiserver_requested_deprecated_apis', 'Deprecated resources that were asked for.', ({ labels }) =>
      deprecatedSamples(labels),
    );
    this.#registerWatches(metrics);
    add('counter', 'apiserver_cache_list_total', 'Lists answered from the cache.', ({ labels, lists }) =>
      lists === 0 ? [] : [{ value: lists, labels: { group: labels.group, resource: labels.resource, index: '' } }],
    );
    add('counter', 'apiserver_cache_list_returned_objects_total', 'Objects in such lists.', ({ labels, lists, listed }) =>
      lists === 0 ? [] : [{ value: listed, labels: { group: labels.group, resource: labels.resource } }],
    );
  }

  /** Books a request that was cut off at its deadline. */
  timedOut({ info, query }: RequestContext): void {
    this.#childOf(info, query).timeouts += 1;
  }

  /** Wraps the whole chain: what a filter refuses counts too. */
  measure(next: Handler): Handler {
    return (context) => {
      const child =
        context.query.size === 0 ? (this.#byInfo.get(context.info) ?? this.#remember(context)) : this.#childOf(context.info, context.query);
      context.weighed = child.longRunning ? child.events : child.sizes;
      const result = next(context);
      if (!(result instanceof Promise)) {
        // Fairness has just looked at the clock.
        record(child, result, context.flow === undefined ? context.elapsedMs() : context.markedAt - context.startedAt);
        return result;
      }
      return result.then((settled) => {
        record(child, settled, context.elapsedMs());
        return settled;
      });
    };
  }

  #remember({ info, query }: RequestContext): Child {
    const child = this.#childOf(info, query);
    this.#byInfo.set(info, child);
    return child;
  }

  #childOf(info: Info, query: URLSearchParams): Child {
    const dryRun = query.size > 0 && query.has('dryRun') ? 'All' : '';
    const scope = scopeOf(info);
    const what = info.isResource ? `${info.group}/${info.version}/${info.resource}/${info.subresource}` : knownPath(info.path);
    const key = `${info.verb} ${what} ${scope} ${dryRun}`;
    let child = this.#children.get(key);
    if (child === undefined) {
      child = childFor(labelsOf(info, scope, dryRun));
      // Unknown resources and paths are the client's invention: they must not fill the memory.
      if (this.#children.size < MAX_CHILDREN) this.#children.set(key, child);
    }
    return child;
  }

  /** As the durations, whatever `dryRun` said. */
  *#serviceLevel(): Generator<Sample> {
    const merged = new Map<string, { readonly labels: Record<string, string>; readonly histogram: Histogram }>();
    for (const { labels, durations, longRunning } of this.#children.values()) {
      if (longRunning) continue;
      const { dry_run: _none, ...rest } = labels;
      const key = JSON.stringify(rest);
      const found = merged.get(key) ?? { labels: rest as Record<string, string>, histogram: new Histogram(DURATION_BUCKETS) };
      found.histogram.add(durations);
      merged.set(key, found);
    }
    for (const { labels, histogram } of merged.values())
      yield* histogram.samples('apiserver_request_sli_duration_seconds', labels, SLI_SKIPPED);
  }

  /** Watches of one object, a namespace and all are one here. */
  #registerWatches(metrics: Metrics): void {
    const merged = () => {
      const found = new Map<string, { readonly labels: Record<string, string>; readonly histogram: Histogram }>();
      for (const { labels, events } of this.#children.values()) {
        if (labels.verb !== 'WATCH' || events.count === 0) continue;
        const { group, version, resource } = labels;
        const key = `${group}/${version}/${resource}`;
        const one = found.get(key) ?? { labels: { group, version, resource }, histogram: new Histogram(EVENT_SIZE_BUCKETS) };
        one.histogram.add(events);
        found.set(key, one);
      }
      return [...found.values()];
    };
    registerComputed(metrics, {
      name: 'apiserver_watch_events_total',
      help: 'Events sent to watchers.',
      type: 'counter',
      samples: () => merged().map(({ labels, histogram }) => ({ value: histogram.count, labels })),
    });
    registerComputed(metrics, {
      name: 'apiserver_watch_events_sizes',
      help: 'How large events were, in bytes.',
      type: 'histogram',
      samples: () => merged().flatMap(({ labels, histogram }) => [...histogram.samples('apiserver_watch_events_sizes', labels)]),
    });
  }
}

function childFor(labels: RequestLabels): Child {
  return {
    labels,
    codes: new Map(),
    durations: new Histogram(DURATION_BUCKETS),
    sizes: new Histogram(SIZE_BUCKETS),
    longRunning: labels.verb === 'WATCH' || labels.verb === 'CONNECT',
    events: new Histogram(EVENT_SIZE_BUCKETS),
    timeouts: 0,
    lists: 0,
    listed: 0,
  };
}

function record(child: Child, result: ApiResult, tookMs: number): void {
  const code = codeOf(result);
  child.codes.set(code, (child.codes.get(code) ?? 0) + 1);
  if (!child.longRunning) child.durations.observe(tookMs / 1000);
  if (result.type === 'list') {
    child.lists += 1;
    child.listed += result.items.length;
  }
}

function deprecatedSamples({ group, version, resource, subresource = '' }: RequestLabels): Sample[] {
  const removed = group === '' ? DEPRECATED[`${version}/${resource}`] : undefined;
  return removed === undefined ? [] : [{ value: 1, labels: { group, version, resource, subresource, removed_release: removed } }];
}

function scopeOf({ isResource, name, namespace, verb }: Info): string {
  if (!isResource) return '';
  if (name !== '' || verb === 'create') return 'resource';
  return namespace === '' ? 'cluster' : 'namespace';
}

/** What requests are told apart by in every metric of theirs. */
export function labelsOf(info: Info, scope: string = scopeOf(info), dryRun = ''): RequestLabels {
  const { isResource, group, version, resource, subresource, path, verb } = info;
  return {
    component: 'apiserver',
    dry_run: dryRun,
    group,
    resource,
    scope,
    subresource: isResource ? subresource : knownPath(path),
    verb: CONNECT.has(subresource) ? 'CONNECT' : (METHODS[verb] ?? verb.toUpperCase()),
    version,
  };
}

/** The first part of a path that is no resource. */
function knownPath(path: string): string {
  return path.split('/')[1] ?? '';
}

function codeOf(result: ApiResult): number {
  return 'status' in result ? result.status : result.type === 'hijacked' ? 101 : 200;
}
