// SPDX-License-Identifier: Apache-2.0
// Metrics whose values are looked up when they are scraped, and cost nothing before. Registered beside prom-client's own kinds,
// whose per-sample label hashing is too dear for the path of every request.
import type { Metrics } from '#component';

export interface Sample {
  readonly value: number;
  readonly labels: Readonly<Record<string, string | number>>;
  /** `_bucket`, `_sum` and `_count` of histograms. */
  readonly metricName?: string;
}

export interface ComputedMetric {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  samples(): Iterable<Sample> | Promise<Iterable<Sample>>;
}

/** Adds a metric to what `/metrics` shows. */
export function registerComputed({ registry }: Metrics, { name, help, type, samples }: ComputedMetric): void {
  const metric = { name, get: async () => ({ name, help, type, aggregator: 'sum', values: [...(await samples())] }), reset() {} };
  registry.registerMetric(metric as never);
}
