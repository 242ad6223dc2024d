// SPDX-License-Identifier: Apache-2.0
// A range of addresses cut into equal blocks, one for each node. IPv4 and IPv6 by the same arithmetic on whole numbers.
import { isIP } from 'node:net';

interface Range {
  readonly base: bigint;
  readonly prefix: number;
  readonly bits: number;
}

/** @throws {RangeError} If the text is no CIDR. */
function parseRange(text: string): Range {
  const [address = '', length = ''] = text.split('/');
  const version = isIP(address);
  const bits = version === 6 ? 128 : 32;
  const prefix = Number(length);
  if (version === 0 || !/^\d+$/.test(length) || prefix > bits)
    throw new RangeError(`parse the range ${JSON.stringify(text)}: want ADDRESS/LENGTH`);
  const host = BigInt(bits - prefix);
  const base = (toNumber(address, version) >> host) << host;
  return { base, prefix, bits };
}

function toNumber(address: string, version: number): bigint {
  if (version === 4) return address.split('.').reduce((sum, part) => (sum << 8n) | BigInt(part), 0n);
  const [head = '', tail] = address.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? [] : new Array<string>(8 - left.length - right.length).fill('0');
  return [...left, ...zeros, ...right].reduce((sum, part) => (sum << 16n) | BigInt(`0x${part}`), 0n);
}

function toText(value: bigint, bits: number): string {
  if (bits === 32) return [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 255n).join('.');
  const groups = Array.from({ length: 8 }, (_, index) => ((value >> BigInt(112 - 16 * index)) & 0xffffn).toString(16));
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1);
}

/** Hands out blocks of a range, lowest free one first. */
export class CidrSet {
  readonly #range: Range;
  readonly #blockPrefix: number;
  readonly #used = new Set<bigint>();
  readonly #count: bigint;
  #next: bigint;

  /** @throws {RangeError} If no block fits into the range. */
  constructor(range: string, blockPrefix: number) {
    this.#range = parseRange(range);
    this.#blockPrefix = blockPrefix;
    const { prefix, bits } = this.#range;
    if (blockPrefix < prefix || blockPrefix > bits)
      throw new RangeError(`cut "${range}" into blocks of /${blockPrefix}: want a length from ${prefix} to ${bits}`);
    this.#count = 1n << BigInt(blockPrefix - prefix);
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
    const { base, bits } = this.#range;
    return `${toText(base + (index << BigInt(bits - this.#blockPrefix)), bits)}/${this.#blockPrefix}`;
  }

  #indexOf(block: string): bigint | undefined {
    const { base, bits } = parseRange(block);
    if (bits !== this.#range.bits || base < this.#range.base) return undefined;
    const index = (base - this.#range.base) >> BigInt(bits - this.#blockPrefix);
    return index < this.#count ? index : undefined;
  }
}
