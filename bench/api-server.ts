// SPDX-License-Identifier: Apache-2.0
// The API server alone, from the bundle, on a free port of loopback with a fresh store; and a client of it with all rights.
import { readFileSync, writeFileSync } from 'node:fs';
import { type ClientHttp2Session, connect } from 'node:http2';
import { join } from 'node:path';
import { Measured, ROOT } from './process.ts';

export const TOKEN = 'bench-token';
/** Enough at once to keep the server busy. */
const AT_ONCE = 100;

export interface RunningServer extends AsyncDisposable {
  readonly pid: number;
  readonly url: string;
  readonly folder: string;
  readonly certificate: { readonly cert: string; readonly key: string };
}

/** Starts one and waits until it says that it is ready. `SAGONG_NODE_OPTIONS` reach its Node, for profiling. */
export async function startApiServer(folder: string): Promise<RunningServer> {
  const tokens = join(folder, 'tokens.csv');
  writeFileSync(tokens, `${TOKEN},bench,1,system:masters\n`, { mode: 0o600 });
  const flags = [
    `--data-dir=${folder}`,
    '--secure-port=0',
    '--bind-address=127.0.0.1',
    `--token-auth-file=${tokens}`,
    '--max-mutating-requests-inflight=1000',
  ];
  const options = process.env['SAGONG_NODE_OPTIONS'];
  const server = new Measured(
    join(ROOT, 'bin/sagong'),
    ['kube-apiserver', ...flags],
    options === undefined ? {} : { NODE_OPTIONS: options },
  );
  try {
    const port = await server.until((line) => {
      const { msg, port } = JSON.parse(line) as { msg?: string; port?: number };
      return msg === 'Serving securely' ? port : undefined;
    });
    const pki = (name: string) => readFileSync(join(folder, 'pki', name), 'utf8');
    const certificate = { cert: pki('apiserver.crt'), key: pki('apiserver.key') };
    return {
      pid: server.pid,
      url: `https://127.0.0.1:${port}`,
      folder,
      certificate,
      [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
    };
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw error;
  }
}

/** A client connection as a member of system:masters. */
export function connectTo(server: { readonly url: string }): ClientHttp2Session & Disposable {
  const session = connect(server.url, { rejectUnauthorized: false }); // Loopback, a server of our own.
  return Object.assign(session, { [Symbol.dispose]: () => session.close() });
}

export interface Answer {
  readonly status: number;
  readonly body: string;
}

export function ask(session: ClientHttp2Session, method: string, path: string, body?: unknown, type = 'application/json'): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const stream = session.request({
      ':method': method,
      ':path': path,
      authorization: `Bearer ${TOKEN}`,
      ...(body === undefined ? {} : { 'content-type': type }),
    });
    let status = 0;
    let text = '';
    stream.setEncoding('utf8');
    stream.on('response', (headers) => {
      status = Number(headers[':status']);
    });
    stream.on('data', (chunk: string) => {
      text += chunk;
    });
    stream.on('end', () => resolve({ status, body: text }));
    stream.on('error', reject);
    stream.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

/** Like `ask`, for requests that must succeed. @throws {Error} With the answer. */
export async function must(session: ClientHttp2Session, method: string, path: string, body?: unknown, type?: string): Promise<string> {
  const answer = await ask(session, method, path, body, type);
  if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${answer.body.slice(0, 200)}`);
  return answer.body;
}

/** Runs `work` for 0 to `count` - 1, many at once. */
export async function times(count: number, work: (index: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, count) }, worker));
}
