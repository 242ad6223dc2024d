// SPDX-License-Identifier: Apache-2.0
// `subPath`: a place inside a volume, reached without ever following a link out of it. What is missing is made as a directory.
// The result has no links; a container that swaps a directory for a link between this check and the mount could still race it,
// so the runtime resolves the path under the volume's own root again. @source upstream pkg/volume/util/subpath
import { chown, lstat, mkdir, realpath, stat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { ConfigError } from '../container/environment.ts';

/** @returns The host path. @throws {ConfigError} If it leaves the volume. */
export async function safeSubPath(volumeRoot: string, subPath: string): Promise<string> {
  if (subPath.startsWith('/') || subPath.split('/').includes('..')) {
    throw new ConfigError(`failed to prepare subPath for volumeMount: "${subPath}" must be relative and must not contain '..'`);
  }
  const root = await realpath(volumeRoot);
  const parts = subPath.split('/').filter((part) => part !== '' && part !== '.');
  let at = root;
  for (const part of parts) {
    const next = join(at, part);
    const found = await lstat(next).catch(() => undefined);
    if (found === undefined) {
      await makeLike(at, next);
      at = next;
      continue;
    }
    at = await realpath(next).catch(() => {
      throw new ConfigError(`failed to prepare subPath for volumeMount: "${subPath}" is a broken link`);
    });
    if (!isInside(root, at)) throw new ConfigError(`failed to prepare subPath for volumeMount: "${subPath}" leads outside the volume`);
  }
  return at;
}

function isInside(root: string, path: string): boolean {
  const way = relative(root, path);
  return way === '' || (!way.startsWith('..') && !way.startsWith('/'));
}

/** A directory with the owner and bits of the one it is made in. */
async function makeLike(parent: string, path: string): Promise<void> {
  const like = await stat(parent);
  await mkdir(path, { mode: like.mode & 0o7777 });
  await chown(path, like.uid, like.gid).catch(() => {});
}
