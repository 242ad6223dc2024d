// SPDX-License-Identifier: Apache-2.0
// IP addresses and CIDRs in expressions (apiserver pkg/cel/library/ip.go and cidr.go), strict forms only, printed as Go prints
// them (RFC 5952).
import { isIPv4, isIPv6 } from 'node:net';
import type { Library } from '../declarations.ts';
import { failure, type Opaque, type Value } from '../values.ts';
import { addressProblem } from './address-problems.ts';

/** The bytes of an address, undefined if it is none. */
function bytesOf(text: string): readonly number[] | undefined {
  if (isIPv4(text)) return text.split('.').map(Number);
  if (!isIPv6(text) || text.includes('%')) return undefined;
  const groups = (part: string): number[] =>
    part === ''
      ? []
      : part.split(':').flatMap((group) => {
          if (group.includes('.')) return group.split('.').map(Number);
          const value = Number.parseInt(group, 16);
          return [value >> 8, value & 255];
        });
  const [head = '', tail] = text.split('::');
  const left = groups(head);
  const right = tail === undefined ? [] : groups(tail);
  return [...left, ...new Array<number>(16 - left.length - right.length).fill(0), ...right];
}

function print(bytes: readonly number[]): string {
  if (bytes.length === 4) return bytes.join('.');
  const groups = Array.from({ length: 8 }, (_, index) => (((bytes[index * 2] ?? 0) << 8) | (bytes[index * 2 + 1] ?? 0)).toString(16));
  const runs = [
    ...groups
      .map((group) => (group === '0' ? '0' : 'x'))
      .join('')
      .matchAll(/0{2,}/g),
  ];
  const longest = runs.reduce<RegExpExecArray | undefined>(
    (best, run) => (best === undefined || run[0].length > best[0].length ? run : best),
    undefined,
  );
  if (longest === undefined) return groups.join(':');
  return `${groups.slice(0, longest.index).join(':')}::${groups.slice(longest.index + longest[0].length).join(':')}`;
}

class IpValue implements Opaque {
  readonly opaque = 'net.IP';
  readonly bytes: readonly number[];
  constructor(bytes: readonly number[]) {
    this.bytes = bytes;
  }
  get size(): number {
    return this.bytes.length;
  }
  get text(): string {
    return print(this.bytes);
  }
  equals(other: unknown): boolean {
    return other instanceof IpValue && other.text === this.text;
  }
}

class CidrValue implements Opaque {
  readonly opaque = 'net.CIDR';
  readonly bytes: readonly number[];
  readonly bits: number;
  constructor(bytes: readonly number[], bits: number) {
    this.bytes = bytes;
    this.bits = bits;
  }
  get size(): number {
    return Math.ceil(this.bits / 8);
  }
  get text(): string {
    return `${print(this.bytes)}/${this.bits}`;
  }
  equals(other: unknown): boolean {
    return other instanceof CidrValue && other.text === this.text;
  }
  masked(): readonly number[] {
    return this.bytes.map((byte, index) => byte & (0xff00 >> Math.max(0, Math.min(8, this.bits - index * 8))) & 0xff);
  }
  contains(bytes: readonly number[]): boolean {
    if (bytes.length !== this.bytes.length) return false;
    const other = new CidrValue(bytes, this.bits).masked();
    return this.masked().every((byte, index) => byte === other[index]);
  }
}

function quoted(text: string): string {
  return JSON.stringify(text);
}

function parseIp(text: string): IpValue | string {
  const bytes = bytesOf(text);
  if (bytes !== undefined) {
    if (bytes.length === 16 && bytes.slice(0, 10).every((byte) => byte === 0) && bytes[10] === 255 && bytes[11] === 255)
      return `IPv4-mapped IPv6 address ${quoted(text)} is not allowed`;
    return new IpValue(bytes);
  }
  const [address = '', zone] = text.split('%');
  if (zone !== undefined && isIPv6(address)) return `IP address ${quoted(text)} with zone value is not allowed`;
  return `IP Address ${quoted(text)} parse error during conversion from string: ParseAddr(${quoted(text)}): ${addressProblem(text)}`;
}

function parseCidr(text: string): CidrValue | string {
  const why = (problem: string) =>
    `network address parse error during conversion from string: netip.ParsePrefix(${quoted(text)}): ${problem}`;
  const slash = text.lastIndexOf('/');
  if (slash < 0) return why("no '/'");
  const address = text.slice(0, slash);
  const prefix = text.slice(slash + 1);
  const bytes = bytesOf(address);
  if (bytes === undefined) {
    if (address.includes('%')) return why('IPv6 zones cannot be present in a prefix');
    return why(`ParseAddr(${quoted(address)}): ${addressProblem(address)}`);
  }
  if (!/^(?:0|[1-9]\d{0,2})$/.test(prefix)) return why(`bad bits after slash: ${quoted(prefix)}`);
  if (Number(prefix) > bytes.length * 8) return why('prefix length out of range');
  const parsed = parseIp(address);
  if (typeof parsed === 'string') return `IPv4-mapped IPv6 address ${quoted(text)} is not allowed`;
  return new CidrValue(bytes, Number(prefix));
}

/** What `cidr()` says of a text that is none: upstream puts the same words before it once more. */
function cidrOf(text: string): CidrValue | string {
  const parsed = parseCidr(text);
  return typeof parsed === 'string' ? `network address parse error during conversion from string: ${parsed}` : parsed;
}

