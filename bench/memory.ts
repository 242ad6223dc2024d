// SPDX-License-Identifier: Apache-2.0
// What an idle cluster costs: resident memory of each process of a one-node cluster and the CPU they use in 60 s; and the API
// server's memory per object with 100,000 ConfigMaps in it.
import { setTimeout as after } from 'node:timers/promises';
import { connectTo, must, startApiServer, times } from './api-server.ts';
import { startCluster } from './cluster.ts';
import type { Figure, Measurement } from './figures.ts';
import { processesWith, temporaryFolder, usageOf } from './process.ts';

const SETTLE_MS = 20_000;
const IDLE_MS = 60_000;
const OBJECTS = 100_000;
const MEGABYTE = 1_000_000;

export const memory: Measurement = {
  name: 'memory',
  needs: 'root, no other cluster on this machine, two minutes',
  async run() {
    const figures = await apiServerFull();
    try {
      figures.push(...(await idleCluster()));
    } catch (error) {
      process.stderr.write(`memory: no cluster: ${error instanceof Error ? error.message : String(error)}\n`);
    }
    return figures;
  },
};

const megabytes = (bytes: number) => `${(bytes / MEGABYTE).toFixed(0)} MB`;

async function apiServerFull(): Promise<Figure[]> {
  using folder = temporaryFolder();
  await using server = await startApiServer(folder.path);
  using session = connectTo(server);
  const empty = usageOf(server.pid)?.residentBytes ?? 0;
  await times(OBJECTS, (index) =>
    must(session, 'POST', '/api/v1/namespaces/default/configmaps', {
      metadata: { name: `map-${index}` },
      data: { value: 'x'.repeat(300) },
    }),
  );
  const full = usageOf(server.pid)?.residentBytes ?? 0;
  return [
    { name: 'API server alone, resident after start', value: megabytes(empty), measured: empty },
    {
      name: 'with 100,000 ConfigMaps of 0.7 KB',
      value: `${megabytes(full)}, ${((full - empty) / OBJECTS / 1000).toFixed(1)} KB each`,
      measured: full,
    },
  ];
}

async function idleCluster(): Promise<Figure[]> {
  using folder = temporaryFolder();
  await using _cluster = await startCluster(folder.path);
  await after(SETTLE_MS);
  const before = processesWith(folder.path);
  await after(IDLE_MS);
  const now = before.flatMap(({ pid }) => usageOf(pid) ?? []);
  const resident = now.reduce((sum, { residentBytes }) => sum + residentBytes, 0);
  const cpu = now.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0) - before.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0);
  const percent = (cpu / (IDLE_MS / 1000)) * 100;
  const each = now.map(({ command, residentBytes }) => ({
    name: `  ${nameOf(command)}`,
    value: megabytes(residentBytes),
    measured: residentBytes,
  }));
  return [
    {
      name: 'one-node cluster idle, resident',
      value: megabytes(resident),
      measured: resident / MEGABYTE,
      budget: { limit: 160, kind: 'at most', unit: ' MB' },
    },
    ...each,
    {
      name: 'one-node cluster idle, CPU of one core',
      value: `${percent.toFixed(2)} %`,
      measured: percent,
      budget: { limit: 1, kind: 'at most', unit: ' %' },
    },
  ];
}

/** The part of a command line that says which process it is. */
function nameOf(command: string): string {
  return /internal ([\w-]+)/.exec(command)?.[1] ?? command.split(' ')[0]?.split('/').at(-1) ?? command;
}
