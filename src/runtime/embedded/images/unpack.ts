// SPDX-License-Identifier: Apache-2.0
// Unpacks one layer into a folder that overlayfs can stack: whiteouts become 0:0 character devices, opaque folders an attribute.
// Follows the OCI image specification's layer.md. Entries that name a path outside the layer are refused; symbolic links on the
// way to an entry are resolved inside it. Layers are unpacked apart from each other, as docker's overlay2 driver does.
import { chmod, lchown, link, lstat, lutimes, mkdir, open, readlink, rm, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { extract, type Header as Headers } from 'tar-stream';
import { must } from '../commands.ts';
import { hasCode, isMissing } from '../files.ts';

export interface UnpackResult {
  readonly sizeBytes: number;
}

/** Thrown for an archive that is damaged or not acceptable. */
export class LayerError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'LayerError';
  }
}

const MAX_LINKS = 255;
const OPAQUE = '.wh..wh..opq';
const WHITEOUT = '.wh.';
const NODE_TYPES: Readonly<Record<string, number>> = { 'character-device': 0o020000, 'block-device': 0o060000, fifo: 0o010000 };

/**
 * Unpacks an uncompressed tar stream. The caller removes `root` after a throw.
 *
 * @param native The `sagong-node` program, for devices and attributes; called once at the end, if at all.
 * @throws {LayerError} On damage, on escape attempts, on a hard link to nowhere.
 */
