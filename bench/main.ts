// SPDX-License-Identifier: Apache-2.0
// `npm run bench [-- name…]`: measures the built program and prints one table. Without names it runs all measurements whose
// needs are met on this machine. It asserts nothing: speed is judged by a person, beside docs/performance.md.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { api } from './api.ts';
import { type Figure, type Measurement, tableOf } from './figures.ts';
import { memory } from './memory.ts';
import { scheduling } from './scheduling.ts';
import { start } from './start.ts';
import { watches } from './watches.ts';

const ALL: readonly Measurement[] = [api, watches, scheduling, start, memory];

async function main(names: readonly string[]): Promise<void> {
  const unknown = names.find((name) => !ALL.some((measurement) => measurement.name === name));
  if (unknown !== undefined)
    throw new RangeError(`run the bench "${unknown}": no such measurement; there are ${ALL.map(({ name }) => name).join(', ')}`);
  const root = join(import.meta.dirname, '..');
  const built = spawnSync(process.execPath, ['tools/build.ts'], { cwd: root, stdio: 'inherit' });
  if (built.status !== 0) throw new Error('build the bundle: failed');
  const figures: Figure[] = [];
  for (const measurement of ALL.filter(({ name }) => names.length === 0 || names.includes(name))) {
    process.stderr.write(`${measurement.name} (needs ${measurement.needs})…\n`);
    try {
      figures.push(...(await measurement.run()));
    } catch (error) {
      process.stderr.write(`${measurement.name}: left out: ${error instanceof Error ? error.message : String(error)}\n`);
      process.exitCode = 1;
    }
  }
  process.stdout.write(`\n${tableOf(figures)}\n`);
}

await main(process.argv.slice(2));
