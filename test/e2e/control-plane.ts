// SPDX-License-Identifier: Apache-2.0
// A control plane for tests that need no node: `sagong kube-apiserver`, and the controllers where they are asked for, as processes
// with a data directory of their own. Needs no root.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { freePort, hasProgram, ROOT } from './cluster.ts';
import { type Outcome, output, type RunOptions, run } from './commands.ts';

export interface ControlPlaneOptions {
  /** Of kube-apiserver, beside those that place it. */
  readonly flags?: readonly string[];
  /** @default false */
  readonly controllers?: boolean;
  /** Kept from an earlier run; then it is not removed. */
  readonly dataDir?: string;
}

/** The name of a suite that needs kubectl, with the reason if it is skipped. */
export function kubectlSuite(name: string): readonly [string, { readonly skip: boolean; readonly timeout: number }] {
  const skip = !hasProgram('kubectl');
  return [skip ? `${name} (skipped: needs kubectl)` : name, { skip, timeout: 180_000 }];
}

export class ControlPlane implements AsyncDisposable {
  readonly dataDir: string;
  readonly port: number;
  readonly env: Readonly<Record<string, string>>;
  readonly #children: ChildProcess[] = [];
  readonly #log: string[] = [];
  readonly #keep: boolean;

  private constructor(dataDir: string, port: number, keep: boolean) {
    this.dataDir = dataDir;
    this.port = port;
    this.#keep = keep;
    this.env = { KUBECONFIG: join(dataDir, 'admin.conf') };
  }

  static async start({ flags = [], controllers = false, dataDir }: ControlPlaneOptions = {}): Promise<ControlPlane> {
    const folder = dataDir ?? mkdtempSync(join(tmpdir(), 'sagong-control-plane-'));
    const plane = new ControlPlane(folder, await freePort(), dataDir !== undefined);
    try {
      const place = [`--data-dir=${folder}`, `--secure-port=${plane.port}`, '--bind-address=127.0.0.1'];
      await plane.#spawn(['kube-apiserver', ...place, ...flags], 'Serving securely');
      if (controllers) await plane.#startControllers();
      return plane;
    } catch (error) {
      await plane[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** The base URL. */
  get server(): string {
    return `https://127.0.0.1:${this.port}`;
  }

  /** Certificate of the authority, PEM. */
  get ca(): string {
    return readFileSync(join(this.dataDir, 'pki/ca.crt'), 'utf8');
  }

  /** Output of `kubectl …`. @throws {Error} With what it said, if it fails. */
  async kubectl(...args: string[]): Promise<string> {
    return (await output('kubectl', args, { env: this.env, cwd: ROOT })).trimEnd();
  }

  /** `kubectl …` whatever comes of it. */
  tryKubectl(args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
    return run('kubectl', args, { env: this.env, cwd: ROOT, ...options });
  }

  /** PEM; what signs the certificates of front proxies, this server's own among them. */
  get frontProxyAuthority(): string {
    return readFileSync(join(this.dataDir, 'pki/front-proxy-ca.crt'), 'utf8');
  }

  apply(...objects: readonly object[]): Promise<string> {
    return this.send(['apply'], { apiVersion: 'v1', kind: 'List', items: objects });
  }

  /** `kubectl … -f -` with this text or these objects. */
  async send(args: readonly string[], input: string | object): Promise<string> {
    const text = typeof input === 'string' ? input : JSON.stringify(input);
    return (await output('kubectl', [...args, '-f', '-'], { env: this.env, cwd: ROOT, input: text })).trimEnd();
  }

  /** Its last lines of log. */
  logTail(): string {
    return this.#log.slice(-40).join('\n');
  }

  async #startControllers(): Promise<void> {
    const pki = join(this.dataDir, 'pki');
    await this.#spawn(
      [
        'kube-controller-manager',
        `--kubeconfig=${this.env['KUBECONFIG']}`,
        `--cluster-signing-cert-file=${join(pki, 'ca.crt')}`,
        `--cluster-signing-key-file=${join(pki, 'ca.key')}`,
        `--root-ca-file=${join(pki, 'ca.crt')}`,
        `--service-account-private-key-file=${join(pki, 'sa.key')}`,
        '--leader-elect=false',
      ],
      undefined,
    );
  }

  /** Resolves when a line of its output has `sign`, at once without one. */
  async #spawn(args: readonly string[], sign: string | undefined): Promise<void> {
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', join(ROOT, 'src/main.ts'), ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#children.push(child);
    const seen = Promise.withResolvers<void>();
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => {
        this.#log.push(line);
        if (sign !== undefined && line.includes(sign)) seen.resolve();
      });
    }
    child.on('exit', (code) => seen.reject(new Error(`${args[0]} ended with ${code}:\n${this.logTail()}`)));
    seen.promise.catch(() => undefined); // An end after the start is asyncDispose's business.
    if (sign !== undefined) await seen.promise;
  }

  /** Ends the processes and waits for them. The data directory goes too, unless it was given. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#children.toReversed()) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      await ended;
    }
    if (!this.#keep) rmSync(this.dataDir, { recursive: true, force: true });
  }
}

/** A Service that leads to a server of the test's own on this machine: endpoints may not be on loopback, names may. */
export function serviceFor(name: string, namespace: string): object {
  return { apiVersion: 'v1', kind: 'Service', metadata: { name, namespace }, spec: { type: 'ExternalName', externalName: 'localhost' } };
}
