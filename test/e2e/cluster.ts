// SPDX-License-Identifier: Apache-2.0
// A real cluster for tests: `bin/sagong up` in a temporary data directory on a free port, with the example images, driven by kubectl.
// Disposing ends it and checks that nothing is left on the machine. One at a time: the tests run serially.
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { buildImages } from '../../tools/images.ts';
import { type Outcome, output, type RunOptions, run } from './commands.ts';
import { leftBehind, snapshotOf } from './machine.ts';

export const ROOT = join(import.meta.dirname, '../..');
const IMAGES = join(ROOT, 'dist/images');
const LOG_TAIL = 20;
const MANY_MS = 60_000;

/** Why real containers cannot be tried here; undefined if they can. */
export function whySkipped(): string | undefined {
  if (process.platform !== 'linux') return 'needs Linux';
  if (process.getuid?.() !== 0) return 'needs root';
  const missing = ['kubectl', 'conmon', 'nft', 'ip', 'curl'].filter((name) => !hasProgram(name));
  return missing.length > 0 ? `needs ${missing.join(', ')}` : undefined;
}

export function hasProgram(name: string): boolean {
  return `${process.env['PATH']}${delimiter}/usr/sbin`.split(delimiter).some((folder) => existsSync(join(folder, name)));
}

/** The name of a suite, with the reason if it is skipped. */
export function suite(name: string): readonly [string, { readonly skip: boolean; readonly timeout: number }] {
  const reason = whySkipped();
  return [reason === undefined ? name : `${name} (skipped: ${reason})`, { skip: reason !== undefined, timeout: 180_000 }];
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, '0.0.0.0', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' ? (address?.port ?? 0) : 0));
    });
  });
}

export interface ClusterOptions {
  readonly nodes?: number;
}

/** One cluster. Everything runs with its kubeconfig and data directory. */
export class Cluster {
  readonly dataDir: string;
  readonly port: number;
  readonly env: Readonly<Record<string, string>>;
  readonly #before: readonly string[];

  private constructor(dataDir: string, port: number) {
    this.dataDir = dataDir;
    this.port = port;
    this.env = clusterEnv(dataDir);
    this.#before = snapshotOf(dataDir);
  }

  static async start({ nodes = 1 }: ClusterOptions = {}): Promise<Cluster> {
    const cluster = new Cluster(mkdtempSync(join(tmpdir(), 'sagong-e2e-')), await freePort());
    try {
      await cluster.sagong('up', '--port', String(cluster.port), '--nodes', String(nodes));
      for (const file of await imageFiles()) await cluster.sagong('image', 'load', file);
      await cluster.kubectl('wait', '--for=create', 'serviceaccount/default', '--timeout=30s');
      return cluster;
    } catch (error) {
      const tails = cluster.logTails();
      await cluster.stop().catch(() => undefined);
      throw new Error(`${(error as Error).message}\n${tails}`, { cause: error });
    }
  }

  /** Output of `sagong …`. */
  sagong(...args: string[]): Promise<string> {
    return output(join(ROOT, 'bin/sagong'), args, { env: this.env, timeoutMs: MANY_MS });
  }

  /** Output of `kubectl …`. @throws {Error} With what it said, if it fails. */
  async kubectl(...args: string[]): Promise<string> {
    return (await output('kubectl', args, { env: this.env, cwd: ROOT, timeoutMs: 2 * MANY_MS })).trimEnd();
  }

  /** `kubectl …` whatever comes of it. */
  tryKubectl(args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
    return run('kubectl', args, { env: this.env, cwd: ROOT, ...options });
  }

  /** Creates objects, as `kubectl create -f -`. */
  create(...objects: readonly object[]): Promise<string> {
    const input = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects });
    return output('kubectl', ['create', '-f', '-'], { env: this.env, input });
  }

  /** One field, by its JSONPath. */
  get(object: string, path: string): Promise<string> {
    return this.kubectl('get', object, '-o', `jsonpath={${path}}`);
  }

  ready(...objects: string[]): Promise<string> {
    return this.kubectl('wait', '--for=condition=Ready', '--timeout=60s', ...objects);
  }

  /** The ends of all logs, for a test that failed. */
  logTails(): string {
    const folder = join(this.dataDir, 'logs');
    const files = existsSync(folder) ? readdirSync(folder) : [];
    return files
      .map((file) => {
        const lines = readFileSync(join(folder, file), 'utf8').trimEnd().split('\n');
        const tail = lines.slice(-LOG_TAIL).map((line) => line.slice(0, 400));
        return `--- ${file}\n${tail.join('\n')}`;
      })
      .join('\n');
  }

  /** What it has left behind; call after `stop`. */
  leftBehind(): string[] {
    return leftBehind(this.#before, snapshotOf(this.dataDir));
  }

  /** Ends the cluster. @throws {AssertionError} If something of it is left on the machine. */
  async stop(): Promise<void> {
    try {
      await this.sagong('down');
      assert.deepEqual(this.leftBehind(), [], 'sagong down leaves nothing behind');
      assert.equal(existsSync(this.dataDir), false);
    } finally {
      rmSync(this.dataDir, { recursive: true, force: true });
    }
  }
}

export function clusterEnv(dataDir: string): Record<string, string> {
  return {
    KUBECONFIG: join(dataDir, 'admin.conf'),
    SAGONG_DATA_DIR: dataDir,
    PATH: [join(ROOT, 'bin'), process.env['PATH'], '/usr/sbin'].join(delimiter),
  };
}

async function imageFiles(): Promise<string[]> {
  const files = ['busybox.tar', 'nginx.tar'].map((name) => join(IMAGES, name));
  return files.every((file) => existsSync(file)) ? files : buildImages(IMAGES);
}

/** A Pod of one container, as an object. */
export function podOf(
  name: string,
  container: object,
  spec: object = {},
  labels: Readonly<Record<string, string>> = { app: name },
): object {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, labels },
    spec: {
      terminationGracePeriodSeconds: 1,
      containers: [{ name: 'main', image: 'busybox', imagePullPolicy: 'IfNotPresent', ...container }],
      ...spec,
    },
  };
}

/** A web server that answers with the name of its Pod. */
export function webPodOf(name: string, spec: object = {}, labels: Readonly<Record<string, string>> = { app: name }): object {
  const command = ['sh', '-c', 'hostname >/usr/share/nginx/html/index.html; exec nginx -c /etc/nginx/nginx.conf'];
  return podOf(name, { image: 'nginx', command, ports: [{ containerPort: 80 }] }, spec, labels);
}

/** A Service of the Pods with this label. */
export function serviceOf(name: string, app: string, spec: object = {}): object {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name },
    spec: { selector: { app }, ports: [{ port: 80, targetPort: 80 }], ...spec },
  };
}
