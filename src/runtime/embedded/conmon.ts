// SPDX-License-Identifier: Apache-2.0
// Starts containers under conmon, which outlives this process: it holds their output, writes CRI logs and leaves the exit code in
// a file. conmon reports through the pipe it finds as `_OCI_SYNCPIPE`; its `ctl` fifo takes resizes and log rotation.
import { spawn } from 'node:child_process';
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import type { Host } from './host.ts';

export interface ConmonOptions {
  readonly id: string;
  readonly name: string;
  readonly bundle: string;
  readonly logPath: string;
  readonly exitFolder: string;
  readonly runtimeRoot: string;
  readonly tty: boolean;
  readonly stdin: boolean;
  readonly stdinOnce: boolean;
}

const SYNC_PIPE = 3;
const RESIZE = 1;
const REOPEN_LOGS = 2;

/** Creates the container and returns the PID of its first process, which waits to be started. @throws {Error} In the OCI runtime's words. */
export function createUnderConmon(host: Host, options: ConmonOptions): Promise<number> {
  const { id, name, bundle, logPath, exitFolder, runtimeRoot } = options;
  const args = [
    ...['--api-version', '1', '--cid', id, '--cuuid', id, '--name', name, '--runtime', host.ociRuntime, '--bundle', bundle],
    ...['--container-pidfile', join(bundle, 'pidfile'), '--conmon-pidfile', join(bundle, 'conmon.pid'), '--exit-dir', exitFolder],
    ...['--persist-dir', bundle, '--log-path', `k8s-file:${logPath}`, '--log-level', 'error', '--full-attach', '--no-sync-log'],
    ...['--runtime-arg', '--root', '--runtime-arg', runtimeRoot],
    ...(options.tty ? ['--terminal'] : []),
    ...(options.stdin ? ['--stdin'] : []),
    ...(options.stdin && !options.stdinOnce ? ['--leave-stdin-open'] : []),
  ];
  return new Promise((resolve, reject) => {
    const env = { PATH: process.env['PATH'], _OCI_SYNCPIPE: String(SYNC_PIPE) };
    const child = spawn(host.conmon, args, { stdio: ['ignore', 'ignore', 'pipe', 'pipe'], env, cwd: bundle });
    let errors = '';
    child.stderr?.on('data', (chunk: Buffer) => {
      errors = (errors + chunk.toString('utf8')).slice(-4096);
    });
    child.once('error', reject);
    const pipe = child.stdio[SYNC_PIPE] as NodeJS.ReadableStream & { destroy(): void };
    let report = '';
    const finish = (): void => {
      pipe.destroy();
      child.stderr?.destroy();
      const answer = decodeReport(report);
      if (answer.pid > 0) resolve(answer.pid);
      else reject(new Error(answer.message || errors.trim() || 'conmon ended without a report'));
    };
    pipe.on('data', (chunk: Buffer) => {
      report += chunk.toString('utf8');
      if (report.includes('\n') || decodeReport(report).pid > 0) finish();
    });
    pipe.once('end', finish);
    pipe.once('error', reject);
  });
}

function decodeReport(text: string): { pid: number; message: string } {
  try {
    const value = JSON.parse(text) as { pid?: number; data?: number; message?: string };
    return { pid: value.data ?? value.pid ?? -1, message: value.message ?? '' };
  } catch {
    return { pid: -1, message: '' };
  }
}

export function resizeTerminal(bundle: string, width: number, height: number): Promise<void> {
  return control(bundle, `${RESIZE} ${height} ${width}\n`);
}

export function reopenLogs(bundle: string): Promise<void> {
  return control(bundle, `${REOPEN_LOGS} 0 0\n`);
}

/** Without blocking: a conmon that is gone makes `open` fail with ENXIO. */
async function control(bundle: string, message: string): Promise<void> {
  const fifo = await open(join(bundle, 'ctl'), constants.O_WRONLY | constants.O_NONBLOCK);
  try {
    await fifo.write(message);
  } finally {
    await fifo.close();
  }
}