function orFailure<T extends Opaque>(parsed: T | string): Value {
  return typeof parsed === 'string' ? failure(parsed) : parsed;
}

function ofIp<T extends Value>(read: (bytes: readonly number[]) => T): (value: Value | undefined) => T {
  return (value) => read((value as unknown as IpValue).bytes);
}

function containsText(cidr: Value | undefined, text: string): Value {
  const ip = parseIp(text);
  return typeof ip === 'string' ? failure('no such overload') : (cidr as unknown as CidrValue).contains(ip.bytes);
}

function containsCidr(cidr: Value | undefined, other: CidrValue | string): Value {
  if (typeof other === 'string') return failure(other);
  const outer = cidr as unknown as CidrValue;
  return outer.contains(other.masked()) && outer.bits <= other.bits;
}

const isV4 = (bytes: readonly number[]) => bytes.length === 4;
const first = (bytes: readonly number[], index = 0) => bytes[index] ?? 0;
const isUnspecified = (bytes: readonly number[]) => bytes.every((byte) => byte === 0);
const isLoopback = (bytes: readonly number[]) =>
  isV4(bytes) ? first(bytes) === 127 : bytes.every((byte, index) => byte === (index === 15 ? 1 : 0));
const isMulticast = (bytes: readonly number[]) => (isV4(bytes) ? (first(bytes) & 0xf0) === 0xe0 : first(bytes) === 0xff);
const isLinkLocalMulticast = (bytes: readonly number[]) =>
  isV4(bytes)
    ? first(bytes) === 224 && first(bytes, 1) === 0 && first(bytes, 2) === 0
    : first(bytes) === 0xff && (first(bytes, 1) & 0x0f) === 2;
const isLinkLocalUnicast = (bytes: readonly number[]) =>
  isV4(bytes) ? first(bytes) === 169 && first(bytes, 1) === 254 : first(bytes) === 0xfe && (first(bytes, 1) & 0xc0) === 0x80;
const isBroadcast = (bytes: readonly number[]) => isV4(bytes) && bytes.every((byte) => byte === 255);
const isGlobalUnicast = (bytes: readonly number[]) =>
  !(isUnspecified(bytes) || isLoopback(bytes) || isMulticast(bytes) || isLinkLocalUnicast(bytes) || isBroadcast(bytes));

export const ADDRESSES: Library = {
  ip: [
    ['string_to_ip', '(string)->IP', (text) => orFailure(parseIp(text as string))],
    ['cidr_ip', 'CIDR.()->IP', (value) => new IpValue((value as unknown as CidrValue).bytes)],
  ],
  isIP: [['is_ip', '(string)->bool', (text) => typeof parseIp(text as string) !== 'string']],
  'ip.isCanonical': [
    [
      'ip_is_canonical',
      '(string)->bool',
      (text) => {
        const parsed = parseIp(text as string);
        return typeof parsed === 'string' ? failure(parsed) : parsed.text === text;
      },
    ],
  ],
  family: [['ip_family', 'IP.()->int', ofIp((bytes) => (isV4(bytes) ? 4n : 6n))]],
  isUnspecified: [['ip_is_unspecified', 'IP.()->bool', ofIp(isUnspecified)]],
  isLoopback: [['ip_is_loopback', 'IP.()->bool', ofIp(isLoopback)]],
  isLinkLocalMulticast: [['ip_is_link_local_multicast', 'IP.()->bool', ofIp(isLinkLocalMulticast)]],
  isLinkLocalUnicast: [['ip_is_link_local_unicast', 'IP.()->bool', ofIp(isLinkLocalUnicast)]],
  isGlobalUnicast: [['ip_is_global_unicast', 'IP.()->bool', ofIp(isGlobalUnicast)]],
  cidr: [['string_to_cidr', '(string)->CIDR', (text) => orFailure(cidrOf(text as string))]],
  isCIDR: [['is_cidr', '(string)->bool', (text) => typeof parseCidr(text as string) !== 'string']],
  containsIP: [
    ['cidr_contains_ip_string', 'CIDR.(string)->bool', (cidr, text) => containsText(cidr, text as string)],
    ['cidr_contains_ip_ip', 'CIDR.(IP)->bool', (cidr, ip) => (cidr as unknown as CidrValue).contains((ip as unknown as IpValue).bytes)],
  ],
  containsCIDR: [
    ['cidr_contains_cidr_string', 'CIDR.(string)->bool', (cidr, text) => containsCidr(cidr, cidrOf(text as string))],
    ['cidr_contains_cidr', 'CIDR.(CIDR)->bool', (cidr, other) => containsCidr(cidr, other as unknown as CidrValue)],
  ],
  prefixLength: [['cidr_prefix_length', 'CIDR.()->int', (value) => BigInt((value as unknown as CidrValue).bits)]],
  masked: [
    [
      'cidr_masked',
      'CIDR.()->CIDR',
      (value) => {
        const cidr = value as unknown as CidrValue;
        return new CidrValue(cidr.masked(), cidr.bits);
      },
    ],
  ],
  string: [
    ['ip_to_string', '(IP)->string', (value) => (value as unknown as IpValue).text],
    ['cidr_to_string', '(CIDR)->string', (value) => (value as unknown as CidrValue).text],
  ],
};
