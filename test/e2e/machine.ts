// SPDX-License-Identifier: Apache-2.0
// What a cluster could leave behind on a machine: links, routes, namespaces, nftables tables, mounts, cgroups, processes. A snapshot
// before and one after show what was left. Reads only.
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Lines that name each thing, sorted; two snapshots are compared as text. */
export function snapshotOf(dataDir: string): string[] {
  return [
    ...lines('ip', ['-o', 'link']).map((line) => `link ${line.split(': ')[1]?.split('@')[0]}`),
    ...lines('ip', ['-4', 'route']).map((line) => `route ${line.trim()}`),
    ...lines('ip', ['netns', 'list']).map((line) => `namespace ${line.split(' ')[0]}`),
    ...lines('nft', ['list', 'tables']).map((line) => `nftables ${line}`),
    ...mountPoints(dataDir).map((point) => `mount ${point}`),
    ...cgroups().map((path) => `cgroup ${path}`),
    ...processesOf(dataDir).map(({ command }) => `process ${command}`),
  ].sort();
}

/** What is in the second snapshot only. */
export function leftBehind(before: readonly string[], after: readonly string[]): string[] {
  const known = new Set(before);
  return after.filter((line) => !known.has(line));
}

/** Processes that were started with a path below the data directory: ours, and those that watch over its containers. */
export function processesOf(dataDir: string): { readonly pid: number; readonly command: string }[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => ({ pid: Number(name), command: commandOf(name) }))
    .filter(({ pid, command }) => pid !== process.pid && command.includes(dataDir));
}

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
  } catch {
    return ''; // It has ended.
  }
}

function mountPoints(dataDir: string): string[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .filter((point) => point.startsWith(dataDir) || point.includes('/netns/'));
}

function cgroups(): string[] {
  const root = '/sys/fs/cgroup';
  const hierarchies = existsSync(root) ? ['.', ...readdirSync(root)] : [];
  return hierarchies.map((name) => join(root, name, 'sagong')).filter((path) => existsSync(path));
}

function lines(command: string, args: readonly string[]): string[] {
  return execFileSync(command, args, { encoding: 'utf8' })
    .split('\n')
    .filter((line) => line !== '');
}
