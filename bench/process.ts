// SPDX-License-Identifier: Apache-2.0
// Processes under measurement: read by the lines of their log (stderr), looked at through /proc, stopped at the end of the block.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

export const ROOT = join(import.meta.dirname, '..');
const TICKS_PER_SECOND = 100;

/** A folder that is gone after the block. */
export function temporaryFolder(): Disposable & { readonly path: string } {
  const path = mkdtempSync(join(tmpdir(), 'sagong-bench-'));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

export class Measured implements AsyncDisposable {
  readonly child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly #exited: Promise<void>;

  constructor(command: string, args: readonly string[], environment: NodeJS.ProcessEnv = {}) {
    this.child = spawn(command, args, { cwd: ROOT, stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, ...environment } });
    this.#exited = new Promise((resolve) => this.child.once('exit', () => resolve()));
    if (this.child.stderr === null) throw new Error(`start ${command}: no output to read`);
    this.#lines = createInterface({ input: this.child.stderr })[Symbol.asyncIterator]();
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  /** Reads output until a line yields something. @throws {Error} If the process ends before. */
  async until<T>(find: (line: string) => T | undefined): Promise<T> {
    for (;;) {
      const { value, done } = await this.#lines.next();
      if (done) throw new Error(`wait for a line of process ${this.pid}: it ended`);
      const found = find(value);
      if (found !== undefined) {
        this.child.stderr?.resume(); // The rest is let go.
        return found;
      }
    }
  }

  /** Stops it and waits. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill('SIGTERM');
    await this.#exited;
  }
}

export interface Usage {
  readonly pid: number;
  readonly command: string;
  readonly residentBytes: number;
  readonly cpuSeconds: number;
}

/** What a process uses by now; undefined once it is gone. */
export function usageOf(pid: number): Usage | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').filter(Boolean).join(' ');
    const residentBytes = Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0) * 1024;
    return { pid, command, residentBytes, cpuSeconds: (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND };
  } catch {
    return undefined;
  }
}

/** Processes whose command line says `text`. */
export function processesWith(text: string): Usage[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
  return pids.flatMap((pid) => usageOf(Number(pid)) ?? []).filter(({ command }) => command.includes(text));
}
