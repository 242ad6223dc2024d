// SPDX-License-Identifier: Apache-2.0
// IP addresses and CIDRs as the API takes them: strict forms in fields that are older than the rules, canonical ones in newer fields,
// with upstream's texts. @source upstream apimachinery pkg/util/validation/ip.go
import { isIPv4, isIPv6 } from 'node:net';
import { type FieldCause, type FieldPath, invalidValue, quote } from '../../machinery/mod.ts';

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

/** An address as Go prints it: of IPv6 in the form of RFC 5952, of IPv4 in the shape of IPv6 as IPv4. Undefined for what is none. */
export function canonicalAddress(text: string): string | undefined {
  const address = addressIn(text);
  if (address === undefined || isIPv4(address)) return address;
  const bits = bitsOf(address);
  if (isMapped(address))
    return Array.from({ length: 4 }, (_, index) => Number.parseInt(bits.slice(96 + index * 8, 104 + index * 8), 2)).join('.');
  return shortened(bits);
}

function shortened(bits: string): string {
  const groups = Array.from({ length: 8 }, (_, index) => Number.parseInt(bits.slice(index * 16, index * 16 + 16), 2).toString(16));
  const text = groups.join(':');
  // The longest run of zeros, the first of equals, becomes two colons; a single zero stays.
  const runs = [...text.matchAll(/(?<![^:])0(?::0)+(?![^:])/g)];
  const longest = runs.reduce<RegExpMatchArray | undefined>((best, it) => (best && best[0].length >= it[0].length ? best : it), undefined);
  if (longest === undefined) return text;
  const at = longest.index ?? 0;
  return `${text.slice(0, at).replace(/:$/, '')}::${text.slice(at + longest[0].length).replace(/^:/, '')}`;
}

export interface Range {
  /** The address that is given, canonical. */
  readonly address: string;
  /** The one without the bits beyond the prefix, canonical. */
  readonly network: string;
  readonly prefix: number;
  /** Bits of an address of this family as it is written. */
  readonly size: 32 | 128;
}

/** A CIDR, however badly written; undefined for what is none. */
export function rangeIn(text: string): Range | undefined {
  const slash = text.indexOf('/');
  const [given, length] = [text.slice(0, slash), text.slice(slash + 1)];
  const address = slash < 0 ? undefined : addressIn(given);
  const size = address !== undefined && isIPv6(address) ? 128 : 32;
  if (address === undefined || !/^\d+$/.test(length) || Number(length) > size) return undefined;
  const bits = bitsOf(address).slice(0, Number(length)).padEnd(size, '0');
  const prefix = isMapped(address) && Number(length) >= 96 ? Number(length) - 96 : Number(length);
  return { address: canonicalAddress(given) ?? given, network: addressOfBits(bits), prefix, size };
}

function addressOfBits(bits: string): string {
  if (bits.length === 128) return canonicalAddress(shortened(bits)) ?? '';
  return Array.from({ length: 4 }, (_, index) => Number.parseInt(bits.slice(index * 8, index * 8 + 8), 2)).join('.');
}

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

const notCanonical = (canonical: string) => `must be in canonical form (${quote(canonical)})`;

/** What is wrong with an address in a field that takes one form of each. */
export function canonicalIpProblems(text = ''): string[] {
  const wrong = ipProblems(text);
  const canonical = canonicalAddress(text);
  return wrong.length > 0 || canonical === undefined || canonical === text ? wrong : [notCanonical(canonical)];
}

/** The same of a CIDR. */
export function canonicalCidrProblems(text = ''): string[] {
  const wrong = cidrProblems(text);
  const range = rangeIn(text);
  const canonical = range && `${range.network}/${range.prefix}`;
  return wrong.length > 0 || canonical === undefined || canonical === text ? wrong : [notCanonical(canonical)];
}

const INTERFACE_RULE = 'must be a valid address in CIDR form, (e.g. 10.9.8.7/24 or 2001:db8::1/64)';

/** An address with the length of its network, in the one form that it has. */
export function interfaceCauses(text: string, path: FieldPath): FieldCause[] {
  const range = rangeIn(text);
  if (range === undefined) return [invalidValue(path, text, INTERFACE_RULE)];
  const canonical = `${range.address}/${range.prefix}`;
  return canonical === text ? [] : [invalidValue(path, text, notCanonical(canonical))];
}
