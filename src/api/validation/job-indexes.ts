// SPDX-License-Identifier: Apache-2.0
// Lists of indexes of a Job's Pods, `1,3-5`, in rising order. @source upstream pkg/apis/batch/validation validateIndexesFormat

/** How many indexes a list has, or what is wrong with it. @param completions All indexes are below. */
export function countIndexes(text: string, completions: number): number | string {
  if (text === '') return 0;
  let [total, last] = [0, -1];
  for (const part of text.split(',')) {
    const limits = part.split('-');
    if (limits.length > 2)
      return `the fragment ${JSON.stringify(part)} violates the requirement that an index interval can have at most two parts separated by '-'`;
    const [low = '', high = low] = limits;
    for (const limit of new Set([low, high])) {
      if (!/^[+]?[0-9]+$/.test(limit)) return `cannot convert string to integer for index: ${JSON.stringify(limit)}`;
      if (Number(limit) >= completions) return `too large index: ${JSON.stringify(limit)}`;
    }
    const [from, to] = [Number(low), Number(high)];
    if (limits.length === 2 && from >= to) return `non-increasing order, previous: ${from}, current: ${to}`;
    if (from <= last) return `non-increasing order, previous: ${last}, current: ${from}`;
    total += to - from + 1;
    last = to;
  }
  return total;
}
