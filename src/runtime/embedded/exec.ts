// SPDX-License-Identifier: Apache-2.0
// exec, attach and port-forward. Without a terminal `runc exec` has plain pipes; with one `sagong-node pty`
// receives the terminal from the OCI runtime and bridges it, since that needs descriptor passing and an ioctl. attach goes through conmon's SEQPACKET socket by `sagong-node attach`.
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Duplex, type Writable } from 'node:stream';
import type { Clock } from '#component';
import { type ExecOptions, type ExecSession, RuntimeError } from '../runtime.ts';
import { resizeTerminal } from './conmon.ts';
import type { Containers } from './containers.ts';
import type { Host } from './host.ts';
import { identify, sendSignal } from './processes.ts';

const CONTROL = 3;
const SIGKILL = 9;

export interface StreamingOptions {
  readonly host: Host;
  readonly containers: Containers;
  readonly native: () => Promise<string>;
  readonly clock: Clock;
}

export class Streaming {
  readonly #options: StreamingOptions;

  constructor(options: StreamingOptions) {
    this.#options = options;
  }

  async exec(id: string, options: ExecOptions): Promise<ExecSession> {
    const { host, containers } = this.#options;
    containers.getRunning(id);
    const name = randomBytes(6).toString('hex');
    const pidFile = join(containers.bundle(id), `exec-${name}.pid`);
    const log = join(containers.bundle(id), `exec-${name}.log`);
    const base = ['--root', containers.runtimeRoot, '--log', log, '--log-format', 'json', 'exec', '--pid-file', pidFile];
    const child = options.tty
      ? await this.#spawnOnTerminal(name, pidFile, base, [id, ...options.command])
      : spawn(host.ociRuntime, [...base, id, ...options.command], { stdio: ['pipe', 'pipe', 'pipe', 'ignore'] });
    const exit = execResult(ended(child), name, pidFile, log);
    exit.catch(() => {}); // Whoever holds the session may not look.
    if (!options.stdin) child.stdin?.end();
    return {
      stdin: options.stdin ? (quiet(child.stdin) ?? undefined) : undefined,
      stdout: mustHave(child.stdout),
      stderr: options.tty ? undefined : mustHave(child.stderr),
      resize: (width, height) => control(child, `${width} ${height}\n`),
      exit,
      close: () => void this.#kill(child, pidFile),
    };
  }

  async execSync(
    id: string,
    command: readonly string[],
    { timeoutMs, limitBytes = 16 << 20 }: { timeoutMs: number; limitBytes?: number },
  ): Promise<{ exitCode: number; stdout: Buffer; stderr: Buffer }> {
    const session = await this.exec(id, { command, tty: false, stdin: false });
    const [stdout, stderr] = [gather(session.stdout, limitBytes), gather(session.stderr, limitBytes)];
    const late = Promise.withResolvers<never>();
    using _timer =
      timeoutMs > 0
        ? this.#options.clock.after(timeoutMs, () => {
            session.close();
            late.reject(new RuntimeError('Timeout', `command "${command.join(' ')}" timed out`));
          })
        : undefined;
    const exitCode = await Promise.race([session.exit, late.promise]);
    return { exitCode, stdout: stdout(), stderr: stderr() };
  }

  async attach(id: string, options: { stdin: boolean }): Promise<ExecSession> {
    const { containers, native } = this.#options;
    const { config } = containers.getRunning(id);
    const withStdin = options.stdin && config.stdin;
    const bundle = containers.bundle(id);
    const child = spawn(await native(), ['attach', bundle, withStdin ? 'stdin' : 'nostdin'], { stdio: ['pipe', 'pipe', 'pipe', 'pipe'] });
    const streams = ended(child);
    await connected(child, streams, () => new RuntimeError('NotRunning', `cannot attach to container "${id}"`));
    const exit = Promise.all([streams, containers.waitForExit(id)]).then(() => containers.find(id)?.exitCode ?? 0);
    exit.catch(() => {});
    return {
      stdin: withStdin ? (quiet(child.stdin) ?? undefined) : undefined,
      stdout: mustHave(child.stdout),
      stderr: config.tty ? undefined : mustHave(child.stderr),
      resize: (width, height) => void resizeTerminal(bundle, width, height).catch(() => {}),
      exit,
      close: () => void child.kill('SIGKILL'),
    };
  }

  /** `namespace` undefined: the node's own. */
  async portForward(sandboxId: string, namespace: string | undefined, port: number): Promise<Duplex> {
    const program = await this.#options.native();
    const path = namespace ?? '/proc/self/ns/net';
    const child = spawn(program, ['connect', path, String(port)], { stdio: ['pipe', 'pipe', 'pipe', 'pipe'] });
    let words = '';
    child.stderr?.on('data', (chunk: Buffer) => {
      words += chunk.toString('utf8');
    });
    const over = ended(child);
    await connected(child, over, () => {
      const where = `inside namespace "${sandboxId}"`;
      return new RuntimeError('Unavailable', `failed to connect to localhost:${port} ${where}: ${words.trim().replace(/^connect: /, '')}`);
    });
    return bridgeTo(child);
  }

  /** Socket paths are short (108 bytes), so this one is not in the bundle. */
  async #spawnOnTerminal(name: string, pidFile: string, base: readonly string[], rest: readonly string[]): Promise<ChildProcess> {
    const { host, native } = this.#options;
    const socket = `/run/sagong-${name}.sock`;
    const runc = [...base, '--detach', '--tty', '--console-socket', socket, ...rest];
    const child = spawn(await native(), ['pty', socket, pidFile, host.ociRuntime, ...runc], { stdio: ['pipe', 'pipe', 'pipe', 'pipe'] });
    child.stdio[CONTROL]?.on('error', () => {}); // A resize may come after the end.
    return child;
  }

  async #kill(child: ChildProcess, pidFile: string): Promise<void> {
    const pid = Number(await readFile(pidFile, 'utf8').catch(() => '0'));
    if (pid > 0) sendSignal(identify(pid), SIGKILL);
    child.kill('SIGKILL');
  }
}

