// SPDX-License-Identifier: Apache-2.0
// For tests: a root file system of the distribution's static busybox.
import { copyFile, mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { must } from './commands.ts';
import { findProgram } from './host.ts';

/** Makes it in a new folder below `parent` and returns its path. */
export async function busyboxFolder(parent: string): Promise<string> {
  const program = (await findProgram('busybox')) ?? '/bin/busybox';
  const folder = join(parent, 'busybox-rootfs');
  for (const name of ['bin', 'etc', 'home', 'root', 'tmp']) await mkdir(join(folder, name), { recursive: true });
  await copyFile(program, join(folder, 'bin/busybox'));
  const applets = (await must(program, ['--list'])).trim().split('\n');
  for (const applet of applets) if (applet !== 'busybox') await symlink('busybox', join(folder, 'bin', applet));
  await writeFile(join(folder, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/home:/bin/false\n');
  await writeFile(join(folder, 'etc/group'), 'root:x:0:\nnogroup:x:65534:\n');
  return folder;
}
