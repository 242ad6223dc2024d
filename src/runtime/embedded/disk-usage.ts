// SPDX-License-Identifier: Apache-2.0
// How much a container has written: walks its upper folder, at most once in a while, never blocking.
import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '#component';

const FRESH_MS = 30_000;
const BLOCK = 512;

export class DiskUsage {
  readonly #clock: Clock;
  readonly #known = new Map<string, { readonly at: number; readonly bytes: Promise<number> }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Bytes on disk below `folder`, up to half a minute old. */
  of(folder: string): Promise<number> {
    const now = this.#clock.now();
    const known = this.#known.get(folder);
    if (known !== undefined && now - known.at < FRESH_MS) return known.bytes;
    const bytes = measure(folder);
    this.#known.set(folder, { at: now, bytes });
    return bytes;
  }

  forget(folder: string): void {
    this.#known.delete(folder);
  }
}

async function measure(folder: string): Promise<number> {
  let bytes = 0;
  for (const entry of await readdir(folder, { withFileTypes: true }).catch(() => [])) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) bytes += await measure(path);
    else if (entry.isFile())
      bytes += await lstat(path).then(
        ({ blocks }) => blocks * BLOCK,
        () => 0,
      );
  }
  return bytes;
}
