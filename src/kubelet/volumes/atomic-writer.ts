// SPDX-License-Identifier: Apache-2.0
// Writes a set of files so that a reader sees all of the old or all of the new: a timestamped directory, a `..data` link swapped
// by rename, and links for the first path elements. @source upstream pkg/volume/util/atomic_writer.go
import { chmod, lchown, mkdir, mkdtemp, readdir, readFile, readlink, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

export interface PayloadFile {
  readonly data: Buffer;
  readonly mode: number;
  /** Owner, where it is not root: tokens for a Pod's user. */
  readonly uid?: number | undefined;
}

/** Relative paths to files. */
export type Payload = ReadonlyMap<string, PayloadFile>;

const DATA = '..data';
const NEW_DATA = '..data_tmp';

/** Thrown when a payload names a path that would leave the volume. */
export class PayloadError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'PayloadError';
  }
}

export function checkPayloadPath(path: string): void {
  const parts = path.split('/');
  if (path === '' || path.startsWith('/')) throw new PayloadError(`invalid path: must be relative path: ${path}`);
  if (parts.includes('..')) throw new PayloadError(`invalid path: must not contain '..': ${path}`);
  if (parts[0]?.startsWith('..')) throw new PayloadError(`invalid path: must not start with '..': ${path}`);
  if (path.length > 4096) throw new PayloadError('invalid path: must be less than or equal to 4096 characters');
  if (parts.some((part) => part.length > 255))
    throw new PayloadError('invalid path: filename must be less than or equal to 255 characters');
}

export interface WriteOptions {
  /** Group that gets the files, of `fsGroup`. */
  readonly gid?: number | undefined;
}

/** @returns Whether anything changed. @throws {PayloadError} */
export async function writePayload(target: string, payload: Payload, options: WriteOptions = {}): Promise<boolean> {
  for (const path of payload.keys()) checkPayloadPath(path);
  const current = await readlink(join(target, DATA)).catch(() => undefined);
  if (current !== undefined && (await holds(join(target, current), payload))) return false;
  const fresh = await mkdtemp(join(target, `..${stamp()}.`));
  await chmod(fresh, 0o755);
  for (const [path, file] of payload) await writeOne(join(fresh, path), file, options, fresh);
  await linkFirstElements(target, payload);
  await rm(join(target, NEW_DATA), { force: true });
  await symlink(basename(fresh), join(target, NEW_DATA));
  await rename(join(target, NEW_DATA), join(target, DATA));
  await removeStale(target, payload);
  if (current !== undefined) await rm(join(target, current), { recursive: true, force: true });
  return true;
}

async function writeOne(path: string, { data, mode, uid }: PayloadFile, { gid }: WriteOptions, top: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o755 });
  await writeFile(path, data, { mode: 0o600 });
  await chmod(path, mode); // Not through the umask.
  if (uid === undefined && gid === undefined) return;
  await lchown(path, uid ?? 0, gid ?? 0);
  if (gid !== undefined) await lchown(top, 0, gid);
}

function stamp(): string {
  return new Date().toISOString().slice(0, 19).replace(/[-:T]/g, '_');
}

async function linkFirstElements(target: string, payload: Payload): Promise<void> {
  for (const first of new Set([...payload.keys()].map((path) => path.split('/')[0] ?? path))) {
    await symlink(join(DATA, first), join(target, first)).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
  }
}

async function removeStale(target: string, payload: Payload): Promise<void> {
  const wanted = new Set([...payload.keys()].map((path) => path.split('/')[0] ?? path));
  for (const name of await readdir(target)) {
    if (!name.startsWith('..') && !wanted.has(name)) await rm(join(target, name), { recursive: true, force: true });
  }
}

/** Whether a directory has exactly these files with these contents and modes. */
async function holds(directory: string, payload: Payload): Promise<boolean> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true }).catch(() => []);
  const files = entries.filter((entry) => entry.isFile());
  if (files.length !== payload.size) return false;
  for (const [path, { data, mode }] of payload) {
    const full = join(directory, path);
    const found = await readFile(full).catch(() => undefined);
    if (found === undefined || !found.equals(data)) return false;
    if (((await stat(full)).mode & 0o777) !== (mode & 0o777)) return false;
  }
  return true;
}
