// SPDX-License-Identifier: Apache-2.0
// Talks to the kernel through `nft`: transactions in, and through `nft monitor` word of what others do to our table.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { type Clock, systemClock } from '#component';

export interface NftResult {
  readonly ok: boolean;
  readonly error: string;
}

const RESTART_MS = 10_000;
const REMEMBERED = 64;

export class Nft {
  readonly #own: number[] = [];
  readonly #clock: Clock;

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
  }

  /** One transaction: all of it or nothing. */
  apply(commands: string): Promise<NftResult> {
    return new Promise((resolve, reject) => {
      const child = spawn('nft', ['-f', '-'], { stdio: ['pipe', 'ignore', 'pipe'] });
      if (child.pid !== undefined) this.#own.push(child.pid);
      if (this.#own.length > REMEMBERED) this.#own.shift();
      let error = '';
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        error = (error + text).slice(0, 8192);
      });
      child.once('error', (cause) => reject(new Error(`run "nft": ${cause.message}`, { cause })));
      child.once('close', (code) => resolve({ ok: code === 0, error: error.trim() }));
      child.stdin.on('error', () => {});
      child.stdin.end(commands);
    });
  }

  /** Calls `changed` when another process removes something of the table, or may have while we could not see. Until `signal`. */
  async watchTable(table: string, changed: () => void, signal: AbortSignal): Promise<void> {
    for (let first = true; !signal.aborted; first = false) {
      if (!first) changed();
      await this.#follow(table, changed, signal);
      if (!signal.aborted) await this.#clock.sleep(RESTART_MS, signal).catch(() => {});
    }
  }

  /** Each transaction's changes come first, then a line that names the process. */
  #follow(table: string, changed: () => void, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const child = spawn('nft', ['monitor'], { stdio: ['ignore', 'pipe', 'ignore'] });
      const stop = (): void => void child.kill('SIGKILL');
      signal.addEventListener('abort', stop, { once: true });
      const removal = new RegExp(`^delete (?:table|chain|rule|set|map|element) ip6? ${table}(?: |$)`);
      let removed = false;
      createInterface({ input: child.stdout }).on('line', (line) => {
        if (removal.test(line)) removed = true;
        const author = /^# new generation \d+ by process (\d+)/.exec(line)?.[1];
        if (author === undefined) return;
        if (removed && !this.#own.includes(Number(author))) changed();
        removed = false;
      });
      const end = (): void => {
        signal.removeEventListener('abort', stop);
        resolve();
      };
      child.once('error', end);
      child.once('close', end);
    });
  }
}
