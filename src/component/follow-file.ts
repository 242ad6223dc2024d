// SPDX-License-Identifier: Apache-2.0
// Tells when a file changes. Its folder is watched: editors put another file in its place, and a mounted Secret changes by links
// within the folder.
import { watch } from 'node:fs';
import { basename, dirname } from 'node:path';

/** @param changed Called once or more for each change, perhaps before the file is whole: whoever reads it compares. */
export function followFile(file: string, changed: () => void, failed: (error: Error) => void): Disposable {
  const watcher = watch(dirname(file), { persistent: false }, (_event, name) => {
    if (name === null || name === basename(file) || name.startsWith('..')) changed();
  });
  watcher.on('error', failed);
  return { [Symbol.dispose]: () => watcher.close() };
}
