// SPDX-License-Identifier: Apache-2.0
// Builds images without a registry or a daemon: packs folders into layers and writes OCI archives that every tool loads.
// Deterministic: entries are sorted, owned by root, and dated to the epoch.
import { createWriteStream } from 'node:fs';
import { lstat, readdir, readFile, readlink, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { type Header, type Pack, pack } from 'tar-stream';
import { digestOf, goArchitecture, normalizeReference } from '#registry-client';
import type { Image } from '../../runtime.ts';
import { loadArchive } from './archive.ts';
import { ImageStore } from './store.ts';

export interface ImageSpec {
  readonly references: readonly string[];
  readonly entrypoint?: readonly string[];
  readonly cmd?: readonly string[];
  readonly env?: readonly string[];
  readonly user?: string;
  readonly workingDir?: string;
  readonly exposedPorts?: readonly string[];
  readonly stopSignal?: string;
}

/** One entry of a layer. */
export type LayerEntry =
  | { readonly path: string; readonly type: 'directory'; readonly mode?: number }
  | { readonly path: string; readonly type: 'symlink'; readonly target: string }
  | { readonly path: string; readonly type: 'file'; readonly mode?: number; readonly content: Uint8Array };

type EntryHeader = Partial<Header> & { readonly name: string };

const EPOCH = new Date(0);

/** A layer tar of entries, in the order given. */
export async function packLayer(entries: readonly LayerEntry[]): Promise<Buffer> {
  const tar = pack();
  const gathered = gather(tar);
  for (const entry of entries) await add(tar, headerOf(entry), entry.type === 'file' ? entry.content : undefined);
  tar.finalize();
  return gathered;
}

/** The entries of a folder, sorted. Sockets and devices are left out. */
export async function entriesOf(folder: string, prefix = ''): Promise<LayerEntry[]> {
  const entries: LayerEntry[] = [];
  for (const name of (await readdir(folder)).sort()) {
    const [source, path] = [join(folder, name), prefix + name];
    const found = await lstat(source);
    if (found.isDirectory()) entries.push({ path, type: 'directory', mode: found.mode & 0o7777 }, ...(await entriesOf(source, `${path}/`)));
    else if (found.isSymbolicLink()) entries.push({ path, type: 'symlink', target: await readlink(source) });
    else if (found.isFile()) entries.push({ path, type: 'file', mode: found.mode & 0o7777, content: await readFile(source) });
  }
  return entries;
}

/** Writes an OCI archive (also readable by `docker load`: a manifest.json is in it). */
export async function writeArchive(file: string, layers: readonly Uint8Array[], spec: ImageSpec): Promise<void> {
  const draft = `${file}.draft`;
  const tar = pack();
  const writing = pipeline(tar, createWriteStream(draft));
  for (const [name, content] of documents(layers, spec)) await add(tar, { name, mode: 0o644, mtime: EPOCH }, content);
  tar.finalize();
  try {
    await writing;
    await rename(draft, file);
  } finally {
    await rm(draft, { force: true });
  }
}

/** Makes an image of a folder and stores it. */
export async function importRootfs(root: string, folder: string, spec: ImageSpec): Promise<Image> {
  const store = await ImageStore.open(root);
  const scratch = await store.temporaryFolder();
  try {
    const file = join(scratch, 'image.tar');
    await writeArchive(file, [await packLayer(await entriesOf(folder))], spec);
    const [image] = await loadArchive(store, file);
    if (image === undefined) throw new Error('import root file system: no image was made');
    return image;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

function documents(layers: readonly Uint8Array[], spec: ImageSpec): Map<string, Uint8Array> {
  const references = spec.references.map(normalizeReference);
  const config = encode({
    created: '1970-01-01T00:00:00Z',
    architecture: goArchitecture(),
    os: 'linux',
    config: {
      ...(spec.user === undefined ? {} : { User: spec.user }),
      ...(spec.exposedPorts === undefined ? {} : { ExposedPorts: Object.fromEntries(spec.exposedPorts.map((port) => [port, {}])) }),
      Env: spec.env ?? ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
      ...(spec.entrypoint === undefined ? {} : { Entrypoint: spec.entrypoint }),
      ...(spec.cmd === undefined ? {} : { Cmd: spec.cmd }),
      ...(spec.workingDir === undefined ? {} : { WorkingDir: spec.workingDir }),
      ...(spec.stopSignal === undefined ? {} : { StopSignal: spec.stopSignal }),
    },
    rootfs: { type: 'layers', diff_ids: layers.map(digestOf) },
  });
  const blob = (bytes: Uint8Array, mediaType: string): Record<string, unknown> => ({
    mediaType,
    digest: digestOf(bytes),
    size: bytes.length,
  });
  const manifest = encode({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: blob(config, 'application/vnd.oci.image.config.v1+json'),
    layers: layers.map((layer) => blob(layer, 'application/vnd.oci.image.layer.v1.tar')),
  });
  const entry = blob(manifest, 'application/vnd.oci.image.manifest.v1+json');
  const index = references.map((name) => ({ ...entry, annotations: { 'io.containerd.image.name': name } }));
  const path = (bytes: Uint8Array): string => `blobs/${digestOf(bytes).replace(':', '/')}`;
  return new Map<string, Uint8Array>([
    ['oci-layout', encode({ imageLayoutVersion: '1.0.0' })],
    ['index.json', encode({ schemaVersion: 2, manifests: index })],
    ['manifest.json', encode([{ Config: path(config), RepoTags: references, Layers: layers.map(path) }])],
    ...[config, manifest, ...layers].map((bytes) => [path(bytes), bytes] as const),
  ]);
}

function headerOf(entry: LayerEntry): EntryHeader {
  const base = { name: entry.path, uid: 0, gid: 0, mtime: EPOCH };
  if (entry.type === 'directory') return { ...base, type: 'directory', mode: entry.mode ?? 0o755 };
  if (entry.type === 'symlink') return { ...base, type: 'symlink', linkname: entry.target, mode: 0o777 };
  return { ...base, type: 'file', mode: entry.mode ?? 0o644 };
}

function add(tar: Pack, header: EntryHeader, content?: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = (error?: Error | null): void => (error ? reject(error) : resolve());
    if (content === undefined) tar.entry(header, done);
    else tar.entry({ ...header, size: content.length }, Buffer.from(content.buffer, content.byteOffset, content.byteLength), done);
  });
}

async function gather(stream: AsyncIterable<unknown>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

function encode(value: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(value));
}
