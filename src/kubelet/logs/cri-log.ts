// SPDX-License-Identifier: Apache-2.0
// The CRI log format: `<RFC 3339 time> <stdout|stderr> <tags> <text>`. Tag P: the line goes on in the next entry; F: it ends here.
// @source upstream cri-client/pkg/logs/logs.go

export interface LogEntry {
  /** As written, with nanoseconds. */
  readonly time: string;
  readonly stream: 'stdout' | 'stderr';
  /** The line goes on. */
  readonly partial: boolean;
  readonly text: Buffer;
}

const SPACE = 0x20;

/** @param line Without its newline. @returns Undefined if it is no entry. */
export function parseLogEntry(line: Buffer): LogEntry | undefined {
  const first = line.indexOf(SPACE);
  const second = line.indexOf(SPACE, first + 1);
  if (first <= 0 || second < 0) return undefined;
  const third = line.indexOf(SPACE, second + 1);
  const time = line.toString('latin1', 0, first);
  const stream = line.toString('latin1', first + 1, second);
  const tags = line.toString('latin1', second + 1, third < 0 ? line.length : third);
  if ((stream !== 'stdout' && stream !== 'stderr') || Number.isNaN(Date.parse(time))) return undefined;
  const tag = tags.split(':')[0];
  if (tag !== 'F' && tag !== 'P') return undefined;
  return { time, stream, partial: tag === 'P', text: third < 0 ? Buffer.alloc(0) : line.subarray(third + 1) };
}

/** Cuts chunks into lines; what has no newline yet waits. */
export class LineSplitter {
  #rest: Buffer = Buffer.alloc(0);

  push(chunk: Buffer): Buffer[] {
    const data = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const lines: Buffer[] = [];
    let at = 0;
    for (let end = data.indexOf(0x0a, at); end >= 0; end = data.indexOf(0x0a, at)) {
      lines.push(data.subarray(at, end));
      at = end + 1;
    }
    this.#rest = data.subarray(at);
    return lines;
  }
}
