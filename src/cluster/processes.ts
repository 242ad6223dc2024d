// SPDX-License-Identifier: Apache-2.0
// The background processes of a cluster: starting one and waiting until it says it is ready, finding out whether it still runs,
// ending it. A pid file names the process by pid and start time, so that a reused pid is never taken for ours.
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Layout } from './layout.ts';
import { UserError } from './user-error.ts';

export interface ProcessSpec {
  /** `control-plane`, or a node's name. */
  readonly name: string;
  readonly args: readonly string[];
  /** For Node itself, before the program. */
  readonly nodeFlags?: readonly string[];
  /** Path of the network namespace to run in. */
  readonly networkNamespace?: string | undefined;
}

/** What a started process says through its IPC channel. */
export type ProcessMessage = { readonly type: 'progress' | 'ready' | 'failed'; readonly text: string };

/** How long a process may take to be ready. */
const READY_MS = 90_000;

/** What this program was started with, to start itself again; with `gc()`, for memory that is given back when all is quiet. */
function selfCommand(nodeFlags: readonly string[]): string[] {
  const entry = process.argv[1] ?? '';
  return [process.execPath, '--disable-warning=ExperimentalWarning', '--expose-gc', ...nodeFlags, entry];
}

/** Where a network namespace made by `ip netns add` is. */
export function namespacePath(name: string): string {
  return join('/run/netns', name);
}

/** Starts a process and resolves when it is ready. @throws {UserError} With its own words, if it ends or fails before. */
export async function startProcess(layout: Layout, spec: ProcessSpec, progress: (text: string) => void): Promise<number> {
  const logFile = layout.log(spec.name);
  for (const path of [logFile, layout.pidFile(spec.name)]) mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const log = openSync(logFile, 'a', 0o600);
  const enter = spec.networkNamespace === undefined ? [] : ['nsenter', `--net=${spec.networkNamespace}`, '--'];
  const [command = '', ...args] = [...enter, ...selfCommand(spec.nodeFlags ?? []), ...spec.args];
  const child = spawn(command, args, { detached: true, stdio: ['ignore', log, log, 'ipc'], cwd: '/' });
  closeSync(log);
  const { pid } = child;
  if (pid === undefined) throw new UserError(`could not start ${command}`);
  writeFileSync(layout.pidFile(spec.name), `${pid} ${startTimeOf(pid)}\n`);
  await readiness(child, spec.name, logFile, progress);
  child.disconnect();
  child.unref();
  return pid;
}

function readiness(child: ChildProcess, name: string, logFile: string, progress: (text: string) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    child.on('message', (message: ProcessMessage) => {
      if (message.type === 'progress') progress(message.text);
      else if (message.type === 'ready') resolve();
      else reject(new UserError(message.text));
    });
    // Pulling a control plane up takes a second; a node that is not Ready by then says why in its log.
    AbortSignal.timeout(READY_MS).addEventListener('abort', () =>
      reject(new UserError(`${name} runs, but was not ready within ${READY_MS / 1000} s: see ${logFile}\n${tailOf(logFile)}`)),
    );
    child.on('error', (error) => reject(new UserError(`start ${name}: ${error.message}`)));
    child.on('exit', (code, signal) =>
      reject(new UserError(`${name} ended with ${signal ?? code} before it was ready: see ${logFile}\n${tailOf(logFile)}`)),
    );
  });
}

function tailOf(file: string): string {
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n').slice(-5);
  return lines.map((line) => line.slice(0, 300)).join('\n');
}

/** Says something to the process that started this one; nothing if it has gone. */
export function report(message: ProcessMessage): void {
  if (process.connected) process.send?.(message);
}

/** Field 22 of /proc/<pid>/stat: clock ticks after boot; '' if there is no such process. */
function startTimeOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? '' : (fields[19] ?? '');
  } catch {
    return '';
  }
}

/** The pid of a process of the cluster, if it runs. */
export function findProcess(layout: Layout, name: string): number | undefined {
  const file = layout.pidFile(name);
  if (!existsSync(file)) return undefined;
  const [pid = '', started = ''] = readFileSync(file, 'utf8').trim().split(' ');
  return started !== '' && startTimeOf(Number(pid)) === started ? Number(pid) : undefined;
}

/** Ends a process: SIGTERM, then SIGKILL if it has not gone in time. Fine if it does not run. */
export async function stopProcess(layout: Layout, name: string, graceMs = 15_000): Promise<void> {
  const pid = findProcess(layout, name);
  if (pid !== undefined) {
    process.kill(pid, 'SIGTERM');
    if (!(await gone(layout, name, graceMs))) {
      process.kill(pid, 'SIGKILL');
      await gone(layout, name, 5_000);
    }
  }
  rmSync(layout.pidFile(name), { force: true });
}

/** Another process's end gives no event to one that is not its parent: looked at in short steps, for as long as is given. */
async function gone(layout: Layout, name: string, withinMs: number): Promise<boolean> {
  for (let waited = 0; waited < withinMs; waited += 20) {
    if (findProcess(layout, name) === undefined) return true;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return findProcess(layout, name) === undefined;
}

/** Resident memory in bytes; 0 if it cannot be read. */
export function residentBytes(pid: number): number {
  try {
    const match = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
    return Number(match?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}
