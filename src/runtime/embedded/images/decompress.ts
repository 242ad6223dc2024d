// SPDX-License-Identifier: Apache-2.0
// Layers and archives come plain, gzipped or zstd-compressed; the first bytes tell which. Media types are not trusted.
import { PassThrough, type Readable, type Transform } from 'node:stream';
import { createGunzip, createZstdDecompress } from 'node:zlib';

/** The plain bytes of `source`. Errors of the source and of the decoder both surface on the result. */
export async function decompress(source: Readable): Promise<Readable> {
  const head = await peek(source);
  const decoder = decoderFor(head);
  source.once('error', (error) => decoder.destroy(error));
  decoder.once('close', () => source.destroy());
  source.pipe(decoder);
  return decoder;
}

function decoderFor(head: Buffer): Transform {
  if (head[0] === 0x1f && head[1] === 0x8b) return createGunzip();
  if (head.length >= 4 && head.readUInt32LE(0) === 0xfd2fb528) return createZstdDecompress();
  return new PassThrough();
}

/** The first chunk, put back. */
function peek(source: Readable): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const settle = (head: Buffer): void => {
      source.off('readable', look);
      source.off('end', ended);
      source.off('error', reject);
      resolve(head);
    };
    const ended = (): void => settle(Buffer.alloc(0));
    const look = (): void => {
      const chunk = source.read() as Buffer | null;
      if (chunk === null) return;
      source.unshift(chunk);
      settle(chunk);
    };
    source.on('readable', look);
    source.once('end', ended);
    source.once('error', reject);
  });
}
