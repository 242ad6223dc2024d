// SPDX-License-Identifier: Apache-2.0
// The text of an expression and what is wrong with it, printed as cel-go prints it: the place, the line and a mark below.

/** Upstream's limits of an expression. */
export const LIMITS = { codePoints: 100_000, depth: 250, issues: 100, copies: 50_000 };

export interface Issue {
  /** Offset in code points; -1 for the whole. */
  readonly at: number;
  readonly message: string;
}

export class Source {
  readonly text: string;
  readonly issues: Issue[] = [];
  /** Offsets of the beginnings of lines. */
  readonly #lines: number[] = [0];
  readonly #points: readonly string[];
  #copies = 0;

  constructor(text: string) {
    this.text = text;
    this.#points = [...text];
    for (const [index, point] of this.#points.entries()) if (point === '\n') this.#lines.push(index + 1);
  }

  get length(): number {
    return this.#points.length;
  }

  report(at: number, message: string): void {
    if (this.issues.length < LIMITS.issues) this.issues.push({ at, message });
  }

  /** Counts a node that a macro copies; too many are an issue of the expression. */
  mayCopy(): boolean {
    this.#copies += 1;
    if (this.#copies === LIMITS.copies) this.report(-1, `expression node limit exceeded: ${LIMITS.copies}`);
    return this.#copies < LIMITS.copies;
  }

  #place(at: number): { readonly line: number; readonly column: number } {
    let line = 0;
    while (line + 1 < this.#lines.length && (this.#lines[line + 1] ?? 0) <= at) line += 1;
    return { line, column: at - (this.#lines[line] ?? 0) };
  }

  #print({ at, message }: Issue): string {
    if (at < 0) return `ERROR: <input>:-1:0: ${message}`;
    const { line, column } = this.#place(at);
    const begin = this.#lines[line] ?? 0;
    const end = line + 1 < this.#lines.length ? (this.#lines[line + 1] ?? 0) - 1 : this.#points.length;
    const text = this.#points.slice(begin, end).join('').replaceAll('\t', ' ');
    const mark = this.#points.slice(begin, begin + column).map((point) => (isWide(point) ? '．' : '.'));
    while (mark.length < column) mark.push('.');
    const here = this.#points[begin + column];
    return `ERROR: <input>:${line + 1}:${column + 1}: ${message}\n | ${text}\n | ${mark.join('')}${here !== undefined && isWide(here) ? '＾' : '^'}`;
  }

  /** Every issue in order of place, as upstream prints them. */
  print(): string {
    const order = this.issues.map((issue, index) => ({ issue, index }));
    order.sort((a, b) => a.issue.at - b.issue.at || a.index - b.index);
    return order.map(({ issue }) => this.#print(issue)).join('\n');
  }
}

/** Characters of several bytes: the mark below them is a wide one. */
function isWide(point: string): boolean {
  return point > '\x7f';
}
