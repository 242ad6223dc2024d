// SPDX-License-Identifier: Apache-2.0
// IP addresses and CIDRs as the API takes them (apimachinery's validation/ip.go): strict forms only, with upstream's texts.
import { isIPv4, isIPv6 } from 'node:net';
import { type FieldPath, quote } from '../../machinery/mod.ts';

const IP_RULE = 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)';
const CIDR_RULE = 'must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)';

/** An address whose decimal parts have no leading zeros; undefined for what is none even so. */
function addressIn(text: string): string | undefined {
  const plain = text.replace(/\d+(?:\.\d+){3}$/, (dotted) => dotted.replace(/(?<!\d)0+(?=\d)/g, ''));
  return (isIPv4(plain) || isIPv6(plain)) && !plain.includes('%') ? plain : undefined;
}

/** Whether an IPv6 address, however written, stands for one of IPv4. */
const isMapped = (address: string) => isIPv6(address) && bitsOf(address).startsWith(`${'0'.repeat(80)}${'1'.repeat(16)}`);

/** Whether this reads as an address, be it well written or not. */
export const isAddress = (text = ''): boolean => addressIn(text) !== undefined;

/** What is wrong with an address; empty if nothing is. One that is not given at all is wrong, too. */
export function ipProblems(text = ''): string[] {
  const address = addressIn(text);
  if (address === undefined) return [IP_RULE];
  if (address !== text) return ['must not have leading 0s'];
  return isMapped(address) ? ['must not be an IPv4-mapped IPv6 address'] : [];
}

/** What is wrong with a CIDR. */
export function cidrProblems(text = ''): string[] {
  const slash = text.indexOf('/');
  const [given, prefix] = [text.slice(0, slash), text.slice(slash + 1)];
  const address = slash < 0 ? undefined : addressIn(given);
  if (address === undefined || !/^\d+$/.test(prefix) || Number(prefix) > (isIPv6(address) ? 128 : 32)) return [CIDR_RULE];
  if (address !== given || /^0\d/.test(prefix)) return ['must not have leading 0s in IP or prefix length'];
  if (isMapped(address)) return ['must not have an IPv4-mapped IPv6 address'];
  return hasHostBits(address, Number(prefix)) ? ['must not have bits set beyond the prefix length'] : [];
}

function hasHostBits(address: string, prefix: number): boolean {
  const bits = bitsOf(address);
  return bits.slice(prefix).includes('1');
}

/** The bits of an address as text. */
export function bitsOf(address: string): string {
  if (isIPv4(address))
    return address
      .split('.')
      .map((part) => Number(part).toString(2).padStart(8, '0'))
      .join('');
  const [head = '', tail] = address.split('::');
  const groups = (text: string) =>
    text === ''
      ? []
      : text.split(':').flatMap((part) => {
          if (!part.includes('.')) return [Number.parseInt(part, 16)];
          const [a = 0, b = 0, c = 0, d = 0] = part.split('.').map(Number);
          return [a * 256 + b, c * 256 + d];
        });
  const [left, right] = [groups(head), tail === undefined ? [] : groups(tail)];
  const zeros = new Array<number>(Math.max(0, 8 - left.length - right.length)).fill(0);
  return [...left, ...zeros, ...right].map((group) => group.toString(2).padStart(16, '0')).join('');
}

/** Whether two addresses or CIDRs of different families make a legal pair. */
export function isDualStackPair(texts: readonly string[]): boolean {
  return texts.length === 2 && texts[0]?.includes(':') !== texts[1]?.includes(':');
}

const V6_LOOPBACK = `${'0'.repeat(127)}1`;

/** What an address is for, if not for one host among others. Takes what {@link ipProblems} has nothing against. */
export function specialKindOf(address: string): 'unspecified' | 'loopback' | 'link-local' | 'link-local multicast' | undefined {
  const bits = bitsOf(address);
  if (!bits.includes('1')) return 'unspecified';
  if (bits.length === 32) {
    if (bits.startsWith('01111111')) return 'loopback';
    if (bits.startsWith('1010100111111110')) return 'link-local';
    return bits.startsWith('111000000000000000000000') ? 'link-local multicast' : undefined;
  }
  if (bits === V6_LOOPBACK) return 'loopback';
  if (bits.startsWith('1111111010')) return 'link-local';
  return /^1{8}....0010/.test(bits) ? 'link-local multicast' : undefined;
}

/** An address as RFC 5952 has it; only of those that {@link ipProblems} has nothing against. */
function canonicalIp(address: string): string {
  if (isIPv4(address)) return address;
  const bits = bitsOf(address);
  const groups = Array.from({ length: 8 }, (_, index) => Number.parseInt(bits.slice(index * 16, index * 16 + 16), 2).toString(16));
  const text = groups.join(':');
  // The longest run of zeros, the first of equals, becomes two colons; a single zero stays.
  const runs = [...text.matchAll(/(?<![^:])0(?::0)+(?![^:])/g)];
  const longest = runs.reduce<RegExpMatchArray | undefined>((best, it) => (best && best[0].length >= it[0].length ? best : it), undefined);
  if (longest === undefined) return text;
  const at = longest.index ?? 0;
  return `${text.slice(0, at).replace(/:$/, '')}::${text.slice(at + longest[0].length).replace(/^:/, '')}`;
}

/** What is said of an address that is right, but not written as it should be. */
export function ipWarnings(address: string, path: FieldPath): string[] {
  if (ipProblems(address).length > 0 || isIPv4(address)) return [];
  const canonical = canonicalIp(address);
  if (canonical === address) return [];
  return [`${path}: IPv6 address ${quote(address)} should be in RFC 5952 canonical format (${quote(canonical)})`];
}

/** The same of a range. */
export function cidrWarnings(cidr: string, path: FieldPath): string[] {
  if (cidrProblems(cidr).length > 0) return [];
  const [address = '', prefix = ''] = cidr.split('/');
  const canonical = `${canonicalIp(address)}/${prefix}`;
  if (canonical === cidr) return [];
  return [`${path}: IPv6 CIDR value ${quote(cidr)} should be in RFC 5952 canonical format (${quote(canonical)})`];
}
