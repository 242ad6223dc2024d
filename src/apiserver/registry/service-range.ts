// SPDX-License-Identifier: Apache-2.0
// One range of cluster addresses: membership, and the order in which free ones are tried. As upstream, a lower band is left
// to those who ask for an address by name and used only when the rest is spent.
import { isIPv6 } from 'node:net';
import { addressOf, formatAddress } from './ip-number.ts';

const LARGEST_WALK = 2n ** 20n;

export class ServiceRange {
  readonly family: 'IPv4' | 'IPv6';
  readonly #first: bigint;
  readonly #size: bigint;

  /** @throws {RangeError} If the text is no CIDR. */
  constructor(cidr: string) {
    const [address = '', prefix = ''] = cidr.split('/');
    const start = addressOf(address);
    if (start === undefined || !/^\d+$/.test(prefix)) throw new RangeError(`read the service range "${cidr}": not a CIDR`);
    this.family = isIPv6(address) ? 'IPv6' : 'IPv4';
    const bits = this.family === 'IPv4' ? 32 : 128;
    const length = 2n ** BigInt(bits - Number(prefix));
    // The network address is never given, and for IPv4 neither is the broadcast address.
    this.#first = start - (start % length) + 1n;
    const size = length - (this.family === 'IPv4' ? 2n : 1n);
    this.#size = size > LARGEST_WALK ? LARGEST_WALK : size;
  }

  /** The address that the `kubernetes` Service has. */
  get first(): string {
    return formatAddress(this.#first, this.family);
  }

  contains(address: string): boolean {
    const value = addressOf(address);
    return value !== undefined && isIPv6(address) === (this.family === 'IPv6') && value >= this.#first && value < this.#first + this.#size;
  }

  /** Every address once: the upper band from a random place on, then the lower band. */
  *candidates(pick: (below: number) => number): Generator<string> {
    const size = Number(this.#size);
    const offset = Math.min(Math.max(16, Math.floor(size / 16)), 256);
    const band = size > offset ? offset : 0;
    const upper = size - band;
    const start = pick(upper);
    for (let step = 0; step < upper; step++) yield formatAddress(this.#first + BigInt(band + ((start + step) % upper)), this.family);
    for (let step = 0; step < band; step++) yield formatAddress(this.#first + BigInt(step), this.family);
  }
}
