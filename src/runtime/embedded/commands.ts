// SPDX-License-Identifier: Apache-2.0
// Runs programs to their end. Never through a shell unless the caller names one; output is bounded.
import { spawn } from 'node:child_process';

export interface CommandOptions {
  readonly input?: string | Uint8Array;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly signal?: AbortSignal | undefined;
  /** Of each stream; the rest is dropped. @default 1 MiB */
  readonly limitBytes?: number;
}

export interface CommandResult {
  readonly code: number;
  readonly stdout: Buffer;
  readonly stderr: Buffer;
}

/** Thrown when a program could not be started or ended with another code than 0. */
export class CommandError extends Error {
  readonly code: number;

  constructor(message: string, code: number, options?: ErrorOptions) {
    super(message, options);
    this.name = 'CommandError';
    this.code = code;
  }
}

/** Whatever the exit code (128 + n for a signal). @throws {CommandError} If it cannot be started. */
export function run(file: string, args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    if (options.signal?.aborted) return reject(options.signal.reason);
    const child = spawn(file, args, { cwd: options.cwd, env: options.env ?? process.env, stdio: ['pipe', 'pipe', 'pipe'] });
    const limit = options.limitBytes ?? 1 << 20;
    const stdout = gather(child.stdout, limit);
    const stderr = gather(child.stderr, limit);
    const abort = (): void => void child.kill('SIGKILL');
    options.signal?.addEventListener('abort', abort, { once: true });
    child.once('error', (error) => reject(new CommandError(`run "${file}": ${error.message}`, 127, { cause: error })));
    child.once('close', (code, signal) => {
      options.signal?.removeEventListener('abort', abort);
      if (options.signal?.aborted) return reject(options.signal.reason);
      resolve({ code: code ?? 128 + (signal === 'SIGKILL' ? 9 : 15), stdout: stdout(), stderr: stderr() });
    });
    child.stdin.on('error', () => {}); // The program may end without reading its input.
    child.stdin.end(options.input);
  });
}

/** Standard output of a program that must succeed. @throws {CommandError} With what it wrote to standard error. */
export async function must(file: string, args: readonly string[], options?: CommandOptions): Promise<string> {
  const { code, stdout, stderr } = await run(file, args, options);
  if (code === 0) return stdout.toString('utf8');
  const words = stderr.toString('utf8').trim() || stdout.toString('utf8').trim();
  throw new CommandError(`run "${[file, ...args.slice(0, 3)].join(' ')}": exit code ${code}: ${words}`, code);
}

function gather(stream: NodeJS.ReadableStream, limit: number): () => Buffer {
  const chunks: Buffer[] = [];
  let size = 0;
  stream.on('data', (chunk: Buffer) => {
    if (size < limit) chunks.push(chunk.subarray(0, limit - size));
    size += chunk.length;
  });
  return () => Buffer.concat(chunks);
}
