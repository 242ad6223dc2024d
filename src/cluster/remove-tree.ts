// SPDX-License-Identifier: Apache-2.0
// Removes a folder after everything mounted below it was unmounted, and never crosses into what is still mounted.
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { promisify } from 'node:util';
import { UserError } from './user-error.ts';

const run = promisify(execFile);

/** @throws {UserError} If something stays mounted: then nothing is deleted. */
export async function removeTree(folder: string): Promise<void> {
  for (const path of mountsBelow(folder)) await run('umount', ['--lazy', path]).catch(() => undefined);
  const left = mountsBelow(folder);
  if (left.length > 0) throw new UserError(`cannot remove ${folder}: still mounted: ${left.join(', ')}`);
  await rm(folder, { recursive: true, force: true });
}

/** Deepest first. */
export function mountsBelow(folder: string): string[] {
  const lines = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
  const points = lines
    .map((line) => unescapePath(line.split(' ')[4] ?? ''))
    .filter((point) => point === folder || point.startsWith(`${folder}/`));
  return points.sort((a, b) => b.length - a.length);
}

/** The kernel writes blanks as `\040`. */
function unescapePath(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
