// SPDX-License-Identifier: Apache-2.0
// Figures of the node, its Pods and containers: the summary API that metrics-server reads less and less, and the subset of
// cAdvisor's metrics and of /metrics/resource that dashboards and metrics-server do read.
// @source upstream kubelet/pkg/apis/stats/v1alpha1, pkg/kubelet/metrics/collectors/resource_metrics.go
import { formatTime } from '#component';
import type { Container, ContainerStats, Runtime } from '#runtime';
import { containerNameOf, POD_NAME, POD_NAMESPACE, uidOf } from '../container/labels.ts';
import type { Machine, MachineUsage } from '../node/machine.ts';

export interface StatsInput {
  readonly nodeName: string;
  readonly runtime: Runtime;
  readonly machine: Machine | undefined;
  readonly usage: MachineUsage;
  readonly now: number;
}

interface Sample {
  readonly container: Container;
  readonly stats: ContainerStats;
}

async function samples(runtime: Runtime): Promise<Sample[]> {
  const byId = new Map(runtime.listContainers().map((container) => [container.id, container]));
  return (await runtime.stats()).flatMap((stats) => {
    const container = byId.get(stats.containerId);
    return container?.state === 'running' ? [{ container, stats }] : [];
  });
}

const sum = (list: readonly Sample[], read: (stats: ContainerStats) => number) => list.reduce((total, { stats }) => total + read(stats), 0);

export async function statsSummary({ nodeName, runtime, machine, usage, now }: StatsInput): Promise<object> {
  const all = await samples(runtime);
  const time = formatTime(now);
  const images = await runtime.images.usage();
  const memoryTotal = machine?.memoryBytes ?? 0;
  const fs = {
    time,
    availableBytes: usage.diskAvailableBytes,
    capacityBytes: usage.diskCapacityBytes,
    usedBytes: usage.diskCapacityBytes - usage.diskAvailableBytes,
    inodesFree: usage.inodesFree,
    inodes: usage.inodes,
    inodesUsed: usage.inodes - usage.inodesFree,
  };
  return {
    node: {
      nodeName,
      cpu: { time, usageCoreNanoSeconds: sum(all, (one) => one.cpuUsageNanos) },
      memory: {
        time,
        availableBytes: usage.memoryAvailableBytes,
        usageBytes: memoryTotal - usage.memoryAvailableBytes,
        workingSetBytes: memoryTotal - usage.memoryAvailableBytes,
      },
      fs,
      runtime: {
        imageFs: {
          time,
          availableBytes: images.capacityBytes - images.usedBytes,
          capacityBytes: images.capacityBytes,
          usedBytes: images.usedBytes,
        },
      },
      rlimit: { time, maxpid: usage.maxPids, curproc: usage.pids },
    },
    pods: [...Map.groupBy(all, ({ container }) => uidOf(container)).values()].map((group) => podStats(group, time)),
  };
}

function podStats(group: readonly Sample[], time: string): object {
  const labels = group[0]?.container.labels ?? {};
  const started = Math.min(...group.map(({ container }) => container.startedAt ?? container.createdAt));
  return {
    podRef: { name: labels[POD_NAME], namespace: labels[POD_NAMESPACE], uid: group[0] === undefined ? '' : uidOf(group[0].container) },
    startTime: formatTime(started),
    containers: group.map(({ container, stats }) => ({
      name: containerNameOf(container),
      startTime: formatTime(container.startedAt ?? container.createdAt),
      cpu: { time, usageCoreNanoSeconds: stats.cpuUsageNanos },
      memory: { time, usageBytes: stats.memoryUsageBytes, workingSetBytes: stats.memoryWorkingSetBytes },
      rootfs: { time, usedBytes: stats.writableLayerBytes },
    })),
    cpu: { time, usageCoreNanoSeconds: sum(group, (one) => one.cpuUsageNanos) },
    memory: {
      time,
      usageBytes: sum(group, (one) => one.memoryUsageBytes),
      workingSetBytes: sum(group, (one) => one.memoryWorkingSetBytes),
    },
    process_stats: { process_count: sum(group, (one) => one.pids) },
  };
}

interface Series {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge';
  readonly rows: readonly (readonly [Readonly<Record<string, string>>, number])[];
}

function exposition(list: readonly Series[]): string {
  const quoted = (text: string) => text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
  const labels = (of: Readonly<Record<string, string>>) => {
    const parts = Object.entries(of).map(([key, value]) => `${key}="${quoted(value)}"`);
    return parts.length === 0 ? '' : `{${parts.join(',')}}`;
  };
  return list
    .map(
      ({ name, help, type, rows }) =>
        `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${rows.map(([of, value]) => `${name}${labels(of)} ${value}\n`).join('')}`,
    )
    .join('');
}

