// SPDX-License-Identifier: Apache-2.0
// A store that counts and times what is asked of it, under the names that dashboards know from etcd.
// @source upstream apiserver pkg/storage/etcd3/metrics/metrics.go
import type { Metrics } from '#component';
import { type Store, StoreUnavailableError } from '#store';
import { type GroupResource, resourcePrefix, storedResource } from '../registry/generic/stored-resource.ts';
import { registerComputed } from './computed-metric.ts';
import { LabeledCounter, LabeledHistogram } from './labeled.ts';
import { DURATION_BUCKETS } from './request-metrics.ts';

const ROOT_LENGTH = '/registry/'.length;

/** @param outcome Told why the store cannot be used, and `undefined` once it can be again. */
export function measuredStore(store: Store, metrics: Metrics, outcome: (problem: string | undefined) => void = () => {}): Store {
  const requests = new LabeledCounter(metrics, 'etcd_requests_total', 'Requests to the store, by operation and resource.');
  const durations = new LabeledHistogram(
    metrics,
    'etcd_request_duration_seconds',
    'How long the store took, in seconds.',
    DURATION_BUCKETS,
  );
  const errors = new LabeledCounter(metrics, 'etcd_request_errors_total', 'Requests that the store failed.');
  registerComputed(metrics, {
    name: 'apiserver_storage_size_bytes',
    help: 'Size of the store, in bytes.',
    type: 'gauge',
    samples: async () => [{ value: await store.size(), labels: { storage_cluster_id: 'etcd-0' } }],
  });
  const measure = <T>(operation: string, key: string, run: () => Promise<T>): Promise<T> => {
    const name = `${operation} ${prefixOf(key)}`;
    const labels = () => ({ operation, ...resourceOf(key) });
    const startedAt = performance.now();
    requests.add(name, labels);
    return run().then(
      (result) => {
        outcome(undefined);
        durations.observe(name, labels, (performance.now() - startedAt) / 1000);
        return result;
      },
      (error: unknown) => {
        if (error instanceof StoreUnavailableError) outcome(error.message);
        errors.add(name, labels);
        throw error;
      },
    );
  };
  return {
    get revision() {
      return store.revision;
    },
    find: (key, at) => measure('get', key, () => store.find(key, at)),
    range: (prefix, options) => measure('list', prefix, () => store.range(prefix, options)),
    put: (key, value, expected, options) =>
      measure(expected === 0 ? 'create' : 'update', key, () => store.put(key, value, expected, options)),
    delete: (key, expected) => measure('delete', key, () => store.delete(key, expected)),
    watch: (prefix, after, signal) => store.watch(prefix, after, signal),
    compact: (revision) => store.compact(revision),
    size: () => store.size(),
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
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
