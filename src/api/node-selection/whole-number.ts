// SPDX-License-Identifier: Apache-2.0
// The numbers that `Gt` and `Lt` compare.

export function isWhole(value: string | undefined): value is string {
  return value !== undefined && /^-?\d+$/.test(value);
}
