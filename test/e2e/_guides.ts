// SPDX-License-Identifier: Apache-2.0
// The pages under docs/guides as programs: their fenced blocks in order, and a runner that does what a reader would do. The marks are
// `sh run` (each command succeeds), `sh fails` (the last one does not), `text expect` (what the commands before it printed, with … for
// any text), `sh background` (a server in a second terminal), `text background` (all that it has said), `yaml file=…` (a file; where the
// tree has it, the same), and the comment `<!-- ctrl-c -->`, which ends the server. Any other block is refused: no command goes untried.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { freePort, ROOT } from './cluster.ts';
import { output, run } from './commands.ts';

export interface Block {
  readonly kind: 'run' | 'fails' | 'expect' | 'background' | 'said' | 'file' | 'ctrl-c';
  /** What the fence holds; of a file, its content. */
  readonly text: string;
  /** Of the fence in the page. */
  readonly line: number;
  /** Path of a `file`. */
  readonly path?: string;
}

const MARKS: Readonly<Record<string, Block['kind']>> = {
  'sh run': 'run',
  'sh fails': 'fails',
  'text expect': 'expect',
  'sh background': 'background',
  'text background': 'said',
};

/** @throws {Error} For a fence without a mark, and for one that does not end. */
export function blocksOf(page: string): Block[] {
  const lines = page.split('\n');
  const blocks: Block[] = [];
  for (let index = 0; index < lines.length; index++) {
    const text = lines[index] ?? '';
    if (text === '<!-- ctrl-c -->') blocks.push({ kind: 'ctrl-c', text: '', line: index + 1 });
    if (!text.startsWith('```')) continue;
    const end = lines.indexOf('```', index + 1);
    if (end < 0) throw new Error(`line ${index + 1}: the block does not end`);
    blocks.push(blockOf(text.slice(3), lines.slice(index + 1, end).join('\n'), index + 1));
    index = end;
  }
  return blocks;
}

function blockOf(info: string, text: string, line: number): Block {
  const [, path] = /^yaml file=(\S+)$/.exec(info) ?? [];
  if (path !== undefined) return { kind: 'file', text: `${text}\n`, line, path };
  const kind = MARKS[info];
  if (kind === undefined) throw new Error(`line ${line}: no such mark: ${JSON.stringify(info)}`);
  return { kind, text, line };
}

/** An expectation as a pattern: `…` is any text in a line, alone in a line any lines; spaces at ends of lines do not count. */
export function patternOf(expected: string): RegExp {
  const lines = expected.split('\n').map((line) => {
    if (line.trim() === '…') return '(?:.*\\n)*?';
    return `${line.trimEnd().split('…').map(escaped).join('.*')} *\\n`;
  });
  return new RegExp(`^${lines.join('')}$`);
}

const escaped = (text: string) => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');

/** One reader: a folder that looks like a fresh clone, a cluster without containers of their own, two terminals. */
export class Reader implements AsyncDisposable {
  readonly folder: string;
  readonly #env: Record<string, string>;
  #printed = '';
  #second: { readonly child: ChildProcess; readonly said: () => string; readonly grew: EventTarget } | undefined;

