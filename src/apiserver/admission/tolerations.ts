// SPDX-License-Identifier: Apache-2.0
// Lists of tolerations put together without what says nothing more.
// @source upstream pkg/util/tolerations
import type { Toleration } from '#api/core/v1';
import { semanticEqual } from '#machinery';

const isAny = (text: string | undefined) => text === undefined || text === '';

/** Whether everything that `tolerated` tolerates, `by` does too. */
export function isCovered(tolerated: Toleration, by: Toleration): boolean {
  if (semanticEqual(tolerated, by)) return true;
  if (!(isAny(by.key) && by.operator === 'Exists') && (tolerated.key ?? '') !== (by.key ?? '')) return false;
  if (!isAny(by.effect) && tolerated.effect !== by.effect) return false;
  if (by.effect === 'NoExecute' && by.tolerationSeconds !== undefined) {
    if (tolerated.tolerationSeconds === undefined || tolerated.tolerationSeconds > by.tolerationSeconds) return false;
  }
  if (by.operator === 'Exists') return true;
  return (tolerated.operator ?? 'Equal') !== 'Exists' && (tolerated.value ?? '') === (by.value ?? '');
}

/** Both lists in one; what others in it cover is left out, and of two alike the second. */
export function mergedTolerations(first: readonly Toleration[], second: readonly Toleration[]): Toleration[] {
  const all = [...first, ...second];
  return all.filter((toleration, index) => {
    if (all.slice(0, index).some((other) => isCovered(toleration, other))) return false;
    return !all.slice(index + 1).some((other) => !semanticEqual(toleration, other) && isCovered(toleration, other));
  });
}
