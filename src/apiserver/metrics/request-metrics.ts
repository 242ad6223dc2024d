// SPDX-License-Identifier: Apache-2.0
// Counts and times every request: `apiserver_request_total` and `apiserver_request_duration_seconds`, in one filter. The child of
// a set of labels is made once; a request costs one string, one lookup and three additions.
// @source upstream apiserver pkg/endpoints/metrics/metrics.go
import type { Metrics } from '#component';
import type { ApiResult, Handler, RequestContext } from '../request/context.ts';
import { registerComputed, type Sample } from './computed-metric.ts';

/** Seconds. @source upstream requestLatencies */
export const DURATION_BUCKETS = [0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60];

interface RequestLabels extends Readonly<Record<string, string>> {
  readonly verb: string;
  readonly resource: string;
}

/** Requests that differ only by code. */
interface Child {
  readonly labels: RequestLabels;
  readonly codes: Map<number, number>;
  /** One more than the buckets: the last takes what is above them. */
  readonly buckets: Float64Array;
  sum: number;
  count: number;
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
const CONNECT = new Set(['exec', 'attach', 'portforward', 'proxy', 'log']);
const SLOWEST_IS_LONG_RUNNING = new Set(['WATCH', 'CONNECT']);

export class RequestMetrics {
  readonly #children = new Map<string, Child>();

  constructor(metrics: Metrics) {
    registerComputed(metrics, {
      name: 'apiserver_request_total',
      help: 'Requests answered, by verb, resource and code.',
      type: 'counter',
      samples: () => this.#totals(),
    });
    registerComputed(metrics, {
      name: 'apiserver_request_duration_seconds',
      help: 'How long requests took, in seconds.',
      type: 'histogram',
      samples: () => this.#durations(),
    });
  }

  /** Wraps the whole chain: what a filter refuses counts too. */
  measure(next: Handler): Handler {
    return (context) => {
      const startedAt = performance.now();
      const result = next(context);
      if (!(result instanceof Promise)) {
        this.#record(context, result, startedAt);
        return result;
      }
      return result.then((settled) => {
        this.#record(context, settled, startedAt);
        return settled;
      });
    };
  }

  #record(context: RequestContext, result: ApiResult, startedAt: number): void {
    const child = this.#childOf(context);
    const code = codeOf(result);
    child.codes.set(code, (child.codes.get(code) ?? 0) + 1);
    const seconds = (performance.now() - startedAt) / 1000;
    child.sum += seconds;
    child.count += 1;
    let bucket = 0;
    while (bucket < DURATION_BUCKETS.length && seconds > (DURATION_BUCKETS[bucket] ?? 0)) bucket += 1;
    child.buckets[bucket] = (child.buckets[bucket] ?? 0) + 1;
  }

  #childOf({ info, query }: RequestContext): Child {
    const dryRun = query.size > 0 && query.has('dryRun') ? 'All' : '';
    const scope = scopeOf(info);
    const key = `${info.verb} ${info.group}/${info.version}/${info.resource}/${info.subresource} ${scope} ${dryRun}`;
    let child = this.#children.get(key);
    if (child === undefined) {
      child = {
        labels: labelsOf(info, scope, dryRun),
        codes: new Map(),
        buckets: new Float64Array(DURATION_BUCKETS.length + 1),
        sum: 0,
        count: 0,
      };
      // Unknown resources and paths are the client's invention: they must not fill the memory.
      if (this.#children.size < MAX_CHILDREN) this.#children.set(key, child);
    }
    return child;
  }

  *#totals(): Generator<Sample> {
    for (const { labels, codes } of this.#children.values()) {
      for (const [code, value] of codes) yield { value, labels: { ...labels, code, system_client: '' } };
    }
  }

  *#durations(): Generator<Sample> {
    const name = 'apiserver_request_duration_seconds';
    for (const { labels, buckets, sum, count } of this.#children.values()) {
      if (SLOWEST_IS_LONG_RUNNING.has(labels.verb)) continue;
      let below = 0;
      for (const [index, le] of DURATION_BUCKETS.entries()) {
        below += buckets[index] ?? 0;
        yield { metricName: `${name}_bucket`, value: below, labels: { ...labels, le } };
      }
      yield { metricName: `${name}_bucket`, value: count, labels: { ...labels, le: '+Inf' } };
      yield { metricName: `${name}_sum`, value: sum, labels };
      yield { metricName: `${name}_count`, value: count, labels };
    }
  }
}

const MAX_CHILDREN = 4_000;

type Info = RequestContext['info'];

function scopeOf({ isResource, name, namespace, verb }: Info): string {
  if (!isResource) return '';
  if (name !== '' || verb === 'create') return 'resource';
  return namespace === '' ? 'cluster' : 'namespace';
}

function labelsOf(info: Info, scope: string, dryRun: string): RequestLabels {
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
