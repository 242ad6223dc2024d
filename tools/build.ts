// SPDX-License-Identifier: Apache-2.0
// Bundles the sources into dist/: one file for the program, one for the store's thread. Users run these; development runs src/.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { join } from 'node:path';
import { build, type Plugin } from 'esbuild';
import { writeDescriptions } from './descriptions.ts';

const root = join(import.meta.dirname, '..');
const dist = join(root, 'dist');

/** A bundle gives a CommonJS package that is imported dynamically a default export only: its names are undefined, and only there. */
const noPackagesOnDemand: Plugin = {
  name: 'no-packages-on-demand',
  setup({ onResolve }) {
    onResolve({ filter: /^[^.#]/ }, ({ kind, path, importer }) =>
      kind === 'dynamic-import' && importer.includes('/src/') && !isBuiltin(path)
        ? { errors: [{ text: `import '${path}' in a module of our own, and that one dynamically (as src/apiserver/http-client.ts)` }] }
        : undefined,
    );
  },
};

async function bundle(): Promise<void> {
  for (const name of existsSync(dist) ? readdirSync(dist) : []) if (name.endsWith('.js')) rmSync(join(dist, name));
  rmSync(join(dist, 'compile-cache'), { recursive: true, force: true }); // What Node kept of the code before.
  await build({
    absWorkingDir: root,
    entryPoints: { main: 'src/main.ts', 'store-worker': 'src/store/sqlite/worker.ts' },
    outdir: 'dist',
    bundle: true,
    splitting: true,
    plugins: [noPackagesOnDemand],
    format: 'esm',
    platform: 'node',
    target: 'node24',
    chunkNames: 'chunk-[hash]',
    minifySyntax: true,
    minifyWhitespace: true,
    keepNames: false,
    legalComments: 'none',
    logLevel: 'warning',
    // Packages that are CommonJS call require(): give the bundle one.
    banner: { js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);" },
  });
}

/** V8 keeps a source with a single character beyond Latin-1 in two bytes a character: a megabyte, for a letter in a regular expression. */
function refuseWideCharacters(): void {
  for (const name of readdirSync(dist).filter((file) => file.endsWith('.js'))) {
    const wide = /.{0,30}[\u{100}-\u{10ffff}].{0,10}/u.exec(readFileSync(join(dist, name), 'utf8'));
    if (wide !== null) throw new Error(`build: write the character beyond Latin-1 as an escape in: ${wide[0]}`);
  }
}

/** Small C programs beside the embedded runtime; without a compiler the runtime says what is missing when it needs them. */
function compileNative(): void {
  const folder = join(root, 'src/runtime/embedded/native');
  if (!existsSync(folder)) return;
  mkdirSync(join(dist, 'native'), { recursive: true });
  for (const name of readdirSync(folder).filter((file) => file.endsWith('.c'))) {
    const output = join(dist, 'native', name.replace(/\.c$/, ''));
    const { status, error, stderr } = spawnSync('gcc', ['-O2', '-Wall', '-o', output, join(folder, name)], { encoding: 'utf8' });
    if (error !== undefined || status !== 0) console.error(`build: could not compile ${name}: ${error?.message ?? stderr}`);
  }
}

await bundle();
refuseWideCharacters();
writeDescriptions();
compileNative();
