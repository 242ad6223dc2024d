// SPDX-License-Identifier: Apache-2.0
// What the server knows of itself when it is scraped: requests under way, open watches, stored objects, the process.
// @source upstream apiserver pkg/endpoints/metrics, pkg/storage/etcd3/metrics; prom-client's names for Node
import { readdirSync } from 'node:fs';
import type { Metrics } from '#component';
import type { InFlight } from '../filters/max-in-flight.ts';
import { type ComputedMetric, registerComputed, type Sample } from './computed-metric.ts';

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
  readonly inFlight: InFlight;
  readonly version: { readonly major: string; readonly minor: string; readonly gitVersion: string; readonly platform: string };
  /** As of now, one per stored resource. */
  readonly resources: () => Iterable<ResourceCount>;
}

export function registerServerMetrics({ metrics, inFlight, version, resources }: ServerFacts): void {
  const gauge = (name: string, help: string, samples: ComputedMetric['samples']) =>
    registerComputed(metrics, { name, help, type: 'gauge', samples });
  gauge('apiserver_current_inflight_requests', 'Requests being worked on, by kind.', () => [
    { value: inFlight.reading, labels: { request_kind: 'readOnly' } },
    { value: inFlight.mutating, labels: { request_kind: 'mutating' } },
  ]);
  gauge('apiserver_storage_objects', 'Stored objects, by resource.', () =>
    [...resources()].map(({ group, resource, objects }) => ({
      value: objects,
      labels: { resource: group === '' ? resource : `${resource}.${group}` },
    })),
  );
  gauge('apiserver_resource_objects', 'Stored objects, by group and resource.', () =>
    [...resources()].map(({ group, resource, objects }) => ({ value: objects, labels: { group, resource } })),
  );
  gauge('apiserver_longrunning_requests', 'Open watches, by resource.', () => [...resources()].flatMap(openWatches));
  gauge('kubernetes_build_info', 'The version whose behaviour this is.', () => [
    { value: 1, labels: { major: version.major, minor: version.minor, git_version: version.gitVersion, platform: version.platform } },
  ]);
  registerProcessMetrics(metrics);
}

function openWatches({ group, version, resource, namespaced, watchers }: ResourceCount): Sample[] {
  if (watchers === 0) return [];
  const labels = {
    component: 'apiserver',
    group,
    resource,
    scope: namespaced ? 'namespace' : 'cluster',
    subresource: '',
    verb: 'WATCH',
    version,
  };
  return [{ value: watchers, labels }];
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
