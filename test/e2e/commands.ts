// SPDX-License-Identifier: Apache-2.0
// Running programs in tests: each has a limit in time and is killed at it, so that a test fails rather than hangs.
import { spawn } from 'node:child_process';

export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly input?: string;
  readonly cwd?: string;
  /** @default 60000 */
  readonly timeoutMs?: number;
}

/** How long output may come after a program's end. */
const OPEN_OUTPUT_MS = 1_000;

/** Runs a program to its end. Never rejects for what the program did. */
export function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  const { env, input, cwd, timeoutMs = 60_000 } = options;
  return new Promise((resolve) => {
    const child = spawn(command, [...args], {
      env: { ...process.env, ...env },
      cwd,
      stdio: ['pipe', 'pipe', 'pipe'],
      timeout: timeoutMs,
      killSignal: 'SIGKILL',
    });
    let [stdout, stderr] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.stdin.on('error', () => {}); // It may end before it has read all.
    child.on('error', (error) => resolve({ code: null, stdout, stderr: `${stderr}${error.message}` }));
    child.on('exit', (code, signal) => {
      const finish = () => resolve({ code, stdout, stderr: signal === null ? stderr : `${stderr}(${signal})` });
      child.on('close', finish);
      // What a program leaves in the background may keep its output open.
      setTimeout(finish, OPEN_OUTPUT_MS).unref();
    });
    child.stdin.end(input ?? '');
  });
}

/** Its output. @throws {Error} With what it said, if it fails. */
export async function output(command: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  const { code, stdout, stderr } = await run(command, args, options);
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${code}:\n${stdout}${stderr}`);
  return stdout;
}

/** Asks the outside world, which sends no events, until it answers as wanted. @throws {Error} With the last answer, after the limit. */
export async function eventually<T>(what: string, ask: () => Promise<T>, wanted: (answer: T) => boolean, withinMs = 30_000): Promise<T> {
  const end = performance.now() + withinMs;
  for (;;) {
    const answer = await ask();
    if (wanted(answer)) return answer;
    if (performance.now() > end) throw new Error(`${what}: not within ${withinMs} ms; last: ${JSON.stringify(answer)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
