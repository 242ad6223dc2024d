// SPDX-License-Identifier: Apache-2.0
// Finds or builds `sagong-node`, the small C program beside this file. A build is kept under the hash of its source.
import { createHash, randomBytes } from 'node:crypto';
import { access, mkdir, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { RuntimeError } from '../runtime.ts';
import { must } from './commands.ts';

const SOURCE = 'native/sagong-node.c';

/** Compiles it into `file`. @throws {RuntimeError} `Unavailable` where there is no C compiler. */
export async function buildNativeProgram(file: string): Promise<void> {
  const draft = `${file}.${randomBytes(4).toString('hex')}`;
  try {
    await must('cc', ['-O2', '-o', draft, join(import.meta.dirname, SOURCE)]);
  } catch (cause) {
    throw new RuntimeError('Unavailable', `cannot build sagong-node: install a C compiler (gcc): ${String(cause)}`, { cause });
  }
  await rename(draft, file);
}

/** The path of the program: beside the bundle if it was built with it, else built once into `folder`. */
export async function nativeProgram(folder: string): Promise<string> {
  const bundled = join(import.meta.dirname, 'native/sagong-node');
  if (await exists(bundled)) return bundled;
  const source = await readFile(join(import.meta.dirname, SOURCE));
  const built = join(folder, `sagong-node-${createHash('sha256').update(source).digest('hex').slice(0, 12)}`);
  if (!(await exists(built))) {
    await mkdir(folder, { recursive: true });
    await buildNativeProgram(built);
  }
  return built;
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