const labelsOf = ({ container }: Sample) => ({
  container: containerNameOf(container),
  namespace: container.labels[POD_NAMESPACE] ?? '',
  pod: container.labels[POD_NAME] ?? '',
});

export async function cadvisorMetrics({ runtime, machine }: StatsInput): Promise<string> {
  const all = await samples(runtime);
  const rows = (read: (sample: Sample) => number) =>
    all.map(
      (sample) =>
        [{ ...labelsOf(sample), id: sample.container.id, image: sample.container.image, name: sample.container.id }, read(sample)] as const,
    );
  return exposition([
    {
      name: 'container_cpu_usage_seconds_total',
      help: 'Cumulative cpu time consumed in seconds.',
      type: 'counter',
      rows: rows((one) => one.stats.cpuUsageNanos / 1e9),
    },
    {
      name: 'container_memory_usage_bytes',
      help: 'Current memory usage in bytes.',
      type: 'gauge',
      rows: rows((one) => one.stats.memoryUsageBytes),
    },
    {
      name: 'container_memory_working_set_bytes',
      help: 'Current working set in bytes.',
      type: 'gauge',
      rows: rows((one) => one.stats.memoryWorkingSetBytes),
    },
    {
      name: 'container_fs_usage_bytes',
      help: 'Bytes of the writable layer.',
      type: 'gauge',
      rows: rows((one) => one.stats.writableLayerBytes),
    },
    { name: 'container_processes', help: 'Number of processes.', type: 'gauge', rows: rows((one) => one.stats.pids) },
    { name: 'machine_cpu_cores', help: 'Number of logical CPU cores.', type: 'gauge', rows: [[{}, machine?.cpus ?? 0]] },
    {
      name: 'machine_memory_bytes',
      help: 'Amount of memory installed on the machine.',
      type: 'gauge',
      rows: [[{}, machine?.memoryBytes ?? 0]],
    },
  ]);
}

/** What metrics-server reads. */
export async function resourceMetrics({ runtime, machine, usage }: StatsInput): Promise<string> {
  const all = await samples(runtime);
  const groups = [...Map.groupBy(all, ({ container }) => uidOf(container)).values()];
  const containers = (read: (sample: Sample) => number) => all.map((sample) => [labelsOf(sample), read(sample)] as const);
  const pods = (read: (stats: ContainerStats) => number) =>
    groups.map((group) => {
      const labels = group[0]?.container.labels ?? {};
      return [{ namespace: labels[POD_NAMESPACE] ?? '', pod: labels[POD_NAME] ?? '' }, sum(group, read)] as const;
    });
  const started = ({ container }: Sample) => (container.startedAt ?? container.createdAt) / 1000;
  const nodeMemory = (machine?.memoryBytes ?? 0) - usage.memoryAvailableBytes;
  return exposition([
    {
      name: 'container_cpu_usage_seconds_total',
      help: 'Cumulative cpu time consumed by the container in core-seconds',
      type: 'counter',
      rows: containers((one) => one.stats.cpuUsageNanos / 1e9),
    },
    {
      name: 'container_memory_working_set_bytes',
      help: 'Current working set of the container in bytes',
      type: 'gauge',
      rows: containers((one) => one.stats.memoryWorkingSetBytes),
    },
    {
      name: 'container_start_time_seconds',
      help: 'Start time of the container since unix epoch in seconds',
      type: 'gauge',
      rows: containers(started),
    },
    {
      name: 'node_cpu_usage_seconds_total',
      help: 'Cumulative cpu time consumed by the node in core-seconds',
      type: 'counter',
      rows: [[{}, sum(all, (one) => one.cpuUsageNanos) / 1e9]],
    },
    { name: 'node_memory_working_set_bytes', help: 'Current working set of the node in bytes', type: 'gauge', rows: [[{}, nodeMemory]] },
    {
      name: 'pod_cpu_usage_seconds_total',
      help: 'Cumulative cpu time consumed by the pod in core-seconds',
      type: 'counter',
      rows: pods((one) => one.cpuUsageNanos / 1e9),
    },
    {
      name: 'pod_memory_working_set_bytes',
      help: 'Current working set of the pod in bytes',
      type: 'gauge',
      rows: pods((one) => one.memoryWorkingSetBytes),
    },
    {
      name: 'resource_scrape_error',
      help: '1 if there was an error while getting container metrics, 0 otherwise',
      type: 'gauge',
      rows: [[{}, 0]],
    },
  ]);
}
