// SPDX-License-Identifier: Apache-2.0
// hostPath volumes: what must be there is checked, what may be made is made. @source upstream pkg/volume/hostpath
import { mkdir, open, stat } from 'node:fs/promises';
import type { HostPathVolumeSource } from '#api/core/v1';
import type { DeepReadonly } from '#machinery';
import { MountError } from './payload.ts';

/** @throws {MountError} With upstream's text, if the path is not what its type says. */
export async function checkHostPath({ path, type = '' }: DeepReadonly<HostPathVolumeSource>): Promise<void> {
  if (type === '') return;
  if (type === 'DirectoryOrCreate') await mkdir(path, { recursive: true, mode: 0o755 }).catch(() => {});
  if (type === 'FileOrCreate') await makeFile(path);
  const found = await stat(path).catch(() => undefined);
  const wrong = new MountError(`hostPath type check failed: ${path} is not a ${WANTED[type] ?? type}`);
  if (found === undefined) throw wrong;
  const ok = {
    Directory: found.isDirectory(),
    DirectoryOrCreate: found.isDirectory(),
    File: found.isFile(),
    FileOrCreate: found.isFile(),
    Socket: found.isSocket(),
    CharDevice: found.isCharacterDevice(),
    BlockDevice: found.isBlockDevice(),
  }[type];
  if (ok !== true) throw wrong;
}

const WANTED: Readonly<Record<string, string>> = {
  Directory: 'directory',
  DirectoryOrCreate: 'directory',
  File: 'file',
  FileOrCreate: 'file',
  Socket: 'socket file',
  CharDevice: 'character device',
  BlockDevice: 'block device',
};

async function makeFile(path: string): Promise<void> {
  const file = await open(path, 'a', 0o644).catch(() => undefined);
  await file?.close();
}
