// SPDX-License-Identifier: Apache-2.0
// Counters and histograms by labels, for what is counted less often than every request: the child is found by a string the caller
// has at hand. Beyond a bound new children are not kept, since labels may come from clients.
import type { Metrics } from '#component';
import { registerComputed } from './computed-metric.ts';
import { Histogram } from './histogram.ts';

type Labels = Readonly<Record<string, string>>;

const MAX_CHILDREN = 4_000;

/** One count of a `LabeledCounter`. */
export interface Count {
  readonly labels: Labels;
  value: number;
}

export class LabeledCounter {
  readonly #children = new Map<string, Count>();

  constructor(metrics: Metrics, name: string, help: string) {
    registerComputed(metrics, { name, help, type: 'counter', samples: () => this.#children.values() });
  }

  /** @param labels Made only for a key that is new. */
  add(key: string, labels: () => Labels, value = 1): void {
    this.child(key, labels).value += value;
  }

  /** The count of a key, for a caller that counts often; beyond the bound one that nobody sees. */
  child(key: string, labels: () => Labels): Count {
    const found = this.#children.get(key);
    if (found !== undefined) return found;
    const child = { labels: labels(), value: 0 };
    if (this.#children.size < MAX_CHILDREN) this.#children.set(key, child);
    return child;
  }
}

export class LabeledHistogram {
  readonly #bounds: readonly number[];
  readonly #children = new Map<string, { readonly labels: Labels; readonly histogram: Histogram }>();

  constructor(metrics: Metrics, name: string, help: string, bounds: readonly number[]) {
    this.#bounds = bounds;
    const children = this.#children;
    registerComputed(metrics, {
      name,
      help,
      type: 'histogram',
      *samples() {
        for (const { labels, histogram } of children.values()) yield* histogram.samples(name, labels);
      },
    });
  }

  /** @param labels Made only for a key that is new. */
  observe(key: string, labels: () => Labels, value: number): void {
    this.child(key, labels).observe(value);
  }

  /** The histogram of a key, for a caller that observes often; beyond the bound one that nobody sees. */
  child(key: string, labels: () => Labels): Histogram {
    const found = this.#children.get(key);
    if (found !== undefined) return found.histogram;
    const histogram = new Histogram(this.#bounds);
    if (this.#children.size < MAX_CHILDREN) this.#children.set(key, { labels: labels(), histogram });
    return histogram;
  }
}
