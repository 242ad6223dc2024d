// SPDX-License-Identifier: Apache-2.0
// A range of addresses cut into equal blocks, one for each node. IPv4 and IPv6 by the same arithmetic on whole numbers.
import { formatAddress, IpPrefix } from '#machinery';

/** Hands out blocks of a range, lowest free one first. */
export class CidrSet {
  readonly #range: IpPrefix;
  readonly #blockPrefix: number;
  readonly #used = new Set<bigint>();
  readonly #count: bigint;
  #next: bigint;

  /** @throws {RangeError} If no block fits into the range. */
  constructor(range: string, blockPrefix: number) {
    this.#range = new IpPrefix(range);
    this.#blockPrefix = blockPrefix;
    const { length, bits } = this.#range;
    if (blockPrefix < length || blockPrefix > bits)
      throw new RangeError(`cut "${range}" into blocks of /${blockPrefix}: want a length from ${length} to ${bits}`);
    this.#count = 1n << BigInt(blockPrefix - length);
    this.#next = 0n;
  }

  /** A free block, or undefined when all are taken. */
  allocate(): string | undefined {
    if (BigInt(this.#used.size) >= this.#count) return undefined;
    while (this.#used.has(this.#next)) this.#next = (this.#next + 1n) % this.#count;
    const index = this.#next;
    this.#used.add(index);
    this.#next = (index + 1n) % this.#count;
    return this.#textOf(index);
  }

  /** Marks a block as taken. @returns Whether it is one of the range. */
  occupy(block: string): boolean {
    const index = this.#indexOf(block);
    if (index === undefined) return false;
    this.#used.add(index);
    return true;
  }

  release(block: string): void {
    const index = this.#indexOf(block);
    if (index !== undefined) this.#used.delete(index);
  }

  #textOf(index: bigint): string {
    const { first, bits, family } = this.#range;
    return `${formatAddress(first + (index << BigInt(bits - this.#blockPrefix)), family)}/${this.#blockPrefix}`;
  }

  #indexOf(block: string): bigint | undefined {
    const { first, bits, family } = new IpPrefix(block);
    if (family !== this.#range.family || first < this.#range.first) return undefined;
    const index = (first - this.#range.first) >> BigInt(bits - this.#blockPrefix);
    return index < this.#count ? index : undefined;
  }
}
