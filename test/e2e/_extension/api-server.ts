// SPDX-License-Identifier: Apache-2.0
// `sagong kube-apiserver` as a process of its own in a temporary data directory, driven by kubectl.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, ROOT } from '../cluster.ts';
import { type Outcome, output, type RunOptions, run } from '../commands.ts';

const READY_MS = 30_000;

export class ApiServerProcess implements AsyncDisposable {
  readonly dataDir: string;
  readonly port: number;
  readonly #child: ChildProcess;

  private constructor(dataDir: string, port: number, child: ChildProcess) {
    this.dataDir = dataDir;
    this.port = port;
    this.#child = child;
  }

  /** Resolves once it says that it is ready. @throws {Error} With its log, if it ends before. */
  static async start(args: readonly string[] = []): Promise<ApiServerProcess> {
    const dataDir = mkdtempSync(join(tmpdir(), 'sagong-apiserver-'));
    const port = await freePort();
    const own = [`--data-dir=${dataDir}`, `--secure-port=${port}`, '--bind-address=127.0.0.1'];
    const child = spawn(
      process.execPath,
      ['--disable-warning=ExperimentalWarning', join(ROOT, 'src/main.ts'), 'kube-apiserver', ...own, ...args],
      {
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    );
    await ready(child);
    return new ApiServerProcess(dataDir, port, child);
  }

  /** PEM; what signs the certificates of front proxies, this server's own among them. */
  get frontProxyAuthority(): string {
    return readFileSync(join(this.dataDir, 'pki/front-proxy-ca.crt'), 'utf8');
  }

  get #env(): Record<string, string> {
    return { KUBECONFIG: join(this.dataDir, 'admin.conf') };
  }

  async kubectl(...args: string[]): Promise<string> {
    return (await output('kubectl', args, { env: this.#env })).trimEnd();
  }

  tryKubectl(args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
    return run('kubectl', args, { env: this.#env, ...options });
  }

  apply(...objects: readonly object[]): Promise<string> {
    return output('kubectl', ['apply', '-f', '-'], {
      env: this.#env,
      input: JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }),
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    if (this.#child.exitCode === null && this.#child.kill('SIGTERM')) await ended;
    rmSync(this.dataDir, { recursive: true, force: true });
  }
}

function ready(child: ChildProcess): Promise<void> {
  let log = '';
  return new Promise((resolve, reject) => {
    const limit = setTimeout(() => {
      child.kill('SIGKILL');
      reject(new Error(`kube-apiserver was not ready in ${READY_MS} ms:\n${log}`));
    }, READY_MS);
    const read = (chunk: Buffer) => {
      log += chunk.toString();
      if (!log.includes('"msg":"Ready"')) return;
      clearTimeout(limit);
      resolve();
    };
    child.stdout?.on('data', read);
    child.stderr?.on('data', read);
    child.once('exit', (code) => {
      clearTimeout(limit);
      reject(new Error(`kube-apiserver ended with ${code}:\n${log}`));
    });
  });
}

/** A Service that leads to a server of the test's own on this machine: endpoints may not be on loopback, names may. */
export function serviceFor(name: string, namespace: string): object {
  return { apiVersion: 'v1', kind: 'Service', metadata: { name, namespace }, spec: { type: 'ExternalName', externalName: 'localhost' } };
}
