// SPDX-License-Identifier: Apache-2.0
// Reads a container's log as a client asked for it: the tail, since a time, with timestamps, at most so many bytes, and following
// it, over rotations, until the container has ended. Follows by file system events. Of rotated files only the live one is read.
// @source upstream cri-client/pkg/logs/{logs,tail}.go
import { watch } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { LineSplitter, type LogEntry, parseLogEntry } from './cri-log.ts';

export interface LogOptions {
  readonly follow: boolean;
  readonly timestamps: boolean;
  readonly tailLines: number | undefined;
  readonly limitBytes: number | undefined;
  /** Milliseconds since the epoch. */
  readonly since: number | undefined;
  readonly stream: 'stdout' | 'stderr' | undefined;
}

export interface LogSource {
  readonly path: string;
  /** Whether more may come. */
  isRunning(): boolean;
  /** Calls `wake` when the container has ended. Undone with the signal. */
  onEnd(wake: () => void, signal: AbortSignal): void;
}

const CHUNK = 64 * 1024;

/** @throws If the file cannot be opened. Ends when all is read, or with the container when following, or with the signal. */
export async function* readLogs(source: LogSource, options: LogOptions, signal: AbortSignal): AsyncGenerator<Buffer> {
  const writer = new EntryWriter(options);
  let file = await open(source.path, 'r');
  const changes = options.follow ? new Changes(source, signal) : undefined;
  try {
    let position = options.tailLines === undefined ? 0 : await tailStart(file, options.tailLines);
    let splitter = new LineSplitter();
    for (;;) {
      const running = source.isRunning(); // Before reading: what it wrote last is then read too.
      for await (const chunk of chunksFrom(file, position)) {
        position += chunk.length;
        for (const line of splitter.push(chunk)) {
          const bytes = writer.take(line);
          if (bytes.length > 0) yield bytes;
          if (writer.isFull) return;
        }
      }
      if (changes === undefined || signal.aborted) return;
      const next = await reopened(source.path, file, position);
      if (next !== undefined) {
        await file.close();
        file = next;
        position = 0;
        splitter = new LineSplitter();
      } else if (!running) return;
      else await changes.next();
    }
  } finally {
    changes?.close();
    await file.close();
  }
}

async function* chunksFrom(file: FileHandle, start: number): AsyncGenerator<Buffer> {
  for (let at = start; ; ) {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(CHUNK), 0, CHUNK, at);
    if (bytesRead === 0) return;
    at += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

/** The file that stands at the path now, if it is another or was cut. */
async function reopened(path: string, file: FileHandle, position: number): Promise<FileHandle | undefined> {
  const fresh = await open(path, 'r').catch(() => undefined);
  if (fresh === undefined) return undefined; // Between the rename and the runtime's new file.
  const [own, other] = [await file.stat(), await fresh.stat()];
  if (own.ino !== other.ino || other.size < position) return fresh;
  await fresh.close();
  return undefined;
}

/** Where the last `lines` lines begin. */
export async function tailStart(file: FileHandle, lines: number): Promise<number> {
  const { size } = await file.stat();
  if (lines <= 0) return size;
  let left = lines + 1; // The newline at the very end closes the last line.
  let end = size;
  while (end > 0) {
    const start = Math.max(0, end - CHUNK);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(end - start), 0, end - start, start);
    for (let at = bytesRead - 1; at >= 0; at--) {
      if (buffer[at] !== 0x0a) continue;
      left -= 1;
      if (left === 0) return start + at + 1;
    }
    end = start;
  }
  return 0;
}

class EntryWriter {
  readonly #options: LogOptions;
  #left: number;
  #midLine = false;

  constructor(options: LogOptions) {
    this.#options = options;
    this.#left = options.limitBytes ?? Number.POSITIVE_INFINITY;
  }

  get isFull(): boolean {
    return this.#left <= 0;
  }

  take(line: Buffer): Buffer {
    const entry = parseLogEntry(line);
    if (entry === undefined || !this.#wanted(entry)) return Buffer.alloc(0);
    const parts = [entry.text];
    if (this.#options.timestamps && !this.#midLine) parts.unshift(Buffer.from(`${entry.time} `));
    if (!entry.partial) parts.push(Buffer.from('\n'));
    this.#midLine = entry.partial;
    const bytes = Buffer.concat(parts);
    const kept = bytes.length > this.#left ? bytes.subarray(0, this.#left) : bytes;
    this.#left -= kept.length;
    return kept;
  }

  #wanted({ stream, time }: LogEntry): boolean {
    if (this.#options.stream !== undefined && this.#options.stream !== stream) return false;
    return this.#options.since === undefined || Date.parse(time) >= this.#options.since;
  }
}

/** Wakes the reader when something in the log's folder changes, the container ends or the client goes. */
class Changes {
  readonly #watcher: ReturnType<typeof watch>;
  readonly #stop = new AbortController();
  #pending = false;
  #wake: (() => void) | undefined;

  constructor(source: LogSource, signal: AbortSignal) {
    const note = () => {
      this.#pending = true;
      this.#wake?.();
    };
    this.#watcher = watch(dirname(source.path), note);
    this.#watcher.on('error', note);
    source.onEnd(note, this.#stop.signal);
    signal.addEventListener('abort', note, { once: true, signal: this.#stop.signal });
  }

  async next(): Promise<void> {
    if (!this.#pending) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    this.#pending = false;
    this.#wake = undefined;
  }

  close(): void {
    this.#watcher.close();
    this.#stop.abort();
  }
}
