// SPDX-License-Identifier: Apache-2.0
// What an idle cluster costs: resident memory of each process of a one-node cluster and the CPU they use in 60 s; and the API
// server's memory per object with 100,000 ConfigMaps in it.
import type { ClientHttp2Session } from 'node:http2';
import { setTimeout as after } from 'node:timers/promises';
import { connectTo, must, startApiServer, TOKEN, times } from './api-server.ts';
import { startCluster } from './cluster.ts';
import type { Figure, Measurement } from './figures.ts';
import { processesWith, temporaryFolder, usageOf } from './process.ts';

const SETTLE_MS = 20_000;
const IDLE_MS = 60_000;
const OBJECTS = 100_000;
/** With its metadata a ConfigMap of 1 KB. */
const VALUE_CHARACTERS = 650;
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
      data: { value: 'x'.repeat(VALUE_CHARACTERS) },
    }),
  );
  const full = usageOf(server.pid)?.residentBytes ?? 0;
  const listed = await peakWhile(server.pid, () => drained(session, '/api/v1/configmaps'));
  const watched = await peakWhile(server.pid, () =>
    drained(
      session,
      '/api/v1/configmaps?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true',
      BOOKMARK,
    ),
  );
  return [
    { name: 'API server alone, resident after start', value: megabytes(empty), measured: empty },
    {
      name: 'with 100,000 ConfigMaps of 1 KB',
      value: `${megabytes(full)}, ${((full - empty) / OBJECTS / 1000).toFixed(1)} KB each`,
      measured: full,
    },
    { name: 'while all of them are listed at once, at most', value: megabytes(listed), measured: listed },
    { name: 'while a watch begins with all of them, at most', value: megabytes(watched), measured: watched },
  ];
}

const BOOKMARK = Buffer.from('k8s.io/initial-events-end');

/** Reads an answer without keeping it, to its end or to the chunk that holds `last`. */
function drained(session: ClientHttp2Session, path: string, last?: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    const stream = session.request({ ':path': path, authorization: `Bearer ${TOKEN}` });
    stream.on('data', (chunk: Buffer) => {
      if (last !== undefined && chunk.includes(last)) stream.close();
    });
    stream.on('close', () => resolve());
    stream.on('error', reject);
  });
}

/** The most a process had resident while something went on, looked at every 20 ms. */
async function peakWhile(pid: number, work: () => Promise<void>): Promise<number> {
  let peak = 0;
  const look = () => {
    peak = Math.max(peak, usageOf(pid)?.residentBytes ?? 0);
  };
  const timer = setInterval(look, 20);
  try {
    await work();
  } finally {
    clearInterval(timer);
  }
  look();
  return peak;
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
