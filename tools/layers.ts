// SPDX-License-Identifier: Apache-2.0
// The layer table and its check: which folder under src/ may import which, and that folders are crossed only through `#name`.
// `node tools/layers.ts` prints every violation and every import cycle between folders, and exits 1 if there is one.
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';

/** Folder to the folders it may import. ARCHITECTURE.md explains the table. */
export const LAYERS: Readonly<Record<string, readonly string[]>> = {
  machinery: [],
  component: ['machinery'],
  api: ['machinery'],
  store: ['machinery', 'component'],
  client: ['machinery', 'api', 'component'],
  streaming: ['machinery', 'component'],
  runtime: ['machinery', 'component', 'registry-client', 'network'],
  'registry-client': ['machinery', 'component'],
  network: ['machinery', 'component', 'api', 'client', 'runtime'],
  apiserver: ['machinery', 'api', 'store', 'component', 'client', 'streaming'],
  controllers: ['machinery', 'api', 'component', 'client'],
  scheduler: ['machinery', 'api', 'component', 'client'],
  kubelet: ['machinery', 'api', 'component', 'client', 'streaming', 'runtime', 'network'],
  proxy: ['machinery', 'api', 'component', 'client', 'network'],
  dns: ['machinery', 'api', 'component', 'client'],
};
/** Only these compose several components. */
const COMPOSERS = new Set(['cluster', 'testing', 'main.ts']);
/** Pairs that meet by interface only, both ways: type imports. */
const TYPE_ONLY = new Set(['network>runtime']);

interface Import {
  readonly file: string;
  readonly from: string;
  readonly typeOnly: boolean;
}

/** All imports of a source text. */
export function importsOf(file: string, text: string): Import[] {
  const found = text.matchAll(/^\s*(?:import|export)\s+(type\s)?(?:[^'"`;]*?\sfrom\s+)?['"]([^'"]+)['"]/gm);
  const dynamic = text.matchAll(/import\(['"]([^'"]+)['"]\)/g);
  return [
    ...[...found].map((match) => ({ file, from: match[2] ?? '', typeOnly: match[1] !== undefined })),
    ...[...dynamic].map((match) => ({ file, from: match[1] ?? '', typeOnly: false })),
  ];
}

/** What is wrong with one import, or undefined. `file` is relative to src/. */
export function judge({ file, from, typeOnly }: Import): string | undefined {
  const folder = file.split('/')[0] ?? '';
  if (COMPOSERS.has(folder)) return undefined;
  const allowed = LAYERS[folder];
  if (allowed === undefined) return `${file}: folder "${folder}" is not in the layer table`;
  if (from.startsWith('.')) {
    const target = join(file, '..', from).split('/')[0] ?? '';
    return target === folder || (folder === 'api' && target === 'machinery')
      ? undefined
      : `${file}: crosses into "${target}" by path: use #${target}`;
  }
  if (!from.startsWith('#')) return undefined;
  const target = from.slice(1).split('/')[0] ?? '';
  if (target === folder || !file.endsWith('.ts')) return undefined;
  if (!allowed.includes(target)) return `${file}: may not import #${target}; allowed: ${allowed.join(', ') || 'nothing'}`;
  if (TYPE_ONLY.has(`${folder}>${target}`) && !typeOnly) return `${file}: may import #${target} for types only`;
  return undefined;
}

function main(): void {
  const root = join(import.meta.dirname, '../src');
  const files = readdirSync(root, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile() && entry.name.endsWith('.ts'));
  const problems = files.flatMap((entry) => {
    const path = join(entry.parentPath, entry.name);
    return importsOf(relative(root, path), readFileSync(path, 'utf8')).flatMap((found) => judge(found) ?? []);
  });
  for (const problem of problems) console.error(problem);
  console.log(`layers: ${files.length} files, ${problems.length} violations`);
  if (problems.length > 0) process.exitCode = 1;
}

if (import.meta.main) main();
