// SPDX-License-Identifier: Apache-2.0
// Lists of indexes of a Job's Pods, `1,3-5`, in rising order. @source upstream pkg/apis/batch/validation validateIndexesFormat

type Interval = readonly [from: number, to: number];

function parseInterval(part: string, completions: number): Interval | string {
  const limits = part.split('-');
  if (limits.length > 2)
    return `the fragment ${JSON.stringify(part)} violates the requirement that an index interval can have at most two parts separated by '-'`;
  const [low = '', high] = limits;
  for (const limit of high === undefined ? [low] : [low, high]) {
    if (!/^[+]?[0-9]+$/.test(limit)) return `cannot convert string to integer for index: ${JSON.stringify(limit)}`;
    if (Number(limit) >= completions) return `too large index: ${JSON.stringify(limit)}`;
  }
  const [from, to] = [Number(low), Number(high ?? low)];
  return high !== undefined && from >= to ? `non-increasing order, previous: ${from}, current: ${to}` : [from, to];
}

/** How many indexes a list has, or what is wrong with it. @param completions All indexes are below. */
export function countIndexes(text: string, completions: number): number | string {
  if (text === '') return 0;
  let [total, last] = [0, -1];
  for (const part of text.split(',')) {
    const interval = parseInterval(part, completions);
    if (typeof interval === 'string') return interval;
    const [from, to] = interval;
    if (from <= last) return `non-increasing order, previous: ${last}, current: ${from}`;
    total += to - from + 1;
    last = to;
  }
  return total;
}

/** The first index that is in both lists. Parts that do not parse are passed over: they are complained of elsewhere. */
export function overlapOf(one: string, other: string, completions: number): number | undefined {
  if (one === '' || other === '') return undefined;
  const intervals = (text: string) =>
    text.split(',').flatMap((part) => {
      const interval = parseInterval(part, completions);
      return typeof interval === 'string' ? [] : [interval];
    });
  const [left, right] = [intervals(one), intervals(other)];
  for (let [i, j] = [0, 0]; i < left.length && j < right.length; ) {
    const [[a, b], [c, d]] = [left[i] as Interval, right[j] as Interval];
    if (a <= d && c <= b) return Math.max(a, c);
    if (a <= c) i += 1;
    else j += 1;
  }
  return undefined;
}
