// SPDX-License-Identifier: Apache-2.0
// `fsGroup`: gives a volume's files to the Pod's group, with the group's bits and setgid directories.
// @source upstream pkg/volume/volume_linux.go SetVolumeOwnership
import { chmod, lchown, lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';

export interface OwnershipOptions {
  readonly readOnly: boolean;
  /** `OnRootMismatch`: leave a tree alone whose top is right. */
  readonly policy: 'Always' | 'OnRootMismatch';
}

export async function setOwnership(root: string, gid: number, options: OwnershipOptions): Promise<void> {
  if (options.policy === 'OnRootMismatch' && (await isRight(root, gid, options.readOnly))) return;
  // Deepest first: the top is right only when all below is, so a broken run is taken up again.
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  for (const entry of entries.reverse()) await setOne(join(entry.parentPath, entry.name), gid, options.readOnly);
  await setOne(root, gid, options.readOnly);
}

const bitsOf = (isDirectory: boolean, readOnly: boolean) => (readOnly ? 0o440 : 0o660) | (isDirectory ? 0o2110 : 0);

async function setOne(path: string, gid: number, readOnly: boolean): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined) return;
  await lchown(path, found.uid, gid);
  if (found.isSymbolicLink()) return;
  await chmod(path, (found.mode & 0o7777) | bitsOf(found.isDirectory(), readOnly));
}

async function isRight(root: string, gid: number, readOnly: boolean): Promise<boolean> {
  const found = await lstat(root);
  const bits = bitsOf(true, readOnly);
  return found.gid === gid && (found.mode & bits) === bits;
}
