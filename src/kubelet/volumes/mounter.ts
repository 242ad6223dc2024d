// SPDX-License-Identifier: Apache-2.0
// Mounts that volumes need: tmpfs for memory-backed ones. By mount(8) and umount(8), since Node has no such calls.
// `plainMounter` makes ordinary directories: for simulated nodes and for machines where mounting is not allowed.
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';

export interface Mounter {
  /** A tmpfs on an existing directory; nothing to do if one is there. */
  mountTmpfs(path: string, options: readonly string[]): Promise<void>;
  /** Idempotent. */
  unmount(path: string): Promise<void>;
  /** Mount points below a directory, deepest first. */
  mountsBelow(path: string): Promise<string[]>;
}

const run = promisify(execFile);

export const systemMounter: Mounter = {
  async mountTmpfs(path, options) {
    if ((await mountPoints()).includes(path)) return;
    await run('mount', ['-t', 'tmpfs', '-o', ['noswap', ...options].join(','), 'tmpfs', path]).catch(() =>
      // Kernels before 6.3 do not know noswap.
      run('mount', ['-t', 'tmpfs', ...(options.length > 0 ? ['-o', options.join(',')] : []), 'tmpfs', path]),
    );
  },
  async unmount(path) {
    if (!(await mountPoints()).includes(path)) return;
    await run('umount', [path]).catch(() => run('umount', ['-l', path]));
  },
  async mountsBelow(path) {
    const all = await mountPoints();
    return all.filter((point) => point === path || point.startsWith(`${path}/`)).sort((a, b) => b.length - a.length);
  },
};

export const plainMounter: Mounter = {
  mountTmpfs: async () => {},
  unmount: async () => {},
  mountsBelow: async () => [],
};

async function mountPoints(): Promise<string[]> {
  const table = await readFile('/proc/self/mountinfo', 'utf8');
  return table
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => unescapeOctal(line.split(' ')[4] ?? ''));
}

function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}
