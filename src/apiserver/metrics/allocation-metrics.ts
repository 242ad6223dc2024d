// SPDX-License-Identifier: Apache-2.0
// How many cluster addresses and node ports Services were given, and how many there are left.
// @source upstream registry/core/service/{ipallocator,portallocator}/metrics.go
import type { Metrics } from '#component';
import { registerComputed } from './computed-metric.ts';
import { LabeledCounter, LabeledHistogram } from './labeled.ts';

/** Asked for by name, or any that is free. */
export type AllocationScope = 'static' | 'dynamic';

export interface AllocationCount {
  readonly allocated: number;
  readonly available: number;
}

/** Counted when the metrics are read. */
export interface AllocationCounts {
  addresses(): readonly (AllocationCount & { readonly cidr: string })[];
  ports(): AllocationCount;
}

const ADDRESSES = 'kube_apiserver_clusterip_allocator';
const PORTS = 'kube_apiserver_nodeport_allocator';
const DURATION_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

export class AllocationMetrics {
  readonly #metrics: Metrics;
  readonly #addresses: LabeledCounter;
  readonly #addressErrors: LabeledCounter;
  readonly #durations: LabeledHistogram;
  readonly #ports: LabeledCounter;
  readonly #portErrors: LabeledCounter;

  constructor(metrics: Metrics) {
    this.#metrics = metrics;
    this.#addresses = new LabeledCounter(metrics, `${ADDRESSES}_allocation_total`, 'Cluster addresses given.');
    this.#addressErrors = new LabeledCounter(metrics, `${ADDRESSES}_allocation_errors_total`, 'Cluster addresses that could not be given.');
    const duration = `${ADDRESSES}_allocation_duration_seconds`;
    this.#durations = new LabeledHistogram(metrics, duration, 'How long it took to give a cluster address.', DURATION_BUCKETS);
    this.#ports = new LabeledCounter(metrics, `${PORTS}_allocation_total`, 'Node ports given.');
    this.#portErrors = new LabeledCounter(metrics, `${PORTS}_allocation_errors_total`, 'Node ports that could not be given.');
  }

  addressTaken(cidr: string, scope: AllocationScope, milliseconds: number): void {
    this.#addresses.add(`${cidr} ${scope}`, () => ({ cidr, scope }));
    this.#durations.observe(cidr, () => ({ cidr }), milliseconds / 1000);
  }

  addressFailed(cidr: string, scope: AllocationScope): void {
    this.#addressErrors.add(`${cidr} ${scope}`, () => ({ cidr, scope }));
  }

  portTaken(scope: AllocationScope): void {
    this.#ports.add(scope, () => ({ scope }));
  }

  portFailed(scope: AllocationScope): void {
    this.#portErrors.add(scope, () => ({ scope }));
  }

  /** Shows what is taken and left. */
  show(counts: AllocationCounts): void {
    const gauge = (name: string, help: string, samples: () => Iterable<{ value: number; labels: Record<string, string> }>) =>
      registerComputed(this.#metrics, { name, help, type: 'gauge', samples });
    const ofAddresses = (which: keyof AllocationCount) => () =>
      counts.addresses().map(({ cidr, [which]: value }) => ({ value, labels: { cidr } }));
    const ofPorts = (which: keyof AllocationCount) => () => [{ value: counts.ports()[which], labels: {} }];
    gauge(`${ADDRESSES}_allocated_ips`, 'Cluster addresses that are taken, by range.', ofAddresses('allocated'));
    gauge(`${ADDRESSES}_available_ips`, 'Cluster addresses that are left, by range.', ofAddresses('available'));
    gauge(`${PORTS}_allocated_ports`, 'Node ports that are taken.', ofPorts('allocated'));
    gauge(`${PORTS}_available_ports`, 'Node ports that are left.', ofPorts('available'));
  }
}
