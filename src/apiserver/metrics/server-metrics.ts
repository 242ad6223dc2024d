// SPDX-License-Identifier: Apache-2.0
// What the server knows of itself when it is scraped: requests under way, open watches, stored objects, the process.
// @source upstream apiserver pkg/endpoints/metrics, pkg/storage/etcd3/metrics; prom-client's names for Node
import { readdirSync } from 'node:fs';
import type { Metrics } from '#component';
import type { Health } from '../debug/health.ts';
import type { InFlight } from '../filters/max-in-flight.ts';
import type { RequestsInFlight } from '../filters/requests-in-flight.ts';
import type { RequestContext } from '../request/context.ts';
import { type ComputedMetric, registerComputed, type Sample } from './computed-metric.ts';
import { labelsOf } from './request-metrics.ts';

export interface ResourceCount {
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly namespaced: boolean;
  readonly objects: number;
  readonly watchers: number;
}

export interface ServerFacts {
  readonly metrics: Metrics;
  readonly inFlight: RequestsInFlight;
  readonly waiting: InFlight;
  readonly longRunning: Iterable<RequestContext>;
  readonly health: Health;
  readonly handshakeErrors: () => number;
  readonly version: Readonly<
    Record<'major' | 'minor' | 'gitVersion' | 'gitCommit' | 'gitTreeState' | 'buildDate' | 'goVersion' | 'compiler' | 'platform', string>
  >;
  /** As of now, one per stored resource. */
  readonly resources: () => Iterable<ResourceCount>;
}

export function registerServerMetrics(facts: ServerFacts): void {
  const { metrics, inFlight, waiting, longRunning, health, handshakeErrors, version, resources } = facts;
  const gauge = (name: string, help: string, samples: ComputedMetric['samples']) =>
    registerComputed(metrics, { name, help, type: 'gauge', samples });
  gauge('apiserver_current_inflight_requests', 'Requests being worked on, by kind.', () => [
    { value: inFlight.reading, labels: { request_kind: 'readOnly' } },
    { value: inFlight.mutating, labels: { request_kind: 'mutating' } },
  ]);
  gauge('apiserver_current_inqueue_requests', 'Requests waiting for a seat, by kind.', () => [
    { value: waiting.reading, labels: { request_kind: 'readOnly' } },
    { value: waiting.mutating, labels: { request_kind: 'mutating' } },
  ]);
  const counter = (name: string, help: string, samples: ComputedMetric['samples']) =>
    registerComputed(metrics, { name, help, type: 'counter', samples });
  counter('apiserver_dropped_requests_total', 'Requests told to come back, by kind.', () => [
    { value: inFlight.dropped.reading, labels: { request_kind: 'readOnly' } },
    { value: inFlight.dropped.mutating, labels: { request_kind: 'mutating' } },
  ]);
  counter('apiserver_tls_handshake_errors_total', 'TLS handshakes that failed.', () => [{ value: handshakeErrors(), labels: {} }]);
  registerHealth(metrics, health);
  gauge('apiserver_storage_objects', 'Stored objects, by resource.', () =>
    [...resources()].map(({ group, resource, objects }) => ({
      value: objects,
      labels: { resource: group === '' ? resource : `${resource}.${group}` },
    })),
  );
  gauge('apiserver_resource_objects', 'Stored objects, by group and resource.', () =>
    [...resources()].map(({ group, resource, objects }) => ({ value: objects, labels: { group, resource } })),
  );
  gauge('apiserver_longrunning_requests', 'Long-running requests that are open.', () => openRequests(longRunning));
  gauge('kubernetes_build_info', 'The version whose behaviour this is.', () => [
    {
      value: 1,
      labels: {
        build_date: version.buildDate,
        compiler: version.compiler,
        git_commit: version.gitCommit,
        git_tree_state: version.gitTreeState,
        git_version: version.gitVersion,
        go_version: version.goVersion,
        major: version.major,
        minor: version.minor,
        platform: version.platform,
      },
    },
  ]);
  registerProcessMetrics(metrics);
}

function openRequests(longRunning: Iterable<RequestContext>): Sample[] {
  const found = new Map<string, { readonly labels: Record<string, string>; value: number }>();
  for (const { info } of longRunning) {
    const { dry_run: _none, ...labels } = labelsOf(info);
    const key = JSON.stringify(labels);
    const one = found.get(key) ?? { labels: labels as Record<string, string>, value: 0 };
    one.value += 1;
    found.set(key, one);
  }
  return [...found.values()];
}

function registerHealth(metrics: Metrics, health: Health): void {
  const add = (type: 'counter' | 'gauge', name: string, help: string, samples: ComputedMetric['samples']) =>
    registerComputed(metrics, { name, help, type, samples });
  add('gauge', 'kubernetes_healthcheck', 'Whether a health check was well when it was last looked at.', () =>
    [...health.outcomes].map(({ name, type, healthy }) => ({ value: healthy ? 1 : 0, labels: { name, type } })),
  );
  add('counter', 'kubernetes_healthchecks_total', 'How often health checks were looked at, by outcome.', () =>
    [...health.outcomes].flatMap(({ name, type, success, error }) => [
      ...(success > 0 ? [{ value: success, labels: { name, type, status: 'success' } }] : []),
      ...(error > 0 ? [{ value: error, labels: { name, type, status: 'error' } }] : []),
    ]),
  );
}

function registerProcessMetrics(metrics: Metrics): void {
  const add = (type: 'counter' | 'gauge', name: string, help: string, value: () => number) =>
    registerComputed(metrics, { name, help, type, samples: () => [{ value: value(), labels: {} }] });
  const startedAt = Math.round(performance.timeOrigin / 1000);
  add('counter', 'process_cpu_seconds_total', 'Processor time used, in seconds.', () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  });
  add('gauge', 'process_resident_memory_bytes', 'Memory held, in bytes.', () => process.memoryUsage.rss());
  add('gauge', 'process_start_time_seconds', 'When the process began, in seconds since 1970.', () => startedAt);
  add('gauge', 'process_open_fds', 'Open file descriptors.', openFiles);
  add('gauge', 'nodejs_heap_size_used_bytes', 'JavaScript heap in use, in bytes.', () => process.memoryUsage().heapUsed);
  add('gauge', 'nodejs_heap_size_total_bytes', 'JavaScript heap reserved, in bytes.', () => process.memoryUsage().heapTotal);
  add('gauge', 'nodejs_external_memory_bytes', 'Memory of buffers outside of the heap, in bytes.', () => process.memoryUsage().external);
  add('gauge', 'nodejs_active_handles_total', 'Open handles of the event loop.', () => process.getActiveResourcesInfo().length);
}

/** 0 where the system does not tell. */
function openFiles(): number {
  try {
    return readdirSync('/proc/self/fd').length;
  } catch {
    return 0;
  }
}
