// SPDX-License-Identifier: Apache-2.0
// Digests: of bytes, and of a stream as it passes by.
import { createHash } from 'node:crypto';
import { Transform } from 'node:stream';

/** `sha256:<hex>` */
export function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

export interface DigestTap {
  readonly stream: Transform;
  /** Of what has passed; call when the stream has ended. */
  digest(): string;
  readonly sizeBytes: number;
}

/** Passes bytes through; fails at the end if `expected` is given and differs. */
export function digestTap(what: string, expected?: string): DigestTap {
  const hash = createHash('sha256');
  let sizeBytes = 0;
  let result: string | undefined;
  const digest = (): string => {
    result ??= `sha256:${hash.digest('hex')}`;
    return result;
  };
  const stream = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      sizeBytes += chunk.length;
      done(null, chunk);
    },
    flush(done) {
      const got = digest();
      done(expected !== undefined && got !== expected ? new Error(`${what}: digest mismatch: expected ${expected}, got ${got}`) : null);
    },
  });
  return {
    stream,
    digest,
    get sizeBytes() {
      return sizeBytes;
    },
  };
}
