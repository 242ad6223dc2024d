// SPDX-License-Identifier: Apache-2.0
// `apiserver_flowcontrol_*`, read from the levels and flows when they are scraped. Left out are upstream's alpha histograms that
// observe a ratio at every instant.
// @source upstream apiserver pkg/util/flowcontrol/metrics/metrics.go
import type { Metrics } from '#component';
import { registerComputed, type Sample } from '../metrics/computed-metric.ts';
import type { PriorityAndFairness } from './fairness.ts';
import type { FlowStats } from './flow-stats.ts';
import type { PriorityLevel } from './priority-level.ts';

const PREFIX = 'apiserver_flowcontrol_';

export function registerFlowMetrics(metrics: Metrics, fairness: PriorityAndFairness): void {
  registerFlows(metrics, fairness);
  registerLevels(metrics, fairness);
  registerComputed(metrics, {
    name: `${PREFIX}seat_fair_frac`,
    help: 'Part of its target that each level was given at the last division of seats.',
    type: 'gauge',
    samples: () => [{ value: fairness.fairFraction, labels: {} }],
  });
}

function labelsOf({ schema, level }: FlowStats): Record<string, string> {
  return { flow_schema: schema, priority_level: level };
}

function registerFlows(metrics: Metrics, fairness: PriorityAndFairness): void {
  const add = (
    type: 'counter' | 'gauge' | 'histogram',
    suffix: string,
    help: string,
    samples: (flow: FlowStats, name: string) => Iterable<Sample>,
  ) => {
    const name = `${PREFIX}${suffix}`;
    registerComputed(metrics, { name, help, type, samples: () => [...fairness.flows].flatMap((flow) => [...samples(flow, name)]) });
  };
  const value = (type: 'counter' | 'gauge', suffix: string, help: string, read: (flow: FlowStats) => number) =>
    add(type, suffix, help, (flow) => [{ value: read(flow), labels: labelsOf(flow) }]);
  value('gauge', 'current_executing_requests', 'Requests that execute, of those with a bound.', ({ executing }) => executing);
  value('gauge', 'current_executing_seats', 'Seats that they hold.', ({ executingSeats }) => executingSeats);
  value('gauge', 'current_inqueue_requests', 'Requests that wait in queues.', ({ waiting }) => waiting);
  value('gauge', 'current_inqueue_seats', 'Seats that they wait for.', ({ waitingSeats }) => waitingSeats);
  value('counter', 'dispatched_requests_total', 'Requests that were let through.', ({ dispatched }) => dispatched);
  add('counter', 'rejected_requests_total', 'Requests that were turned away, by reason.', (flow) =>
    [...flow.rejected].map(([reason, count]) => ({ value: count, labels: { ...labelsOf(flow), reason } })),
  );
  add('histogram', 'request_wait_duration_seconds', 'How long requests waited, in seconds.', function* (flow, name) {
    for (const execute of ['true', 'false'] as const) {
      const waited = flow.waited[execute];
      if (waited.count > 0) yield* waited.samples(name, { ...labelsOf(flow), execute });
    }
  });
  add('histogram', 'request_execution_seconds', 'How long requests executed, in seconds.', function* (flow, name) {
    for (const type of ['regular', 'watch'] as const) {
      const executed = flow.executed[type];
      if (executed.count > 0) yield* executed.samples(name, { ...labelsOf(flow), type });
    }
  });
  add('histogram', 'request_queue_length_after_enqueue', 'Length of a queue after one more has joined.', (flow, name) =>
    flow.queueLengths.count === 0 ? [] : flow.queueLengths.samples(name, labelsOf(flow)),
  );
  add('histogram', 'work_estimated_seats', 'Seats that requests were judged to need.', (flow, name) =>
    flow.widths.count === 0 ? [] : flow.widths.samples(name, labelsOf(flow)),
  );
}

function registerLevels(metrics: Metrics, fairness: PriorityAndFairness): void {
  const gauge = (suffix: string, help: string, read: (level: PriorityLevel) => number) =>
    registerComputed(metrics, {
      name: `${PREFIX}${suffix}`,
      help,
      type: 'gauge',
      samples: () => [...fairness.levels].map((level) => ({ value: read(level), labels: { priority_level: level.spec.name } })),
    });
  gauge('nominal_limit_seats', 'Seats of a level by its shares.', ({ limits }) => limits.nominal);
  gauge('lower_limit_seats', 'Seats of a level that has lent all it may.', ({ limits }) => limits.lower);
  gauge('upper_limit_seats', 'Seats of a level that has borrowed all it may.', ({ limits }) => limits.upper);
  gauge('current_limit_seats', 'Seats of a level now.', ({ limit }) => limit);
  gauge('demand_seats_average', 'Seats wanted on average in the last period.', ({ demand }) => demand.figures.average);
  gauge('demand_seats_stdev', 'Standard deviation of the seats wanted in the last period.', ({ demand }) => demand.figures.deviation);
  gauge('demand_seats_high_watermark', 'Most seats wanted at once in the last period.', ({ demand }) => demand.figures.highest);
  gauge('demand_seats_smoothed', 'Smoothed demand, which decides on lending.', ({ demand }) => demand.smoothed);
  gauge('target_seats', 'Seats a level should have if there were enough.', ({ demand, limits }) =>
    Math.max(demand.smoothed, limits.lower, Math.min(limits.nominal, demand.figures.highest)),
  );
  gauge('current_r', 'Virtual time of a level, in seat-seconds per queue.', ({ currentR }) => currentR);
}
