// SPDX-License-Identifier: Apache-2.0
// Loads images from `docker save` and OCI archives (tar, gzipped or zstd-compressed) into a store. The archive is spooled to a
// temporary folder first, since its index may come last. Nothing is stored unless every layer of an image is sound.
import { createReadStream, createWriteStream } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { join, posix } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { extract } from 'tar-stream';
import {
  choosePlatform,
  type Descriptor,
  decodeConfig,
  decodeDocument,
  digestOf,
  goArchitecture,
  type Manifest,
  normalizeReference,
  parseReference,
  repositoryOf,
} from '#registry-client';
import type { Image } from '../../runtime.ts';
import { decompress } from './decompress.ts';
import { ImageStore } from './store.ts';
import { LayerError } from './unpack.ts';

interface Found {
  readonly configPath: string;
  /** Layer files with the digest they must have, if it is known. */
  readonly layers: readonly { readonly path: string; readonly digest: string | undefined }[];
  readonly references: readonly string[];
}

const MAX_DEPTH = 4;

/** Loads every image of an archive. @throws {LayerError} For a damaged archive; names what is wrong. */
export async function loadArchive(store: ImageStore, source: Readable | string): Promise<readonly Image[]> {
  const folder = await store.temporaryFolder();
  try {
    const files = await spool(typeof source === 'string' ? createReadStream(source) : source, folder);
    const found = await findImages(files);
    if (found.length === 0) throw new LayerError('archive holds no image: neither manifest.json nor index.json');
    const images: Image[] = [];
    for (const image of found) images.push(await storeImage(store, files, image));
    return images;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** `loadArchive` for a program that has no runtime of its own: a running one on the same store sees the images at once. */
export async function loadImageArchive(root: string, file: string): Promise<readonly Image[]> {
  return loadArchive(await ImageStore.open(root), file);
}

/** Entry names to the files they were written to. Names are keys only, never paths. */
async function spool(source: Readable, folder: string): Promise<ReadonlyMap<string, string>> {
  const files = new Map<string, string>();
  const links: [string, string][] = [];
  const extractor = extract();
  try {
    const feeding = pipeline(await decompress(source), extractor);
    feeding.catch(() => {});
    for await (const entry of extractor) {
      const name = posix.normalize(entry.header.name).replace(/^\/+/, '');
      if (entry.header.type === 'file' || entry.header.type === 'contiguous-file') {
        const path = join(folder, String(files.size));
        await pipeline(entry as unknown as Readable, createWriteStream(path, { mode: 0o600 }));
        files.set(name, path);
      } else {
        const target = entry.header.linkname ?? '';
        if (entry.header.type === 'symlink') links.push([name, posix.join(posix.dirname(name), target)]);
        if (entry.header.type === 'link') links.push([name, posix.normalize(target)]);
        entry.resume();
      }
    }
    await feeding;
  } catch (error) {
    throw new LayerError(`read archive: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
  for (const [name, target] of links) {
    const path = files.get(target);
    if (path !== undefined) files.set(name, path);
  }
  return files;
}

async function findImages(files: ReadonlyMap<string, string>): Promise<Found[]> {
  const manifest = files.get('manifest.json');
  if (manifest !== undefined) return dockerImages(await json(manifest));
  return files.has('index.json') ? ociImages(files) : [];
}

function dockerImages(value: unknown): Found[] {
  if (!Array.isArray(value)) throw new LayerError('manifest.json is no list');
  return value.map((item: { Config?: unknown; RepoTags?: unknown; Layers?: unknown }) => {
    if (typeof item?.Config !== 'string' || !Array.isArray(item.Layers))
      throw new LayerError('manifest.json: an entry lacks Config or Layers');
    const tags = Array.isArray(item.RepoTags) ? item.RepoTags : [];
    return {
      configPath: posix.normalize(item.Config),
      layers: item.Layers.map((path) => ({ path: posix.normalize(String(path)), digest: undefined })),
      references: tags.map((tag) => normalizeReference(String(tag))),
    };
  });
}

async function ociImages(files: ReadonlyMap<string, string>): Promise<Found[]> {
  const index = decodeDocument(await readEntry(files, 'index.json'));
  if (!('index' in index)) throw new LayerError('index.json lists no manifests');
  const byDigest = new Map<string, Found>();
  for (const entry of index.index) {
    const manifest = await resolveManifest(files, entry, 0);
    if (manifest === undefined) continue;
    const known = byDigest.get(manifest.digest);
    byDigest.set(manifest.digest, {
      configPath: blobPath(manifest.config.digest),
      layers: manifest.layers.map(({ digest }) => ({ path: blobPath(digest), digest })),
      references: [...(known?.references ?? []), ...namesOf(entry)],
    });
  }
  return [...byDigest.values()];
}

/** Follows nested indexes to the manifest of this machine's platform. */
async function resolveManifest(
  files: ReadonlyMap<string, string>,
  entry: Descriptor,
  depth: number,
): Promise<(Manifest & { digest: string }) | undefined> {
  if (depth > MAX_DEPTH) throw new LayerError('image indexes are nested too deep');
  const bytes = await readEntry(files, blobPath(entry.digest));
  const got = digestOf(bytes);
  if (got !== entry.digest) throw new LayerError(`manifest: digest mismatch: expected ${entry.digest}, got ${got}`);
  const document = decodeDocument(bytes);
  if ('manifest' in document) return { ...document.manifest, digest: entry.digest };
  const chosen = choosePlatform(document.index, goArchitecture());
  return chosen === undefined ? undefined : resolveManifest(files, chosen, depth + 1);
}

/** References from the annotations tools write, and the digest form of each. */
function namesOf(entry: Descriptor): string[] {
  const name = entry.annotations['io.containerd.image.name'] ?? entry.annotations['org.opencontainers.image.ref.name'];
  if (name === undefined) return [];
  try {
    const reference = parseReference(name);
    return [normalizeReference(name), `${repositoryOf(reference)}@${entry.digest}`];
  } catch {
    return [];
  }
}

async function storeImage(store: ImageStore, files: ReadonlyMap<string, string>, found: Found): Promise<Image> {
  const config = await readEntry(files, found.configPath);
  const id = digestOf(config);
  const named = /(?:^|\/)([0-9a-f]{64})(?:\.json)?$/.exec(found.configPath)?.[1];
  if (named !== undefined && `sha256:${named}` !== id)
    throw new LayerError(`image config: digest mismatch: expected sha256:${named}, got ${id}`);
  const { diffIds } = decodeConfig(config);
  if (diffIds.length !== found.layers.length)
    throw new LayerError(`image ${id}: ${found.layers.length} layers, but the config names ${diffIds.length}`);
  for (const [index, layer] of found.layers.entries()) {
    const path = files.get(layer.path);
    const diffId = diffIds[index] ?? '';
    if (path === undefined && !(await store.hasLayer(diffId))) throw new LayerError(`archive lacks layer "${layer.path}"`);
    if (path !== undefined) await store.addLayer(diffId, layer.digest, async () => createReadStream(path));
  }
  return store.addImage(config, id, found.references);
}

async function readEntry(files: ReadonlyMap<string, string>, name: string): Promise<Buffer> {
  const path = files.get(name);
  if (path === undefined) throw new LayerError(`archive lacks "${name}"`);
  return readFile(path);
}

async function json(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8'));
  } catch (cause) {
    throw new LayerError('manifest.json is no JSON', { cause });
  }
}

function blobPath(digest: string): string {
  return `blobs/${digest.replace(':', '/')}`;
}
