// SPDX-License-Identifier: Apache-2.0
// A store that counts and times what is asked of it, under the names that dashboards know from etcd.
// @source upstream apiserver pkg/storage/etcd3/metrics/metrics.go
import type { Metrics } from '#component';
import { type Store, StoreUnavailableError } from '#store';
import { type GroupResource, resourcePrefix, storedResource } from '../registry/generic/stored-resource.ts';
import { registerComputed } from './computed-metric.ts';
import type { Histogram } from './histogram.ts';
import { type Count, LabeledCounter, LabeledHistogram } from './labeled.ts';
import { DURATION_BUCKETS } from './request-metrics.ts';

const ROOT_LENGTH = '/registry/'.length;

type Operation = 'get' | 'list' | 'create' | 'update' | 'delete';

/** What is known of one operation on one resource. */
interface Asked {
  readonly requests: Count;
  readonly durations: Histogram;
  readonly failed: () => void;
}

/** @param outcome Told why the store cannot be used, and `undefined` once it can be again. */
export function measuredStore(store: Store, metrics: Metrics, outcome: (problem: string | undefined) => void = () => {}): Store {
  const asked = askedOf(metrics);
  registerComputed(metrics, {
    name: 'apiserver_storage_size_bytes',
    help: 'Size of the store, in bytes.',
    type: 'gauge',
    samples: async () => [{ value: await store.size(), labels: { storage_cluster_id: 'etcd-0' } }],
  });
  const measured = <T>({ requests, durations, failed }: Asked, answer: Promise<T>): Promise<T> => {
    const startedAt = performance.now();
    requests.value += 1;
    return answer.then(
      (result) => {
        outcome(undefined);
        durations.observe((performance.now() - startedAt) / 1000);
        return result;
      },
      (error: unknown) => {
        if (error instanceof StoreUnavailableError) outcome(error.message);
        failed();
        throw error;
      },
    );
  };
  return {
    get revision() {
      return store.revision;
    },
    find: (key, at) => measured(asked('get', key), store.find(key, at)),
    range: (prefix, options) => measured(asked('list', prefix), store.range(prefix, options)),
    put: (key, value, expected, options) =>
      measured(asked(expected === 0 ? 'create' : 'update', key), store.put(key, value, expected, options)),
    delete: (key, expected) => measured(asked('delete', key), store.delete(key, expected)),
    watch: (prefix, after, signal) => store.watch(prefix, after, signal),
    compact: (revision) => store.compact(revision),
    size: () => store.size(),
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  };
}

/** Finds what is known of an operation by the beginning of its key: a write makes no string for it but that. */
function askedOf(metrics: Metrics): (operation: Operation, key: string) => Asked {
  const requests = new LabeledCounter(metrics, 'etcd_requests_total', 'Requests to the store, by operation and resource.');
  const durations = new LabeledHistogram(
    metrics,
    'etcd_request_duration_seconds',
    'How long the store took, in seconds.',
    DURATION_BUCKETS,
  );
  const errors = new LabeledCounter(metrics, 'etcd_request_errors_total', 'Requests that the store failed.');
  const known: Record<Operation, Map<string, Asked>> = {
    get: new Map(),
    list: new Map(),
    create: new Map(),
    update: new Map(),
    delete: new Map(),
  };
  return (operation, key) => {
    const prefix = prefixOf(key);
    const found = known[operation].get(prefix);
    if (found !== undefined) return found;
    const name = `${operation} ${prefix}`;
    const labels = () => ({ operation, ...resourceOf(key) });
    const made = {
      requests: requests.child(name, labels),
      durations: durations.child(name, labels),
      failed: () => errors.add(name, labels),
    };
    known[operation].set(prefix, made);
    return made;
  };
}

const resourceOf = (key: string): GroupResource => storedResource(resourcePrefix(`${key}/`));

/** Two parts, which tell `services/specs` and custom resources apart; for others the second is a namespace or a name. */
function prefixOf(key: string): string {
  const slash = key.indexOf('/', ROOT_LENGTH);
  if (slash < 0) return key.slice(ROOT_LENGTH);
  const first = key.slice(ROOT_LENGTH, slash);
  if (first !== 'services' && !first.includes('.')) return first;
  const second = key.indexOf('/', slash + 1);
  return key.slice(ROOT_LENGTH, second < 0 ? undefined : second);
}