  private constructor(folder: string, port: number) {
    this.folder = folder;
    this.#env = {
      HOME: join(folder, 'home'),
      SAGONG_DATA_DIR: join(folder, 'data'),
      SAGONG_PORT: String(port),
      PATH: [join(ROOT, 'node_modules/.bin'), process.env['PATH'] ?? ''].join(delimiter),
    };
  }

  static async start(): Promise<Reader> {
    const reader = new Reader(mkdtempSync(join(tmpdir(), 'sagong-guide-')), await freePort());
    for (const name of ['bin', 'dist', 'src', 'node_modules', 'package.json']) {
      if (existsSync(join(ROOT, name))) symlinkSync(join(ROOT, name), join(reader.folder, name));
    }
    const isMade = (path: string) => path.endsWith('/keys');
    cpSync(join(ROOT, 'examples'), join(reader.folder, 'examples'), { recursive: true, filter: (path) => !isMade(path) });
    writeFileSync(join(reader.folder, 'state'), '');
    try {
      await reader.#sagong('up', '--runtime', 'simulated');
      return reader;
    } catch (error) {
      await reader[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Does what a block says. @throws {Error} With the line of the page, if it does not come out as the page says. */
  async follow(block: Block): Promise<void> {
    try {
      await this.#follow(block);
    } catch (error) {
      throw new Error(`line ${block.line}: ${(error as Error).message}`, { cause: error });
    }
  }

  async #follow({ kind, text, path = '' }: Block): Promise<void> {
    if (kind === 'run' || kind === 'fails') return this.#run(text, kind === 'fails');
    if (kind === 'expect') return this.#expect(text);
    if (kind === 'background') return this.#startSecond(text);
    if (kind === 'said') return this.#expectSecond(text);
    if (kind === 'file') return this.#write(path, text);
    await this.#endSecond();
  }

  /** In a shell that begins with what the one before left: its variables and folder. */
  async #run(text: string, fails: boolean): Promise<void> {
    const script = `exec 2>&1; . "$STATE"; set -e\n${text}\n{ export -p; echo "cd '$PWD'"; } >"$STATE"`;
    const { code, stdout } = await run('bash', ['-c', script], { env: this.#shellEnv(), cwd: this.folder, timeoutMs: 120_000 });
    this.#printed = stdout;
    if (fails) assert.notEqual(code, 0, `it did not fail:\n${text}\n${stdout}`);
    else assert.equal(code, 0, `it failed:\n${text}\n${stdout}`);
  }

  /** Also ends what the second terminal still runs. */
  async #startSecond(text: string): Promise<void> {
    await this.#endSecond();
    const child = spawn('bash', ['-c', `. "$STATE"; exec ${text} 2>&1`], {
      env: { ...process.env, ...this.#shellEnv() },
      cwd: this.folder,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let said = '';
    const grew = new EventTarget();
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      said += chunk;
      grew.dispatchEvent(new Event('more'));
    });
    child.on('exit', () => grew.dispatchEvent(new Event('more')));
    this.#second = { child, said: () => said, grew };
  }

  async #endSecond(): Promise<void> {
    const child = this.#second?.child;
    this.#second = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGINT');
    await ended;
  }

  #expect(expected: string): void {
    const printed = this.#printed.endsWith('\n') ? this.#printed : `${this.#printed}\n`;
    assert.ok(patternOf(expected).test(printed), `the page says:\n${expected}\nbut it printed:\n${printed}`);
  }

  /** Waits until the second terminal shows it: a server says things in its own time. */
  async #expectSecond(expected: string): Promise<void> {
    const { child, said, grew } = this.#second ?? assert.fail('no server runs');
    const [pattern, tooLate] = [patternOf(expected), AbortSignal.timeout(10_000)];
    while (!pattern.test(said()) && child.exitCode === null && child.signalCode === null && !tooLate.aborted)
      await once(grew, 'more', { signal: tooLate }).catch(() => undefined);
    assert.ok(pattern.test(said()), `the page says:\n${expected}\nbut the server said:\n${said()}`);
  }

  #write(path: string, text: string): void {
    const file = join(this.folder, path);
    if (existsSync(file)) {
      assert.equal(readFileSync(file, 'utf8'), text, `${path} is not as the page shows it`);
    } else {
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, text);
    }
  }

  #shellEnv(): Record<string, string> {
    return { ...this.#env, STATE: join(this.folder, 'state') };
  }

  #sagong(...args: string[]): Promise<string> {
    return output(join(ROOT, 'bin/sagong'), args, { env: this.#env, cwd: this.folder, timeoutMs: 60_000 });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#endSecond();
    await this.#sagong('down').catch(() => undefined);
    rmSync(this.folder, { recursive: true, force: true });
  }
}
