// SPDX-License-Identifier: Apache-2.0
// What is wrong with a text that should be a resourceVersion, in the words of Go's strconv.
import { quote } from '#machinery';

const MAX = 18_446_744_073_709_551_615n;
/** So many digits always fit. */
const SAFE_DIGITS = 19;

/** Undefined where it is one. */
export function versionProblem(text: string): string | undefined {
  if (!/^\d+$/.test(text)) return `strconv.ParseUint: parsing ${quote(text)}: invalid syntax`;
  if (text.length > SAFE_DIGITS && BigInt(text) > MAX) return `strconv.ParseUint: parsing ${quote(text)}: value out of range`;
  return undefined;
}
