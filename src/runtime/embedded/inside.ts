// SPDX-License-Identifier: Apache-2.0
// Reads files of a container's root file system without following its links out of it.
import { lstat, readFile, readlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';

const MAX_LINKS = 40;

/** The host path of `path` inside `root`, links resolved within. Missing parts stay as they are. */
export async function resolveInside(root: string, path: string): Promise<string> {
  const waiting = path.split('/').reverse();
  let current = root;
  let links = 0;
  for (let part = waiting.pop(); part !== undefined; part = waiting.pop()) {
    if (part === '' || part === '.') continue;
    if (part === '..') {
      current = current === root ? root : dirname(current);
      continue;
    }
    const next = join(current, part);
    const found = await lstat(next).catch(() => undefined);
    if (!found?.isSymbolicLink()) {
      current = next;
      continue;
    }
    if (++links > MAX_LINKS) throw new Error(`too many symbolic links in "${path}"`);
    const target = await readlink(next);
    if (target.startsWith('/')) current = root;
    waiting.push(...target.split('/').reverse());
  }
  return current;
}

/** '' if there is no such file. */
export async function readInside(root: string, path: string): Promise<string> {
  return readFile(await resolveInside(root, path), 'utf8').catch(() => '');
}
