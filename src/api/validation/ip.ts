// SPDX-License-Identifier: Apache-2.0
// IP addresses and CIDRs as the API takes them (apimachinery's validation/ip.go): strict forms only, with upstream's texts.
import { isIPv4, isIPv6 } from 'node:net';

const IP_RULE = 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)';
const CIDR_RULE = 'must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)';

const hasLeadingZeros = (text: string) =>
  /^\d+(\.\d+){3}$/.test(text) && text.split('.').some((part) => part.length > 1 && part.startsWith('0'));

/** What is wrong with an address; empty if nothing is. */
export function ipProblems(text: string): string[] {
  if (hasLeadingZeros(text)) return ['must not have leading 0s'];
  if (/^::ffff:\d+\.\d+\.\d+\.\d+$/i.test(text) && isIPv6(text)) return ['must not be an IPv4-mapped IPv6 address'];
  return (isIPv4(text) || isIPv6(text)) && !text.includes('%') ? [] : [IP_RULE];
}

/** What is wrong with a CIDR. */
export function cidrProblems(text: string): string[] {
  const slash = text.indexOf('/');
  const [address, prefix] = [text.slice(0, slash), text.slice(slash + 1)];
  const isV6 = isIPv6(address);
  const most = isV6 ? 128 : 32;
  if (slash >= 0 && hasLeadingZeros(address)) return ['must not have leading 0s in IP'];
  if (slash < 0 || !(isV6 || isIPv4(address)) || !/^\d{1,3}$/.test(prefix) || Number(prefix) > most) return [CIDR_RULE];
  if (prefix.length > 1 && prefix.startsWith('0')) return ['must not have leading 0s in prefix length'];
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
