// SPDX-License-Identifier: Apache-2.0
// The image store on disk: documents by digest, layers unpacked once by diff ID, references as small files. Several processes may
// share one store: everything appears by rename, readers look at the folder's change time, containers hold leases.
// Does not keep compressed layers, so images cannot be pushed from here.
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { mkdir, rename, rm, stat, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { decodeConfig, digestTap, type ImageConfig, normalizeReference, parseReference, repositoryOf } from '#registry-client';
import type { Image } from '../../runtime.ts';
import { RuntimeError } from '../../runtime.ts';
import { hasCode, isMissing, makeFolders, namesIn, readJson, writeAtomic, writeJson } from '../files.ts';
import { nativeProgram } from '../native-program.ts';
import { decompress } from './decompress.ts';
import { LayerError, unpackLayer } from './unpack.ts';

/** What the store knows of one image. */
interface ImageRecord {
  readonly id: string;
  readonly diffIds: readonly string[];
  readonly sizeBytes: number;
  readonly user: string;
}

interface ReferenceRecord {
  readonly reference: string;
  readonly id: string;
}

interface Snapshot {
  readonly images: ReadonlyMap<string, Image>;
  /** Normalised references, with tag or digest, to IDs. */
  readonly references: ReadonlyMap<string, string>;
}

const IMAGE_ID = /^(?:sha256:)?([0-9a-f]{64})$/;

export class ImageStore {
  readonly root: string;
  /** Layers being unpacked by this process. */
  readonly #unpacking = new Map<string, Promise<void>>();
  #snapshot: Snapshot = { images: new Map(), references: new Map() };
  #stamp = '';

  private constructor(root: string) {
    this.root = root;
  }

  /** Makes the folders if they are missing. */
  static async open(root: string): Promise<ImageStore> {
    await makeFolders(root, ...['blobs', 'layers', 'images', 'references', 'leases', 'tmp'].map((name) => join(root, name)));
    return new ImageStore(root);
  }

  list(): readonly Image[] {
    return [...this.#read().images.values()];
  }

  /** By ID or reference. A reference with tag and digest goes by the digest. */
  find(reference: string): Image | undefined {
    const { images, references } = this.#read();
    const id = IMAGE_ID.exec(reference)?.[1];
    if (id !== undefined) return images.get(`sha256:${id}`);
    try {
      const parsed = parseReference(reference);
      const key = parsed.digest === undefined ? normalizeReference(reference) : `${repositoryOf(parsed)}@${parsed.digest}`;
      return images.get(references.get(key) ?? '');
    } catch {
      return undefined;
    }
  }

  /** The decoded image config. @throws {RuntimeError} `NotFound` */
  async config(id: string): Promise<ImageConfig> {
    try {
      return decodeConfig(readFileSync(this.#blob(id)));
    } catch (cause) {
      throw new RuntimeError('NotFound', `image "${id}" not found`, { cause });
    }
  }

  /** Names of the layer folders below `layers/`, lowest first. */
  async layersOf(id: string): Promise<readonly string[]> {
    const record = await readJson<ImageRecord>(this.#record(id));
    if (record === undefined) throw new RuntimeError('NotFound', `image "${id}" not found`);
    return record.diffIds.map(layerName);
  }

  hasLayer(diffId: string): Promise<boolean> {
    return stat(join(this.root, 'layers', `${layerName(diffId)}.json`)).then(
      () => true,
      () => false,
    );
  }

  /**
   * Unpacks a layer unless it is here. Compressed bytes are checked against `digest` and plain ones against `diffId`.
   *
   * @param open Called at most once.
   * @throws {LayerError} On damage; nothing is left behind.
   */
  async addLayer(diffId: string, digest: string | undefined, open: () => Promise<Readable>): Promise<void> {
    const running = this.#unpacking.get(diffId);
    if (running !== undefined) return running;
    const work = this.#unpackOnce(diffId, digest, open).finally(() => this.#unpacking.delete(diffId));
    this.#unpacking.set(diffId, work);
    return work;
  }

  /** Makes an image visible under its references. All its layers must have been added. */
  async addImage(config: Uint8Array, id: string, references: readonly string[]): Promise<Image> {
    const { diffIds, user } = decodeConfig(config);
    let sizeBytes = config.length;
    for (const diffId of diffIds) {
      const layer = await readJson<{ sizeBytes: number }>(join(this.root, 'layers', `${layerName(diffId)}.json`));
      if (layer === undefined) throw new LayerError(`image ${id}: missing layer ${diffId}`);
      sizeBytes += layer.sizeBytes;
    }
    await writeAtomic(this.#blob(id), config, 0o644);
    await writeJson(this.#record(id), { id, diffIds, sizeBytes, user } satisfies ImageRecord);
    for (const reference of references) await writeJson(this.#reference(reference), { reference, id } satisfies ReferenceRecord);
    const image = this.find(id);
    if (image === undefined) throw new RuntimeError('Unavailable', `image "${id}" is not visible after it was stored`);
    return image;
  }

  /** Points a further name at an image. */
  async tag(id: string, reference: string): Promise<void> {
    await writeJson(this.#reference(reference), { reference, id } satisfies ReferenceRecord);
  }

  /** Removes an image, its references and the layers nobody else has. Idempotent. @throws {RuntimeError} If a container uses it. */
  async remove(idOrReference: string): Promise<void> {
    const image = this.find(idOrReference);
    if (image === undefined) return;
    const holders = await this.#leaseHolders(image.id);
    if (holders.length > 0)
      throw new RuntimeError('Unavailable', `image "${image.id}" is in use by container ${holders[0]?.slice(0, 12) ?? ''}`);
    const record = await readJson<ImageRecord>(this.#record(image.id));
    for (const reference of [...image.tags, ...image.digests]) await rm(this.#reference(reference), { force: true });
    await rm(this.#record(image.id), { force: true });
    await rm(this.#blob(image.id), { force: true });
    const needed = new Set<string>();
    for (const other of this.list()) for (const name of await this.layersOf(other.id).catch(() => [])) needed.add(name);
    for (const name of (record?.diffIds ?? []).map(layerName)) if (!needed.has(name)) await this.#removeLayer(name);
  }

  /** A container's claim on an image; kept on disk so that other processes respect it. */
  async lease(containerId: string, imageId: string): Promise<void> {
    await writeFile(join(this.root, 'leases', containerId), imageId);
  }

  async release(containerId: string): Promise<void> {
    await rm(join(this.root, 'leases', containerId), { force: true });
  }

  async usage(): Promise<{ usedBytes: number; capacityBytes: number }> {
    const { blocks, bsize } = await statfs(this.root);
    const layers = await namesIn(join(this.root, 'layers'));
    let usedBytes = 0;
    for (const name of layers.filter((each) => each.endsWith('.json') && !each.startsWith('.')))
      usedBytes += (await readJson<{ sizeBytes: number }>(join(this.root, 'layers', name)))?.sizeBytes ?? 0;
    return { usedBytes, capacityBytes: blocks * bsize };
  }

  /** A fresh folder below `tmp/`; the caller removes it. */
  async temporaryFolder(): Promise<string> {
    const path = join(this.root, 'tmp', randomBytes(8).toString('hex'));
    await mkdir(path);
    return path;
  }

  async #unpackOnce(diffId: string, digest: string | undefined, open: () => Promise<Readable>): Promise<void> {
    if (await this.hasLayer(diffId)) return;
    const draft = await this.temporaryFolder();
    const name = layerName(diffId);
    try {
      const packed = digestTap('layer', digest);
      const source = await open();
      source.once('error', (error) => packed.stream.destroy(error));
      source.pipe(packed.stream);
      const plain = digestTap('layer content', diffId);
      const tar = await decompress(packed.stream);
      tar.once('error', (error) => plain.stream.destroy(error));
      tar.pipe(plain.stream);
      const { sizeBytes } = await unpackLayer(plain.stream, draft, () => nativeProgram(join(this.root, 'bin')));
      await rename(draft, join(this.root, 'layers', name)).catch((error: unknown) => {
        if (!hasCode(error, 'ENOTEMPTY') && !hasCode(error, 'EEXIST')) throw error; // Another process was faster.
      });
      await writeJson(join(this.root, 'layers', `${name}.json`), { diffId, sizeBytes });
    } finally {
      await rm(draft, { recursive: true, force: true });
    }
  }

  async #removeLayer(name: string): Promise<void> {
    await rm(join(this.root, 'layers', `${name}.json`), { force: true });
    const grave = join(this.root, 'tmp', randomBytes(8).toString('hex'));
    await rename(join(this.root, 'layers', name), grave).catch((error: unknown) => {
      if (!isMissing(error)) throw error;
    });
    await rm(grave, { recursive: true, force: true });
  }

  async #leaseHolders(id: string): Promise<string[]> {
    const folder = join(this.root, 'leases');
    return (await namesIn(folder)).filter((name) => {
      try {
        return readFileSync(join(folder, name), 'utf8') === id;
      } catch {
        return false;
      }
    });
  }

  /** Reads the references again if their folder has changed since: other processes write there too. */
  #read(): Snapshot {
    const stamp = ['references', 'images'].map((name) => statSync(join(this.root, name), { bigint: true }).mtimeNs).join(' ');
    if (stamp === this.#stamp) return this.#snapshot;
    const references = new Map(this.#records<ReferenceRecord>('references').map((record) => [record.reference, record.id]));
    const images = new Map<string, Image>();
    for (const record of this.#records<ImageRecord>('images')) images.set(record.id, describe(record, references));
    this.#snapshot = { images, references };
    this.#stamp = stamp;
    return this.#snapshot;
  }

  #records<T>(folder: string): T[] {
    return readdirSync(join(this.root, folder))
      .filter((name) => !name.startsWith('.'))
      .flatMap((name) => {
        try {
          return [JSON.parse(readFileSync(join(this.root, folder, name), 'utf8')) as T];
        } catch {
          return []; // Removed meanwhile.
        }
      });
  }

  #blob(digest: string): string {
    return join(this.root, 'blobs', digest.replace(':', '-'));
  }

  #record(id: string): string {
    return join(this.root, 'images', `${id.replace(':', '-')}.json`);
  }

  #reference(reference: string): string {
    return join(this.root, 'references', `${encodeURIComponent(reference)}.json`);
  }
}

function describe(record: ImageRecord, references: ReadonlyMap<string, string>): Image {
  const names = [...references].filter(([, id]) => id === record.id).map(([reference]) => reference);
  return {
    id: record.id,
    tags: names.filter((name) => !name.includes('@')).sort(),
    digests: names.filter((name) => name.includes('@')).sort(),
    sizeBytes: record.sizeBytes,
    user: record.user,
  };
}

/** Short, because overlayfs takes all lower folders in one page of mount options. */
export function layerName(diffId: string): string {
  return diffId.slice('sha256:'.length, 'sha256:'.length + 20);
}