export async function unpackLayer(tar: Readable, root: string, native: () => Promise<string>): Promise<UnpackResult> {
  const unpacker = new Unpacker(root);
  const extractor = extract();
  const feeding = pipeline(tar, extractor);
  feeding.catch(() => {}); // Seen below, through the iterator or the await.
  try {
    for await (const entry of extractor) {
      await unpacker.add(entry.header, entry as unknown as Readable);
      entry.resume();
    }
    await feeding;
  } catch (error) {
    tar.destroy();
    await feeding.catch(() => {});
    if (error instanceof LayerError || hasCode(error, 'ENOSPC')) throw error;
    throw new LayerError(`unpack layer: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
  await unpacker.finish(native);
  return { sizeBytes: unpacker.sizeBytes };
}

class Unpacker {
  sizeBytes = 0;
  readonly #root: string;
  /** Known to be folders, not links. */
  readonly #folders: Set<string>;
  /** Made at the end by the native program: paths to `[mode, device]`. */
  readonly #nodes = new Map<string, readonly [string, string]>();
  readonly #opaque = new Set<string>();
  readonly #times = new Map<string, Headers>();

  constructor(root: string) {
    this.#root = root;
    this.#folders = new Set([root]);
  }

  async add(header: Headers, content: Readable): Promise<void> {
    const parts = partsOf(header.name);
    const base = parts.pop();
    if (base === undefined) return this.#describeRoot(header);
    const parent = await this.#folder(parts, true);
    if (base === OPAQUE) return void this.#opaque.add(parent);
    if (base.startsWith('.wh..wh.')) return; // aufs' own bookkeeping
    if (base.startsWith(WHITEOUT)) return this.#whiteOut(parent, base.slice(WHITEOUT.length));
    const path = join(parent, base);
    await this.#makeRoom(path, header.type === 'directory');
    this.#nodes.delete(path);
    await this.#create(path, header, content);
  }

  async finish(native: () => Promise<string>): Promise<void> {
    // Only where the folders on the way are still folders: a later entry may have put a link there, which must not be followed.
    const nodes = [...this.#nodes].filter(([path]) => this.#folders.has(dirname(path)));
    const opaque = [...this.#opaque].filter((path) => this.#folders.has(path));
    const records = [
      ...nodes.flatMap(([path, [mode, device]]) => ['n', path, mode, device]),
      ...opaque.flatMap((path) => ['x', path, 'trusted.overlay.opaque', '79']),
    ];
    if (records.length > 0) await must(await native(), ['tree'], { input: `${records.join('\0')}\0` });
    for (const [path, header] of this.#times) if (this.#folders.has(path)) await setTimes(path, header);
  }

  async #describeRoot(header: Headers): Promise<void> {
    if (header.type !== 'directory') return;
    await own(this.#root, header);
    await chmod(this.#root, header.mode ?? 0o755);
  }

  #whiteOut(parent: string, name: string): void {
    if (name === '' || name === '.' || name === '..') throw new LayerError(`invalid whiteout name "${WHITEOUT}${name}"`);
    this.#nodes.set(join(parent, name), ['20000', '0:0']);
  }

  async #create(path: string, header: Headers, content: Readable): Promise<void> {
    switch (header.type) {
      case 'directory':
        await mkdir(path).catch(ignoreExisting);
        this.#folders.add(path);
        await own(path, header);
        await chmod(path, header.mode ?? 0o755);
        this.#times.set(path, header);
        return;
      case 'symlink':
        await symlink(header.linkname ?? '', path);
        await own(path, header);
        return setTimes(path, header);
      case 'link':
        return this.#hardLink(path, header);
      case 'file':
      case 'contiguous-file':
      case undefined:
      case null:
        return this.#file(path, header, content);
      default:
        return this.#node(path, header);
    }
  }

  async #file(path: string, header: Headers, content: Readable): Promise<void> {
    const file = await open(path, 'wx', 0o600);
    try {
      for await (const chunk of content) await file.write(chunk as Buffer);
      await file.chown(header.uid ?? 0, header.gid ?? 0);
      await file.chmod(header.mode ?? 0o644);
      const time = header.mtime ?? new Date(0);
      await file.utimes(time, time);
    } finally {
      await file.close();
    }
    this.sizeBytes += header.size ?? 0;
  }

  #node(path: string, header: Headers): void {
    const type = NODE_TYPES[header.type ?? ''];
    if (type === undefined) return; // Sparse maps and vendor types carry no file of their own.
    const mode = (type | (header.mode ?? 0o600)).toString(8);
    this.#nodes.set(path, [mode, `${header.devmajor ?? 0}:${header.devminor ?? 0}`]);
  }

  async #hardLink(path: string, header: Headers): Promise<void> {
    const parts = partsOf(header.linkname ?? '');
    const base = parts.pop();
    if (base === undefined) throw new LayerError(`invalid hard link "${header.name}" to "${header.linkname ?? ''}"`);
    const target = join(await this.#folder(parts, false), base);
    await link(target, path).catch((cause: unknown) => {
      if (isMissing(cause)) throw new LayerError(`hard link "${header.name}" to missing "${header.linkname ?? ''}"`, { cause });
      throw cause;
    });
  }

  /** Removes what a new entry replaces, unless both are folders. */
  async #makeRoom(path: string, folder: boolean): Promise<void> {
    const present = await lstat(path).catch(() => undefined);
    if (present === undefined || (folder && present.isDirectory())) return;
    await rm(path, { recursive: true, force: true });
    for (const known of this.#folders) if (known === path || known.startsWith(`${path}/`)) this.#folders.delete(known);
  }

  /** Walks down from the root without ever leaving it; makes missing folders if asked. */
  async #folder(parts: readonly string[], make: boolean): Promise<string> {
    const direct = join(this.#root, ...parts);
    if (this.#folders.has(direct)) return direct;
    const waiting = [...parts].reverse();
    let current = this.#root;
    let links = 0;
    for (let part = waiting.pop(); part !== undefined; part = waiting.pop()) {
      if (part === '..') {
        current = current === this.#root ? current : dirname(current);
        continue;
      }
      const next = join(current, part);
      if (this.#folders.has(next)) {
        current = next;
        continue;
      }
      const found = await lstat(next).catch(() => undefined);
      if (found?.isSymbolicLink()) {
        if (++links > MAX_LINKS) throw new LayerError(`too many symbolic links on the way to "${parts.join('/')}"`);
        const target = await readlink(next);
        if (target.startsWith('/')) current = this.#root;
        waiting.push(
          ...target
            .split('/')
            .filter((word) => word !== '' && word !== '.')
            .reverse(),
        );
        continue;
      }
      if (found === undefined && !make) throw new LayerError(`missing folder "${parts.join('/')}"`);
      if (found !== undefined && !found.isDirectory()) throw new LayerError(`"${parts.join('/')}" passes through a file`);
      if (found === undefined) await mkdir(next, 0o755);
      this.#folders.add(next);
      current = next;
    }
    return current;
  }
}

/** The words of an entry's name. @throws {LayerError} If it climbs. */
function partsOf(name: string): string[] {
  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..') || name.includes('\0')) throw new LayerError(`path "${name}" escapes the layer`);
  return parts;
}

function own(path: string, header: Headers): Promise<void> {
  return lchown(path, header.uid ?? 0, header.gid ?? 0);
}

async function setTimes(path: string, header: Headers): Promise<void> {
  const time = header.mtime ?? new Date(0);
  await lutimes(path, time, time);
}

function ignoreExisting(error: unknown): void {
  if (!hasCode(error, 'EEXIST')) throw error;
}
