// SPDX-License-Identifier: Apache-2.0
// What is said of addresses and CIDRs that are taken but not written as they should be.
// @source upstream apimachinery pkg/util/validation/ip.go GetWarningsForIP, GetWarningsForCIDR
import { isIPv4 } from 'node:net';
import { type FieldPath, quote } from '../../machinery/mod.ts';
import { canonicalAddress, cidrProblems, ipProblems, rangeIn } from './ip.ts';

const LATER = 'will be considered invalid in a future Kubernetes release: use';

export function ipWarnings(address: string, path: FieldPath): string[] {
  if (isIPv4(address)) return [];
  const canonical = canonicalAddress(address);
  if (canonical === undefined || canonical === address) return [];
  if (ipProblems(address).length > 0) return [`${path}: non-standard IP address ${quote(address)} ${LATER} ${quote(canonical)}`];
  return [`${path}: IPv6 address ${quote(address)} should be in RFC 5952 canonical format (${quote(canonical)})`];
}

/** The same of a range. */
export function cidrWarnings(cidr: string, path: FieldPath): string[] {
  const range = rangeIn(cidr);
  if (range === undefined) return [];
  const { address, network, prefix, size } = range;
  const canonical = `${network}/${prefix}`;
  if (canonical === cidr) return [];
  const isOdd = cidrProblems(`${cidr.slice(0, cidr.indexOf('/'))}/${size}`).length > 0 || /\/0\d/.test(cidr);
  const warnings: string[] = [];
  if (address !== network) {
    const choice = `(should be ${quote(canonical)} or ${quote(`${address}/${size}`)}?)`;
    warnings.push(`${path}: CIDR value ${quote(cidr)} is ambiguous in this context ${choice}`);
  }
  if (isOdd) warnings.push(`${path}: non-standard CIDR value ${quote(cidr)} ${LATER} ${quote(canonical)}`);
  else if (address === network)
    warnings.push(`${path}: IPv6 CIDR value ${quote(cidr)} should be in RFC 5952 canonical format (${quote(canonical)})`);
  return warnings;
}
