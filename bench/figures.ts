// SPDX-License-Identifier: Apache-2.0
// What a measurement yields, and the table that all of them end in. Figures are of one run on one machine: they are shown beside
// the budget of docs/performance.md, never asserted.

export interface Figure {
  readonly name: string;
  /** As shown, with its unit: `31.2k/s`, `142 MB`. */
  readonly value: string;
  /** The same work by a bare server in the same run, where there is one. */
  readonly bare?: string;
  /** What is compared with the budget: a share of bare, seconds, megabytes, percent. */
  readonly measured: number;
  readonly budget?: { readonly limit: number; readonly kind: 'at least' | 'at most'; readonly unit: string };
}

export interface Measurement {
  readonly name: string;
  /** What it takes beside Node, for those who choose. */
  readonly needs: string;
  run(): Promise<readonly Figure[]>;
}

export function perSecond(rate: number): string {
  return rate >= 1000 ? `${(rate / 1000).toFixed(1)}k/s` : `${rate.toFixed(rate < 10 ? 2 : 0)}/s`;
}

export function milliseconds(ms: number): string {
  return ms >= 1000 ? `${(ms / 1000).toFixed(2)} s` : `${ms.toFixed(0)} ms`;
}

/** Rates of one round of two servers. */
export interface Round {
  readonly ours: number;
  readonly bare: number;
}

/** A rate as a share of the bare server's: the median over the rounds. */
export function shareOf(name: string, rounds: readonly Round[], atLeast: number): Figure {
  return {
    name,
    value: perSecond(median(rounds.map(({ ours }) => ours))),
    bare: perSecond(median(rounds.map(({ bare }) => bare))),
    measured: median(rounds.map(({ ours, bare }) => ours / bare)),
    budget: { limit: atLeast, kind: 'at least', unit: '' },
  };
}

export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

/** A time against its longest. */
export function duration(name: string, ms: number, atMostSeconds?: number): Figure {
  const figure = { name, value: milliseconds(ms), measured: ms / 1000 };
  return atMostSeconds === undefined ? figure : { ...figure, budget: { limit: atMostSeconds, kind: 'at most', unit: ' s' } };
}

/** Rows of a Markdown table. */
export function tableOf(figures: readonly Figure[]): string {
  const rows = figures.map((figure) => {
    const { budget } = figure;
    const met =
      budget === undefined
        ? ''
        : (budget.kind === 'at least' ? figure.measured >= budget.limit : figure.measured <= budget.limit)
          ? 'yes'
          : 'no';
    const share = figure.bare === undefined ? '' : figure.measured.toFixed(2);
    return [
      figure.name,
      figure.value,
      figure.bare ?? '',
      share,
      budget === undefined ? '' : `${budget.kind} ${budget.limit}${budget.unit}`,
      met,
    ];
  });
  const all = [['work', 'sagong', 'bare server', 'share', 'budget', 'met'], ...rows];
  const widths = all[0]?.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0))) ?? [];
  const line = (row: readonly string[]) => `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  return [line(all[0] ?? []), `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`, ...all.slice(1).map(line)].join('\n');
}
