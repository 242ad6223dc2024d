// SPDX-License-Identifier: Apache-2.0
// Looks before anything is started: root, programs, plugins, the port, the disk. All problems are told at once, each with its remedy.
import { accessSync, constants, existsSync, readFileSync, statfsSync } from 'node:fs';
import { createServer } from 'node:net';
import { delimiter, dirname, join } from 'node:path';
import type { ClusterSettings } from './layout.ts';
import { findOtherCluster } from './node-network.ts';
import { UserError } from './user-error.ts';

interface Need {
  readonly program: string;
  readonly package: string;
}

const NEEDS: readonly Need[] = [
  { program: 'conmon', package: 'conmon' },
  { program: 'nft', package: 'nftables' },
  { program: 'iptables', package: 'iptables' },
  { program: 'ip', package: 'iproute2' },
  { program: 'nsenter', package: 'util-linux' },
];
const PLUGINS = ['bridge', 'host-local', 'portmap', 'loopback'];
const PLUGIN_FOLDERS = ['/opt/cni/bin', '/usr/lib/cni'];
const KUBELET_PORT = 10250;
const MIN_FREE_BYTES = 512 * 1024 * 1024;
const MIN_INOTIFY_INSTANCES = 64;

/** @param agentRuns The first node's agent, which holds its kubelet's port, runs on. @throws {UserError} Listing everything that is missing. */
export async function preflight(settings: ClusterSettings, dataDir: string, agentRuns: boolean): Promise<void> {
  const problems: string[] = [];
  if (settings.runtime === 'embedded') problems.push(...containerProblems(dataDir));
  if (!(await isFree(settings.port)))
    problems.push(`port ${settings.port} is taken by another program: stop that, or give "--port" a free one`);
  if (settings.runtime === 'embedded' && !agentRuns && !(await isFree(KUBELET_PORT)))
    problems.push(`port ${KUBELET_PORT}, the kubelet's, is taken by another program: stop that, or take "--runtime simulated"`);
  const free = freeBytes(dataDir);
  if (free < MIN_FREE_BYTES)
    problems.push(`only ${Math.round(free / 1024 / 1024)} MiB are free in ${dataDir}: make room, or give "--data-dir" another disk`);
  if (problems.length > 0) throw new UserError(`cannot start:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`);
}

function containerProblems(dataDir: string): string[] {
  if (process.getuid?.() !== 0) return ['containers need root: run with sudo, or take "--runtime simulated", which runs none'];
  const problems = NEEDS.filter(({ program }) => findProgram(program) === undefined).map((need) => missing(need.program, need.package));
  if (findProgram('runc') === undefined && findProgram('crun') === undefined) problems.push(missing('runc or crun', 'runc'));
  for (const plugin of PLUGINS) {
    if (!PLUGIN_FOLDERS.some((folder) => existsSync(join(folder, plugin))))
      problems.push(missing(`the CNI plugin "${plugin}"`, 'containernetworking-plugins'));
  }
  const other = findOtherCluster(dataDir);
  if (other !== undefined)
    problems.push(
      `another cluster runs on this machine: ${other}: end it with "sagong down --data-dir ${other}", or take "--runtime simulated"`,
    );
  const instances = Number(readFileSync('/proc/sys/fs/inotify/max_user_instances', 'utf8'));
  if (instances < MIN_INOTIFY_INSTANCES)
    problems.push(`only ${instances} inotify instances are allowed: run "sysctl fs.inotify.max_user_instances=512"`);
  return problems;
}

const missing = (what: string, name: string) => `${what} is missing: run "apt-get install ${name}"`;

/** Where a program is, also outside the PATH of a plain user. */
export function findProgram(name: string): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  return folders
    .map((folder) => join(folder, name))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

function freeBytes(folder: string): number {
  let existing = folder;
  while (!existsSync(existing)) existing = dirname(existing);
  const { bavail, bsize } = statfsSync(existing);
  return bavail * bsize;
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '0.0.0.0', () => server.close(() => resolve(true)));
  });
}
