// SPDX-License-Identifier: Apache-2.0
// How the command line talks to a running process of the cluster: one JSON line in, one JSON line out, over a Unix socket that
// only its owner may open.
import { chmodSync, rmSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import type { ComponentSet, ComponentState } from './component-set.ts';
import { UserError } from './user-error.ts';

export type ControlRequest = { readonly op: 'status' } | { readonly op: 'start' | 'stop'; readonly component: string };

export interface ControlAnswer {
  readonly error?: string;
  readonly components?: Readonly<Record<string, ComponentState>>;
}

/** Longest line that is read. */
const MAX_LINE = 4096;

/** Serves requests until disposed. */
export async function serveControl(path: string, components: ComponentSet): Promise<AsyncDisposable> {
  rmSync(path, { force: true }); // Of a process that was killed.
  const server = createServer((socket) => {
    let text = '';
    socket.setEncoding('utf8');
    socket.on('error', () => {});
    socket.on('data', (chunk: string) => {
      text += chunk;
      if (text.length > MAX_LINE) socket.destroy();
      const end = text.indexOf('\n');
      if (end < 0) return;
      void handle(text.slice(0, end), components).then((answer) => socket.end(`${JSON.stringify(answer)}\n`));
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, resolve);
  });
  chmodSync(path, 0o600);
  return { [Symbol.asyncDispose]: () => close(server, path) };
}

async function close(server: Server, path: string): Promise<void> {
  await new Promise<void>((resolve) => server.close(() => resolve()));
  rmSync(path, { force: true });
}

async function handle(line: string, components: ComponentSet): Promise<ControlAnswer> {
  try {
    const request = JSON.parse(line) as ControlRequest;
    if (request.op === 'start') await components.start(request.component);
    else if (request.op === 'stop') await components.stop(request.component);
    else if (request.op !== 'status') return { error: 'unknown request' };
    return { components: components.states };
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) };
  }
}

/** Asks a process. @throws {UserError} If it does not run, or refuses. */
export async function askControl(path: string, request: ControlRequest): Promise<ControlAnswer> {
  const text = await new Promise<string>((resolve, reject) => {
    const socket = connect(path);
    let received = '';
    socket.setEncoding('utf8');
    socket.on('error', (error) => reject(new UserError(`the process does not run: ${error.message}`)));
    socket.on('data', (chunk: string) => {
      received += chunk;
    });
    socket.on('end', () => resolve(received));
    socket.write(`${JSON.stringify(request)}\n`);
  });
  const answer = JSON.parse(text || '{}') as ControlAnswer;
  if (answer.error !== undefined) throw new UserError(answer.error);
  return answer;
}
