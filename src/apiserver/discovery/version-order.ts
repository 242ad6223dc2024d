// SPDX-License-Identifier: Apache-2.0
// The order of an API's versions, best first: v10, v2, v1, v11beta2, v10beta3, v3beta1, v12alpha1, foo1, foo10.
// @source upstream apimachinery pkg/version/helpers.go CompareKubeAwareVersionStrings

const PATTERN = /^v(\d+)(?:(alpha|beta)(\d+))?$/;
const STABILITY: Readonly<Record<string, number>> = { alpha: 0, beta: 1 };

/** Negative where `a` comes first. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [partsOf(a), partsOf(b)];
  if (left === undefined || right === undefined) {
    if (left !== undefined) return -1;
    if (right !== undefined) return 1;
    return a < b ? -1 : a > b ? 1 : 0;
  }
  return right[0] - left[0] || right[1] - left[1] || right[2] - left[2];
}

/** Stability, major, minor. */
function partsOf(version: string): readonly [number, number, number] | undefined {
  const match = PATTERN.exec(version);
  if (match === null) return undefined;
  const [, major = '0', stability, minor = '0'] = match;
  return [stability === undefined ? 2 : (STABILITY[stability] ?? 0), Number(major), Number(minor)];
}
