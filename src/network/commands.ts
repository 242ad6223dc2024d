// SPDX-License-Identifier: Apache-2.0
// Runs `ip`, `nft` and CNI plugins: input in, output out, the error text kept.
import { spawn } from 'node:child_process';

export interface ProgramResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Whatever the exit code. @throws {Error} If it cannot be started, or `signal.reason`. */
export function runProgram(
  file: string,
  args: readonly string[],
  options: { readonly input?: string; readonly env?: NodeJS.ProcessEnv; readonly signal?: AbortSignal | undefined } = {},
): Promise<ProgramResult> {
  return new Promise((resolve, reject) => {
    if (options.signal?.aborted) return reject(options.signal.reason);
    const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'pipe'], env: options.env ?? process.env });
    const output = { stdout: '', stderr: '' };
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output.stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      output.stderr += text;
    });
    const abort = (): void => void child.kill('SIGKILL');
    options.signal?.addEventListener('abort', abort, { once: true });
    child.once('error', (cause) => reject(new Error(`run "${file}": ${cause.message}`, { cause })));
    child.once('close', (code) => {
      options.signal?.removeEventListener('abort', abort);
      if (options.signal?.aborted) reject(options.signal.reason);
      else resolve({ code: code ?? 137, ...output });
    });
    child.stdin.on('error', () => {}); // It may end without reading.
    child.stdin.end(options.input);
  });
}

/** Standard output of a program that must succeed. */
export async function mustRun(file: string, args: readonly string[], input?: string): Promise<string> {
  const { code, stdout, stderr } = await runProgram(file, args, input === undefined ? {} : { input });
  if (code !== 0) throw new Error(`run "${[file, ...args].join(' ')}": exit code ${code}: ${stderr.trim()}`);
  return stdout;
}
