// SPDX-License-Identifier: Apache-2.0
// Metrics of the aggregation layer, under upstream's names. @source kube-aggregator pkg/controllers/status/metrics
import type { Metrics } from '#component';
import type { Availability } from './availability.ts';

export class AggregationMetrics {
  readonly #unavailable;
  readonly #total;
  readonly #known = new Map<string, boolean>();

  constructor(metrics: Metrics) {
    this.#unavailable = metrics.gauge(
      'aggregator_unavailable_apiservice',
      'Gauge of APIServices which are marked as unavailable broken down by APIService name.',
      ['name'],
    );
    this.#total = metrics.counter(
      'aggregator_unavailable_apiservice_total',
      'Counter of APIServices which are marked as unavailable broken down by APIService name and reason.',
      ['name', 'reason'],
    );
  }

  /** Counts each time that an APIService turns unavailable. */
  checked(name: string, { status, reason = '' }: Availability): void {
    const isUnavailable = status !== 'True';
    this.#unavailable.set({ name }, isUnavailable ? 1 : 0);
    if (isUnavailable && this.#known.get(name) !== true) this.#total.inc({ name, reason });
    this.#known.set(name, isUnavailable);
  }

  forget(name: string): void {
    this.#known.delete(name);
    this.#unavailable.remove({ name });
  }
}
