// SPDX-License-Identifier: Apache-2.0
// IP addresses as numbers and back, in canonical form (RFC 5952 for IPv6), and ranges of them. For arithmetic, not for validation.
import { isIPv4, isIPv6 } from 'node:net';

/** The number of an address; undefined if the text is none. */
export function addressOf(text: string): bigint | undefined {
  if (isIPv4(text)) return text.split('.').reduce((sum, part) => sum * 256n + BigInt(part), 0n);
  if (!isIPv6(text)) return undefined;
  const [head = '', tail] = text.replace(/%.*$/, '').split('::');
  const left = groupsOf(head);
  const right = tail === undefined ? [] : groupsOf(tail);
  const zeros = tail === undefined ? 0 : 8 - left.length - right.length;
  return [...left, ...new Array<number>(zeros).fill(0), ...right].reduce((sum, group) => sum * 65_536n + BigInt(group), 0n);
}

function groupsOf(text: string): number[] {
  if (text === '') return [];
  return text.split(':').flatMap((part) => {
    if (!part.includes('.')) return [Number.parseInt(part, 16)];
    const [a = 0, b = 0, c = 0, d = 0] = part.split('.').map(Number);
    return [a * 256 + b, c * 256 + d];
  });
}

export function formatAddress(value: bigint, family: 'IPv4' | 'IPv6'): string {
  if (family === 'IPv4') return [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 255n).join('.');
  const groups = Array.from({ length: 8 }, (_, index) => ((value >> BigInt(112 - index * 16)) & 0xffffn).toString(16));
  return shorten(groups);
}

/** `::` for the longest run of two or more zero groups, the first of equals. */
function shorten(groups: readonly string[]): string {
  let [best, length] = [-1, 1];
  for (let start = 0; start < groups.length; start++) {
    let end = start;
    while (groups[end] === '0') end += 1;
    if (end - start > length) [best, length] = [start, end - start];
  }
  if (best < 0) return groups.join(':');
  return `${groups.slice(0, best).join(':')}::${groups.slice(best + length).join(':')}`;
}

/** A range of addresses as CIDRs name it: `10.96.0.0/16`. Bits behind the prefix are dropped. */
export class IpPrefix {
  readonly family: 'IPv4' | 'IPv6';
  readonly length: number;
  /** Its first and its last address. */
  readonly first: bigint;
  readonly last: bigint;

  /** @throws {RangeError} If the text is no CIDR. */
  constructor(cidr: string) {
    const [address = '', length = ''] = cidr.split('/');
    const number = addressOf(address);
    this.family = isIPv6(address) ? 'IPv6' : 'IPv4';
    this.length = Number(length);
    if (number === undefined || !/^\d{1,3}$/.test(length) || this.length > this.bits)
      throw new RangeError(`parse the range ${JSON.stringify(cidr)}: want ADDRESS/LENGTH`);
    const host = BigInt(this.bits - this.length);
    this.first = (number >> host) << host;
    this.last = this.first + (1n << host) - 1n;
  }

  /** Of an address. */
  get bits(): 32 | 128 {
    return this.family === 'IPv4' ? 32 : 128;
  }

  /** Behind the network's own. */
  get firstHost(): string {
    return formatAddress(this.first + 1n, this.family);
  }

  covers(other: IpPrefix): boolean {
    return other.family === this.family && other.first >= this.first && other.last <= this.last;
  }

  /**
   * Whether a Service could have the address: neither the network's own nor, of IPv4, the broadcast address is ever given.
   *
   * @source upstream pkg/api/servicecidr PrefixContainsIP
   */
  containsHost(address: string): boolean {
    const number = addressOf(address);
    if (number === undefined || isIPv6(address) !== (this.family === 'IPv6')) return false;
    return number > this.first && (this.family === 'IPv4' ? number < this.last : number <= this.last);
  }
}

/** The address of the `kubernetes` Service. @param ranges As `--service-cluster-ip-range` takes them: one, or two joined by a comma. */
export function firstServiceAddress(ranges: string): string {
  return new IpPrefix(ranges.split(',')[0] ?? '').firstHost;
}
