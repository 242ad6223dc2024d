// SPDX-License-Identifier: Apache-2.0
// Lines per file and per function of the hand-written sources: median, 90th percentile, the ten largest. It prints, it does not
// judge: the targets are in CONTRIBUTING.md. Functions are found by their indentation, which the formatter guarantees.
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';

interface Measured {
  readonly name: string;
  readonly lines: number;
}

const root = join(import.meta.dirname, '..');
const FUNCTION_START =
  /^( *)(?:export )?(?:default )?(?:async )?(?:function\*? +([\w$]+)|(?:static |override |private |get |set )*(?:async )?\*?(#?[\w$]+|\[[\w.]+\])(?:<[^>]*>)?\(.*\{$)/;
const KEYWORDS = new Set(['if', 'for', 'while', 'switch', 'catch', 'return', 'function', 'with']);

function sources(): string[] {
  return ['src', 'tools', 'bench']
    .flatMap((folder) => readdirSync(join(root, folder), { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts') && !/\.(test|contract|lab)\.ts$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => !path.includes('/generated/') && !path.includes('/testing/'));
}

/** Functions and methods of a formatted text: from the line that opens to the line that closes at the same depth. */
export function functionsOf(text: string): Measured[] {
  const lines = text.split('\n');
  return lines.flatMap((line, start) => {
    const match = FUNCTION_START.exec(line);
    const name = match?.[2] ?? match?.[3];
    if (match === null || name === undefined || KEYWORDS.has(name)) return [];
    const end = lines.findIndex((other, index) => index > start && other.startsWith(`${match[1]}}`));
    return end < 0 ? [] : [{ name, lines: end - start + 1 }];
  });
}

function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

function report(what: string, measured: readonly Measured[]): void {
  const counts = measured.map(({ lines }) => lines);
  console.log(`${what}: ${measured.length}, median ${quantile(counts, 0.5)}, p90 ${quantile(counts, 0.9)}, largest ${Math.max(...counts)}`);
  for (const { name, lines } of [...measured].sort((a, b) => b.lines - a.lines).slice(0, 10))
    console.log(`  ${String(lines).padStart(5)}  ${name}`);
}

function main(): void {
  const files = sources().map((path) => ({ path: relative(root, path), text: readFileSync(path, 'utf8') }));
  report(
    'files',
    files.map(({ path, text }) => ({ name: path, lines: text.split('\n').length - 1 })),
  );
  report(
    'functions',
    files.flatMap(({ path, text }) => functionsOf(text).map(({ name, lines }) => ({ name: `${path} ${name}`, lines }))),
  );
}

if (import.meta.main) main();
