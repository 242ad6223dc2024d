// SPDX-License-Identifier: Apache-2.0
// The runtime's image verbs over the store and the registry client. Pulls of one reference that overlap share their work.
import type { Readable } from 'node:stream';
import {
  type Credentials,
  choosePlatform,
  decodeConfig,
  decodeDocument,
  digestOf,
  formatReference,
  goArchitecture,
  type ImageReference,
  InvalidReferenceError,
  type Manifest,
  parseReference,
  type RegistryOptions,
  Repository,
  repositoryOf,
} from '#registry-client';
import { type Image, type ImageService, type RegistryAuth, RuntimeError } from '../../runtime.ts';
import { loadArchive } from './archive.ts';
import type { ImageStore } from './store.ts';

const PARALLEL_LAYERS = 3;

export class EmbeddedImages implements ImageService {
  readonly store: ImageStore;
  readonly #options: RegistryOptions;

  constructor(store: ImageStore, options: RegistryOptions) {
    this.store = store;
    this.#options = options;
  }

  list(): readonly Image[] {
    return this.store.list();
  }

  find(reference: string): Image | undefined {
    return this.store.find(reference);
  }

  remove(id: string): Promise<void> {
    return this.store.remove(id);
  }

  usage(): Promise<{ usedBytes: number; capacityBytes: number }> {
    return this.store.usage();
  }

  /** Loads a docker or OCI archive. */
  load(source: Readable | string): Promise<readonly Image[]> {
    return loadArchive(this.store, source);
  }

  async pull(text: string, auth: RegistryAuth | undefined, signal: AbortSignal): Promise<Image> {
    const reference = parse(text);
    const repository = new Repository(reference, auth satisfies Credentials | undefined, this.#options);
    try {
      return await this.#pull(reference, repository, signal);
    } catch (cause) {
      if (signal.aborted) throw signal.reason;
      const words = cause instanceof Error ? cause.message : String(cause);
      const prefix = `failed to pull and unpack image "${formatReference(reference)}"`;
      throw new RuntimeError('ErrImagePull', words.startsWith('failed to pull') ? words : `${prefix}: ${words}`, { cause });
    } finally {
      void repository.close().catch(() => {});
    }
  }

  async #pull(reference: ImageReference, repository: Repository, signal: AbortSignal): Promise<Image> {
    const top = await repository.manifest(reference.digest ?? reference.tag ?? 'latest', signal);
    const manifest = await resolve(top.bytes, repository, signal);
    const config = await small(await repository.blob(manifest.config.digest, signal));
    const id = digestOf(config);
    if (id !== manifest.config.digest) throw new Error(`image config: digest mismatch: expected ${manifest.config.digest}, got ${id}`);
    const { diffIds } = decodeConfig(config);
    if (diffIds.length !== manifest.layers.length)
      throw new Error(`mismatched image rootfs and manifest layers: ${diffIds.length} and ${manifest.layers.length}`);
    await this.#layers(manifest, diffIds, repository, signal);
    const names = [`${repositoryOf(reference)}@${top.digest}`];
    if (reference.digest === undefined) names.push(formatReference(reference));
    return this.store.addImage(config, id, names);
  }

  /** Some at a time; the first failure stops the others. */
  async #layers(manifest: Manifest, diffIds: readonly string[], repository: Repository, signal: AbortSignal): Promise<void> {
    const stop = new AbortController();
    const both = AbortSignal.any([signal, stop.signal]);
    const waiting = manifest.layers.entries();
    const worker = async (): Promise<void> => {
      for (const [index, layer] of waiting)
        await this.store.addLayer(diffIds[index] ?? '', layer.digest, () => repository.blob(layer.digest, both));
    };
    const workers = Array.from({ length: PARALLEL_LAYERS }, worker);
    try {
      await Promise.all(workers);
    } catch (error) {
      stop.abort(error);
      await Promise.allSettled(workers);
      throw error;
    }
  }
}

function parse(text: string): ImageReference {
  try {
    return parseReference(text);
  } catch (cause) {
    if (!(cause instanceof InvalidReferenceError)) throw cause;
    throw new RuntimeError('InvalidImageName', cause.message, { cause });
  }
}

async function resolve(bytes: Buffer, repository: Repository, signal: AbortSignal): Promise<Manifest> {
  const document = decodeDocument(bytes);
  if ('manifest' in document) return document.manifest;
  const chosen = choosePlatform(document.index, goArchitecture());
  if (chosen === undefined) throw new Error(`no match for platform in manifest: not found`);
  return resolve((await repository.manifest(chosen.digest, signal)).bytes, repository, signal);
}

async function small(stream: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream) {
    size += (chunk as Buffer).length;
    if (size > 8 << 20) throw new Error('image config is too large');
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks);
}
