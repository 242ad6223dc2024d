// SPDX-License-Identifier: Apache-2.0
// What exec and attach are, apart from how their bytes travel: which streams were asked for, the process they belong to, and
// the copying between the two.
import { exitStatus, failureStatus, type RemoteStatus } from './exit-status.ts';

export interface RemoteCommandOptions {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly tty: boolean;
}

/** A process whose streams are handed to a client. The node runtime's exec session is one. */
export interface RemoteProcess {
  readonly stdin: NodeJS.WritableStream | undefined;
  readonly stdout: NodeJS.ReadableStream;
  readonly stderr: NodeJS.ReadableStream | undefined;
  resize(width: number, height: number): void;
  readonly exit: Promise<number>;
  close(): void;
}

export type StartProcess = () => Promise<RemoteProcess>;

/** Thrown when a request asks for no stream, or for what cannot be had. */
export class RemoteCommandError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'RemoteCommandError';
  }
}

const truthy = (text: string | null) => text === '1' || text === 'true';

/** Both spellings: the API's (`stdin`) and the kubelet's (`input`). @throws {RemoteCommandError} */
export function remoteCommandOptions(query: URLSearchParams): RemoteCommandOptions {
  const read = (...names: readonly string[]) => names.some((name) => truthy(query.get(name)));
  const tty = read('tty');
  // A terminal has one output: the client's wish for stderr is dropped, as upstream does.
  const options = { stdin: read('stdin', 'input'), stdout: read('stdout', 'output'), stderr: read('stderr', 'error') && !tty, tty };
  if (!options.stdin && !options.stdout && !options.stderr) {
    throw new RemoteCommandError('you must specify at least 1 of stdin, stdout, stderr');
  }
  return options;
}

/** The client's side, whatever the protocol. */
export interface RemoteClient {
  /** The client's input, ended when the client ends it. */
  readonly stdin: AsyncIterable<Buffer> | undefined;
  writeStdout(chunk: Buffer): Promise<void>;
  writeStderr(chunk: Buffer): Promise<void>;
  /** Window sizes as they come. */
  readonly sizes: AsyncIterable<TerminalSize> | undefined;
  /** Resolves when the client is gone. */
  readonly gone: Promise<void>;
  /** Tells the end, then closes. */
  finish(status: RemoteStatus): Promise<void>;
}

export interface TerminalSize {
  readonly Width: number;
  readonly Height: number;
}

/** Runs one remote command to its end. Never rejects: failures are told to the client. */
export async function runRemoteCommand(client: RemoteClient, options: RemoteCommandOptions, start: StartProcess): Promise<void> {
  let process: RemoteProcess;
  try {
    process = await start();
  } catch (error) {
    return client.finish(failureStatus(error));
  }
  void client.gone.then(() => process.close());
  void copyInput(client, process);
  void copySizes(client, process);
  const outputs = Promise.all([
    copyOutput(process.stdout, options.stdout ? (chunk) => client.writeStdout(chunk) : undefined),
    copyOutput(process.stderr, options.stderr ? (chunk) => client.writeStderr(chunk) : undefined),
  ]);
  try {
    const exitCode = await Promise.race([process.exit, client.gone.then(() => undefined)]);
    if (exitCode === undefined) return;
    await outputs;
    await client.finish(exitStatus(exitCode));
  } catch (error) {
    process.close();
    await client.finish(failureStatus(error));
  }
}

async function copyOutput(from: NodeJS.ReadableStream | undefined, to: ((chunk: Buffer) => Promise<void>) | undefined): Promise<void> {
  if (from === undefined) return;
  try {
    for await (const chunk of from) await to?.(typeof chunk === 'string' ? Buffer.from(chunk) : chunk);
  } catch {
    // A client that is gone, or a process whose pipe broke: the exit tells the rest.
  }
}

async function copyInput(client: RemoteClient, process: RemoteProcess): Promise<void> {
  const { stdin } = process;
  if (stdin === undefined || client.stdin === undefined) return;
  stdin.on('error', () => {}); // The process may end before its input does.
  try {
    for await (const chunk of client.stdin) {
      if (!stdin.write(chunk)) await new Promise<void>((resolve) => stdin.once('drain', resolve));
    }
  } catch {
    // As above.
  }
  stdin.end();
}

async function copySizes(client: RemoteClient, process: RemoteProcess): Promise<void> {
  if (client.sizes === undefined) return;
  try {
    for await (const { Width, Height } of client.sizes) process.resize(Width, Height);
  } catch {
    // Sizes are a courtesy.
  }
}

/** Takes the JSON objects out of the resize channel; what does not parse is skipped. */
export function parseSize(text: string): TerminalSize | undefined {
  try {
    const value: unknown = JSON.parse(text);
    const { Width, Height } = (value ?? {}) as Partial<TerminalSize>;
    const ok = (size: unknown) => Number.isInteger(size) && (size as number) >= 0 && (size as number) <= 65535;
    return ok(Width) && ok(Height) ? { Width: Width as number, Height: Height as number } : undefined;
  } catch {
    return undefined;
  }
}
