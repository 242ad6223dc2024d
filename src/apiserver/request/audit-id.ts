// SPDX-License-Identifier: Apache-2.0
// Ids that tell requests apart. They keep no secret, so one random id serves many requests, whose count takes its last digits: a
// random one for each was 2 % of a GET's time.
import { randomUUID } from 'node:crypto';

const DIGITS = 3;
const SUFFIXES = Array.from({ length: 16 ** DIGITS }, (_, count) => count.toString(16).padStart(DIGITS, '0'));

let base = '';
let next = SUFFIXES.length;

/** A new id, in the form of a UUID. */
export function newAuditId(): string {
  if (next === SUFFIXES.length) {
    base = randomUUID().slice(0, -DIGITS);
    next = 0;
  }
  const suffix = SUFFIXES[next] ?? '';
  next += 1;
  return base + suffix;
}
