// SPDX-License-Identifier: Apache-2.0
// What the kernel says of this machine: CPUs, memory, identity, pressure figures. Read from /proc, /sys and /etc.
import { readFile, statfs } from 'node:fs/promises';
import { arch, availableParallelism, hostname, release, totalmem } from 'node:os';

export interface Machine {
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly machineId: string;
  readonly systemUuid: string;
  readonly bootId: string;
  readonly kernelVersion: string;
  readonly osImage: string;
  /** As Go names it: `amd64`. */
  readonly architecture: string;
  readonly hostname: string;
}

const ARCH: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386', loong64: 'loong64' };

const read = (path: string) =>
  readFile(path, 'utf8')
    .then((text) => text.trim())
    .catch(() => '');

export async function readMachine(): Promise<Machine> {
  const [machineId, systemUuid, bootId, osRelease] = await Promise.all([
    read('/etc/machine-id'),
    read('/sys/class/dmi/id/product_uuid'),
    read('/proc/sys/kernel/random/boot_id'),
    read('/etc/os-release'),
  ]);
  return {
    cpus: availableParallelism(),
    memoryBytes: totalmem(),
    machineId,
    systemUuid: systemUuid || machineId,
    bootId,
    kernelVersion: release(),
    osImage: /^PRETTY_NAME="?([^"\n]*)"?$/m.exec(osRelease)?.[1] ?? 'Linux',
    architecture: ARCH[arch()] ?? arch(),
    hostname: hostname().toLowerCase(),
  };
}

export interface MachineUsage {
  readonly memoryAvailableBytes: number;
  readonly diskAvailableBytes: number;
  readonly diskCapacityBytes: number;
  readonly inodesFree: number;
  readonly inodes: number;
  readonly pids: number;
  readonly maxPids: number;
}

/** @param path Of the file system that holds Pods. */
export async function readUsage(path: string): Promise<MachineUsage> {
  const [meminfo, loadavg, maxPids, disk] = await Promise.all([
    read('/proc/meminfo'),
    read('/proc/loadavg'),
    read('/proc/sys/kernel/pid_max'),
    statfs(path),
  ]);
  const available = /^MemAvailable:\s+(\d+) kB/m.exec(meminfo)?.[1];
  return {
    memoryAvailableBytes: available === undefined ? Number.MAX_SAFE_INTEGER : Number(available) * 1024,
    diskAvailableBytes: disk.bavail * disk.bsize,
    diskCapacityBytes: disk.blocks * disk.bsize,
    inodesFree: disk.ffree,
    inodes: disk.files,
    pids: Number(/\/(\d+) /.exec(loadavg)?.[1] ?? 0),
    maxPids: Number(maxPids || 32768),
  };
}
