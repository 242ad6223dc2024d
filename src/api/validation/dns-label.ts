// SPDX-License-Identifier: Apache-2.0
// The rule of names that are one part of a domain name: a DNS label, and a clear word to those who wrote dots.
import { checkDns1123Label, checkDns1123Subdomain } from '../../machinery/mod.ts';

/** A label without dots, where a subdomain's single part is wanted. */
export function dnsLabelProblems(text: string): readonly string[] {
  if (text.includes('.') && checkDns1123Subdomain(text).length === 0) return ['must not contain dots'];
  return checkDns1123Label(text);
}
