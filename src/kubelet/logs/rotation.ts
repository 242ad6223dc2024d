// SPDX-License-Identifier: Apache-2.0
// Container log rotation: past the size limit the file gets a timestamp, the runtime opens a new one, older ones are compressed,
// the oldest go. @source upstream pkg/kubelet/logs/container_log_manager.go
import { createReadStream, createWriteStream } from 'node:fs';
import { readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import type { Clock, Logger } from '#component';
import type { Runtime } from '#runtime';

export interface RotationOptions {
  readonly runtime: Pick<Runtime, 'listContainers' | 'reopenLog'>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly maxBytes: number;
  /** With the live one. */
  readonly maxFiles: number;
}

const PERIOD_MS = 10_000;

export async function runLogRotation(options: RotationOptions, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await options.clock.sleep(PERIOD_MS, signal).catch(() => {});
    if (!signal.aborted) await rotateLogs(options);
  }
}

/** One look at every running container's log. */
export async function rotateLogs(options: RotationOptions): Promise<void> {
  for (const container of options.runtime.listContainers()) {
    if (container.state !== 'running') continue;
    try {
      const size = (await stat(container.logPath)).size;
      if (size >= options.maxBytes) await rotate(container.id, container.logPath, options);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') await options.runtime.reopenLog(container.id).catch(() => {});
      else options.logger.warn({ err: error, container: container.id }, 'Container log was not rotated');
    }
  }
}

async function rotate(id: string, path: string, { runtime, clock, maxFiles }: RotationOptions): Promise<void> {
  const old = await rotatedLogs(path);
  // The live one and the one about to be rotated take two places.
  for (const file of old.slice(0, Math.max(0, old.length - (maxFiles - 2)))) await rm(file, { force: true });
  for (const file of await rotatedLogs(path)) if (!file.endsWith('.gz')) await compress(file);
  const stamp = new Date(clock.now()).toISOString().slice(0, 19).replace(/[-:]/g, '').replace('T', '-');
  const rotated = `${path}.${stamp}`;
  await rename(path, rotated);
  await runtime.reopenLog(id).catch(async (error: unknown) => {
    await rename(rotated, path).catch(() => {});
    throw error;
  });
}

async function compress(path: string): Promise<void> {
  await pipeline(createReadStream(path), createGzip(), createWriteStream(`${path}.tmp`));
  await rename(`${path}.tmp`, `${path}.gz`);
  await rm(path);
}

/** Oldest first; left-overs of a broken compression are removed. */
export async function rotatedLogs(path: string): Promise<string[]> {
  const directory = dirname(path);
  const prefix = `${basename(path)}.`;
  const names = (await readdir(directory).catch(() => [])).filter((name) => name.startsWith(prefix));
  for (const name of names) if (name.endsWith('.tmp')) await rm(join(directory, name), { force: true });
  return names
    .filter((name) => !name.endsWith('.tmp'))
    .sort()
    .map((name) => join(directory, name));
}