/** Both standard streams of a process as one; destroying it kills the process. */
function bridgeTo(child: ChildProcess): Duplex {
  const [input, output] = [mustHave(child.stdin), mustHave(child.stdout)];
  const stream = new Duplex({
    read: () => void output.resume(),
    write: (chunk: Buffer, _encoding, done) => void input.write(chunk, (error) => done(error)),
    final: (done) => void input.end(() => done()),
    destroy: (error, done) => {
      child.kill('SIGKILL');
      done(error);
    },
  });
  output.on('data', (chunk: Buffer) => {
    if (!stream.push(chunk)) output.pause();
  });
  output.once('end', () => stream.push(null));
  input.on('error', (error) => stream.destroy(error));
  return stream;
}

/** The code of the command. Where it never started there is no PID file, and the OCI runtime's log says why. */
async function execResult(exit: Promise<number>, name: string, pidFile: string, log: string): Promise<number> {
  try {
    const code = await exit;
    if (code === 0 || (await readFile(pidFile, 'utf8').catch(() => '')) !== '') return code;
    const why = lastMessage(await readFile(log, 'utf8').catch(() => '')) || `exit code ${code}`;
    const words = `failed to exec in container: failed to start exec "${name}": OCI runtime exec failed: ${why}: unknown`;
    throw new RuntimeError('RunContainerError', words);
  } finally {
    await Promise.all([rm(pidFile, { force: true }), rm(log, { force: true })]);
  }
}

/** Of JSON lines. */
function lastMessage(text: string): string {
  try {
    return String((JSON.parse(text.trim().split('\n').at(-1) ?? '') as { msg?: unknown }).msg ?? '');
  } catch {
    return '';
  }
}

/** The exit code once all streams are closed; 128 + n for signals. */
function ended(child: ChildProcess): Promise<number> {
  const exit = new Promise<number>((resolve, reject) => {
    child.once('error', (cause) => reject(new RuntimeError('Unavailable', cause.message, { cause })));
    child.once('close', (code, signal) => resolve(code ?? 128 + (signal === 'SIGKILL' ? 9 : 15)));
  });
  exit.catch(() => {}); // Whoever holds the session may not look.
  return exit;
}

/** Resolves at the byte the native program writes when it is through. */
async function connected(child: ChildProcess, over: Promise<number>, failure: () => RuntimeError): Promise<void> {
  const ready = new Promise<boolean>((resolve) => {
    const pipe = child.stdio[CONTROL] as NodeJS.ReadableStream;
    pipe.once('data', () => resolve(true));
    pipe.once('error', () => resolve(false));
  });
  if (!(await Promise.race([ready, over.then(() => false)]))) throw failure();
}

function control(child: ChildProcess, message: string): void {
  const pipe = child.stdio[CONTROL] as Writable | null;
  if (pipe?.writable) pipe.write(message);
}

/** A process may end before it has read everything; that is no error of ours. */
function quiet(stream: Writable | null): Writable | null {
  stream?.on('error', () => {});
  return stream;
}

function mustHave<T>(stream: T | null): T {
  if (stream === null) throw new RuntimeError('Unavailable', 'the process has no pipe');
  return stream;
}

function gather(stream: NodeJS.ReadableStream | undefined, limit: number): () => Buffer {
  const chunks: Buffer[] = [];
  let size = 0;
  stream?.on('data', (chunk: Buffer) => {
    if (size < limit) chunks.push(chunk.subarray(0, limit - size));
    size += chunk.length;
  });
  return () => Buffer.concat(chunks);
}
