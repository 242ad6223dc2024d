// SPDX-License-Identifier: Apache-2.0
// Several keys behind one door: the first writes, each reads what its prefix marks. @source upstream apiserver pkg/storage/value/transformer.go
import { startsWith, type Transformer } from './transformer.ts';

export interface Opened {
  readonly plain: Uint8Array;
  /** The prefix of the key that had sealed it. */
  readonly seal: string;
}

export class PrefixTransformers {
  readonly #all: readonly { readonly transformer: Transformer; readonly prefix: Buffer }[];

  /** @param transformers In the order of the configuration, at least one. */
  constructor(transformers: readonly Transformer[]) {
    this.#all = transformers.map((transformer) => ({ transformer, prefix: Buffer.from(transformer.prefix) }));
  }

  /** The prefix of the key that writes; '' where nothing is sealed. */
  get writer(): string {
    return this.#all[0]?.transformer.prefix ?? '';
  }

  seal(plain: Uint8Array, authenticated: string): Uint8Array {
    const first = this.#all[0];
    if (first === undefined) return plain;
    const sealed = first.transformer.seal(plain, authenticated);
    return first.prefix.length === 0 ? sealed : Buffer.concat([first.prefix, sealed]);
  }

  /** @throws {Error} If no key reads it; the message is upstream's. */
  open(value: Uint8Array, authenticated: string): Opened {
    const failures: string[] = [];
    for (const { transformer, prefix } of this.#all) {
      if (!startsWith(value, prefix)) continue;
      try {
        return { plain: transformer.open(value.subarray(prefix.length), authenticated), seal: transformer.prefix };
      } catch (error) {
        // Two providers may have a key of one name: the next may be the one.
        failures.push((error as Error).message);
      }
    }
    if (failures.length === 0) throw new Error('no matching prefix found');
    throw new Error(failures.length === 1 ? failures[0] : `[${failures.join(', ')}]`);
  }
}
