// SPDX-License-Identifier: Apache-2.0
// The figures of one flow schema at one priority level, and of a level: counters that requests raise, read when they are scraped.
// @source upstream apiserver pkg/util/flowcontrol/metrics/metrics.go
import { Histogram } from '../metrics/histogram.ts';

const SECONDS = [0, 0.005, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30];
const QUEUE_LENGTHS = [0, 10, 25, 50, 100, 250, 500, 1000];
const SEATS = [1, 2, 4, 8, 16, 32, 64, 100];

export type RejectReason = 'concurrency-limit' | 'queue-full' | 'time-out' | 'cancelled';

export class FlowStats {
  readonly schema: string;
  readonly level: string;
  dispatched = 0;
  executing = 0;
  executingSeats = 0;
  waiting = 0;
  waitingSeats = 0;
  readonly rejected = new Map<RejectReason, number>();
  /** By whether the request was executed in the end. */
  readonly waited = { true: new Histogram(SECONDS), false: new Histogram(SECONDS) };
  readonly executed = { regular: new Histogram(SECONDS), watch: new Histogram(SECONDS) };
  readonly queueLengths = new Histogram(QUEUE_LENGTHS);
  readonly widths = new Histogram(SEATS);

  constructor(schema: string, level: string) {
    this.schema = schema;
    this.level = level;
  }

  reject(reason: RejectReason): void {
    this.rejected.set(reason, (this.rejected.get(reason) ?? 0) + 1);
  }
}
