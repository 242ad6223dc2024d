// SPDX-License-Identifier: Apache-2.0
// Host devices for containers: those asked for, and all of them for privileged ones.
import type { Stats } from 'node:fs';
import { lstat, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

export interface OciDevice {
  readonly path: string;
  readonly type: 'c' | 'b';
  readonly major: number;
  readonly minor: number;
  readonly fileMode: number;
  readonly uid: number;
  readonly gid: number;
}

const LEFT_OUT = new Set(['pts', 'shm', 'fd', 'mqueue', 'console', '.lxc', '.lxd-mounts', '.udev']);

/** @throws {Error} If it is no device. */
export async function hostDevice(hostPath: string, containerPath: string): Promise<OciDevice> {
  const device = describe(containerPath, await stat(hostPath));
  if (device === undefined) throw new Error(`"${hostPath}" is not a device node`);
  return device;
}

export async function allHostDevices(folder = '/dev'): Promise<OciDevice[]> {
  const found: OciDevice[] = [];
  for (const name of await readdir(folder).catch(() => [])) {
    if (LEFT_OUT.has(name)) continue;
    const path = join(folder, name);
    const entry = await lstat(path).catch(() => undefined);
    if (entry?.isDirectory()) found.push(...(await allHostDevices(path)));
    const device = entry && describe(path, entry);
    if (device !== undefined) found.push(device);
  }
  return found;
}

function describe(path: string, entry: Stats): OciDevice | undefined {
  const type = entry.isCharacterDevice() ? 'c' : entry.isBlockDevice() ? 'b' : undefined;
  if (type === undefined) return undefined;
  const device = BigInt(entry.rdev);
  const major = Number(((device >> 8n) & 0xfffn) | ((device >> 32n) & ~0xfffn));
  const minor = Number((device & 0xffn) | ((device >> 12n) & ~0xffn));
  return { path, type, major, minor, fileMode: entry.mode & 0o777, uid: entry.uid, gid: entry.gid };
}
