// SPDX-License-Identifier: Apache-2.0
// Counters and histograms by labels, for what is counted less often than every request: the child is found by a string the caller
// has at hand. Beyond a bound new children are not kept, since labels may come from clients.
import type { Metrics } from '#component';
import { registerComputed } from './computed-metric.ts';
import { Histogram } from './histogram.ts';

type Labels = Readonly<Record<string, string>>;

const MAX_CHILDREN = 4_000;

export class LabeledCounter {
  readonly #children = new Map<string, { readonly labels: Labels; value: number }>();

  constructor(metrics: Metrics, name: string, help: string) {
    registerComputed(metrics, { name, help, type: 'counter', samples: () => this.#children.values() });
  }

  /** @param labels Made only for a key that is new. */
  add(key: string, labels: () => Labels, value = 1): void {
    let child = this.#children.get(key);
    if (child === undefined) {
      if (this.#children.size >= MAX_CHILDREN) return;
      child = { labels: labels(), value: 0 };
      this.#children.set(key, child);
    }
    child.value += value;
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
    let child = this.#children.get(key);
    if (child === undefined) {
      if (this.#children.size >= MAX_CHILDREN) return;
      child = { labels: labels(), histogram: new Histogram(this.#bounds) };
      this.#children.set(key, child);
    }
    child.histogram.observe(value);
  }
}
