// SPDX-License-Identifier: Apache-2.0
// Counts by bucket: an observation is a short search and three additions, and makes nothing.
import type { Sample } from './computed-metric.ts';

export class Histogram {
  readonly #bounds: readonly number[];
  /** One more than the bounds: the last takes what is above them. */
  readonly #buckets: Float64Array;
  #sum = 0;
  #count = 0;

  /** @param bounds Upper bounds, ascending, without infinity. */
  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#buckets = new Float64Array(bounds.length + 1);
  }

  get count(): number {
    return this.#count;
  }

  observe(value: number): void {
    this.#sum += value;
    this.#count += 1;
    const bounds = this.#bounds;
    let bucket = 0;
    while (bucket < bounds.length && value > (bounds[bucket] as number)) bucket += 1;
    this.#buckets[bucket] = (this.#buckets[bucket] as number) + 1;
  }

  /** Takes over what another one with the same bounds has counted. */
  add(other: Histogram): void {
    for (const [index, count] of other.#buckets.entries()) this.#buckets[index] = (this.#buckets[index] as number) + count;
    this.#sum += other.#sum;
    this.#count += other.#count;
  }

  /** @param skipped How many of the lowest bounds are not shown: their counts are in the next one anyway. */
  *samples(name: string, labels: Readonly<Record<string, string | number>>, skipped = 0): Generator<Sample> {
    let below = 0;
    for (const [index, le] of this.#bounds.entries()) {
      below += this.#buckets[index] ?? 0;
      if (index >= skipped) yield { metricName: `${name}_bucket`, value: below, labels: { ...labels, le } };
    }
    yield { metricName: `${name}_bucket`, value: this.#count, labels: { ...labels, le: '+Inf' } };
    yield { metricName: `${name}_sum`, value: this.#sum, labels };
    yield { metricName: `${name}_count`, value: this.#count, labels };
  }
}
