// SPDX-License-Identifier: Apache-2.0
// SPDY header blocks: pairs with lengths, compressed with one zlib context per direction for the whole connection. So blocks must
// pass in the order of their frames; callers await one before the next.
import { constants, createDeflate, createInflate, type Deflate, type Inflate } from 'node:zlib';
import { SPDY_DICTIONARY } from './dictionary.ts';
import { SpdyError } from './frames.ts';

export type SpdyHeaders = Readonly<Record<string, string>>;

/** A block this large, unpacked, is no stream of ours: a guard against packed bombs. */
const MAX_BLOCK_BYTES = 256 * 1024;

export class HeaderCompressor {
  readonly #deflate: Deflate;

  constructor() {
    this.#deflate = createDeflate({ dictionary: SPDY_DICTIONARY });
    this.#deflate.on('error', () => {});
  }

  async compress(headers: SpdyHeaders): Promise<Buffer> {
    const chunks: Buffer[] = [];
    const take = (chunk: Buffer) => void chunks.push(chunk);
    this.#deflate.on('data', take);
    this.#deflate.write(encodeHeaders(headers));
    await new Promise<void>((resolve) => this.#deflate.flush(constants.Z_SYNC_FLUSH, resolve));
    this.#deflate.off('data', take);
    return Buffer.concat(chunks);
  }

  close(): void {
    this.#deflate.close();
  }
}

export class HeaderDecompressor {
  readonly #inflate: Inflate;

  constructor() {
    this.#inflate = createInflate({ dictionary: SPDY_DICTIONARY });
    this.#inflate.on('error', () => {});
  }

  /** @throws {SpdyError} */
  async decompress(block: Buffer): Promise<SpdyHeaders> {
    const chunks: Buffer[] = [];
    let size = 0;
    const take = (chunk: Buffer) => {
      size += chunk.length;
      if (size <= MAX_BLOCK_BYTES) chunks.push(chunk);
    };
    this.#inflate.on('data', take);
    try {
      await new Promise<void>((resolve, reject) => {
        this.#inflate.once('error', reject);
        this.#inflate.write(block, (error) => (error ? reject(error) : resolve()));
      });
    } catch (error) {
      throw new SpdyError(`header block does not unpack: ${(error as Error).message}`);
    } finally {
      this.#inflate.off('data', take);
      this.#inflate.removeAllListeners('error');
      this.#inflate.on('error', () => {});
    }
    if (size > MAX_BLOCK_BYTES) throw new SpdyError('header block is too large');
    return decodeHeaders(Buffer.concat(chunks));
  }

  close(): void {
    this.#inflate.close();
  }
}

export function encodeHeaders(headers: SpdyHeaders): Buffer {
  const parts: Buffer[] = [uint32(Object.keys(headers).length)];
  for (const [name, value] of Object.entries(headers)) {
    for (const text of [Buffer.from(name.toLowerCase()), Buffer.from(value)]) parts.push(uint32(text.length), text);
  }
  return Buffer.concat(parts);
}

/** Repeated values are joined as HTTP does. @throws {SpdyError} */
export function decodeHeaders(block: Buffer): SpdyHeaders {
  let at = 0;
  const number = () => {
    if (at + 4 > block.length) throw new SpdyError('header block ends early');
    at += 4;
    return block.readUInt32BE(at - 4);
  };
  const text = () => {
    const length = number();
    if (at + length > block.length) throw new SpdyError('header block ends early');
    at += length;
    return block.toString('utf8', at - length, at);
  };
  const headers: Record<string, string> = Object.create(null) as Record<string, string>;
  for (let left = number(); left > 0; left--) {
    const name = text().toLowerCase();
    headers[name] = text().replaceAll('\0', ', ');
  }
  return { ...headers };
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
