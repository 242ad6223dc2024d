// SPDX-License-Identifier: Apache-2.0
// Addresses in names: `4.3.2.1.in-addr.arpa`, nibbles of `ip6.arpa`, and dashes. Pure.
import { isIPv4, isIPv6 } from 'node:net';

/** The address a reverse name is about, IPv6 in its shortest form; undefined for any other name. */
export function addressOfReverseName(name: string): string | undefined {
  const v4 = /^([\d.]+)\.in-addr\.arpa$/.exec(name)?.[1]?.split('.').reverse().join('.');
  if (v4 !== undefined) return isIPv4(v4) ? v4 : undefined;
  const nibbles = /^((?:[0-9a-f]\.){32})ip6\.arpa$/.exec(name)?.[1]?.split('.').reverse().join('');
  return nibbles === undefined ? undefined : shorten(nibbles.match(/.{4}/g)?.join(':') ?? '');
}

export function dashed(address: string): string {
  return address.replaceAll('.', '-').replaceAll(':', '-');
}

/** RFC 5952. */
function shorten(address: string): string | undefined {
  return isIPv6(address) ? new URL(`http://[${address}]/`).hostname.slice(1, -1) : undefined;
}
