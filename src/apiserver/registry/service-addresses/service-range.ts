// SPDX-License-Identifier: Apache-2.0
// One range of cluster addresses: membership, and the order in which free ones are tried. As upstream, a lower band is left
// to those who ask for an address by name and used only when the rest is spent.
// @source upstream registry/core/service/ipallocator/ipallocator.go (KEP-3070)
import { formatAddress, IpPrefix } from '#machinery';

/** So many addresses of a large range are tried before it counts as full. */
const LONGEST_WALK = 2n ** 20n;
const PICK_BITS = 32n;

/** A whole number below the bound, at most 2^32. */
export type Pick = (below: number) => number;

export class ServiceRange {
  readonly cidr: string;
  readonly #prefix: IpPrefix;
  /** Those that can be given: not the network's address, nor for IPv4 the broadcast address. */
  readonly size: bigint;

  /** @throws {RangeError} If the text is no CIDR. */
  constructor(cidr: string) {
    this.cidr = cidr;
    this.#prefix = new IpPrefix(cidr);
    const { first, last, family } = this.#prefix;
    const size = last - first - (family === 'IPv4' ? 1n : 0n);
    this.size = size < 0n ? 0n : size;
  }

  get family(): 'IPv4' | 'IPv6' {
    return this.#prefix.family;
  }

  /** Never given to anyone. */
  get network(): string {
    return formatAddress(this.#prefix.first, this.family);
  }

  contains(address: string): boolean {
    return this.#prefix.containsHost(address);
  }

  /** Addresses, none twice: the upper band from a random place on, then the lower band likewise. */
  *candidates(pick: Pick): Generator<string> {
    const band = this.#lowerBand();
    yield* this.#walk(band, this.size - band, pick);
    yield* this.#walk(0n, band, pick);
  }

  #lowerBand(): bigint {
    const sixteenth = this.size / 16n;
    const band = sixteenth < 16n ? 16n : sixteenth > 256n ? 256n : sixteenth;
    return this.size > band ? band : 0n;
  }

  *#walk(from: bigint, count: bigint, pick: Pick): Generator<string> {
    if (count <= 0n) return;
    const start = count >> PICK_BITS === 0n ? BigInt(pick(Number(count))) : (BigInt(pick(2 ** Number(PICK_BITS))) * count) >> PICK_BITS;
    const steps = count > LONGEST_WALK ? LONGEST_WALK : count;
    for (let step = 0n; step < steps; step++) yield this.#at(from + ((start + step) % count));
  }

  #at(index: bigint): string {
    return formatAddress(this.#prefix.first + 1n + index, this.family);
  }
}
