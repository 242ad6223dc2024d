// SPDX-License-Identifier: Apache-2.0
// A runtime without processes for the kubelet's tests: containers start at once, run until `finish` or a stop, and every call is
// noted. Images are whatever was put in; a pull of another name fails with `ErrImagePull`.
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Duplex, PassThrough, Readable } from 'node:stream';
import type { Clock } from '#component';
import {
  type Container,
  type ContainerConfig,
  type ContainerStats,
  type ExecSession,
  type Image,
  type ImageService,
  type Runtime,
  RuntimeError,
  type RuntimeEvent,
  type Sandbox,
  type SandboxConfig,
} from '#runtime';

type Writable<T> = { -readonly [Key in keyof T]: T[Key] };

export interface FakeContainer extends Writable<Container> {
  config: ContainerConfig;
}

export class FakeRuntime implements Runtime {
  readonly info = { name: 'fake', version: '1', scheme: 'fake' };
  readonly calls: string[] = [];
  readonly sandboxes = new Map<string, Writable<Sandbox>>();
  readonly containers = new Map<string, FakeContainer>();
  readonly imageList = new Map<string, Image>();
  /** Exec results by the command's text. */
  readonly execs = new Map<string, { exitCode: number; stdout: string }>();
  /** Containers that do not end at the stop signal: a stop resolves when the test finishes them. */
  readonly stubborn = new Set<string>();
  readonly #clock: Clock;
  readonly #listeners = new Set<(event: RuntimeEvent) => void>();
  readonly #sandboxConfigs = new Map<string, SandboxConfig>();
  #serial = 0;

  constructor(clock: Clock, images: readonly string[] = ['web:1']) {
    this.#clock = clock;
    for (const name of images) this.addImage(name);
  }

  addImage(name: string): void {
    this.imageList.set(name, { id: `sha256:${name}`, tags: [name], digests: [], sizeBytes: 1000, user: '' });
  }

  async start(): Promise<void> {}
  async [Symbol.asyncDispose](): Promise<void> {}

  async runSandbox(config: SandboxConfig): Promise<Sandbox> {
    this.#serial += 1;
    const id = `sandbox${this.#serial}`;
    this.calls.push(`run ${config.metadata.name}`);
    const sandbox: Sandbox = {
      id,
      metadata: config.metadata,
      state: 'ready',
      createdAt: this.#clock.now(),
      labels: config.labels,
      annotations: config.annotations,
      ips: config.namespaces.network === 'node' ? [] : [`10.0.0.${this.#serial}`],
      networkNamespace: undefined,
    };
    this.sandboxes.set(id, sandbox);
    this.#sandboxConfigs.set(id, config);
    return sandbox;
  }

  async stopSandbox(id: string): Promise<void> {
    const sandbox = this.sandboxes.get(id);
    if (sandbox === undefined || sandbox.state === 'notready') return;
    this.calls.push(`stop-sandbox ${sandbox.metadata.name}`);
    sandbox.state = 'notready';
    for (const container of this.containers.values())
      if (container.sandboxId === id && container.state === 'running') this.finish(container.id, 137);
  }

  async removeSandbox(id: string): Promise<void> {
    this.sandboxes.delete(id);
  }

  listSandboxes(): readonly Sandbox[] {
    return [...this.sandboxes.values()].map((sandbox) => ({ ...sandbox }));
  }

  async createContainer(sandboxId: string, config: ContainerConfig): Promise<string> {
    this.#serial += 1;
    const id = `container${this.#serial}`;
    const image = [...this.imageList.values()].find((one) => one.id === config.image);
    const sandbox = this.#sandboxConfigs.get(sandboxId);
    this.containers.set(id, {
      id,
      sandboxId,
      metadata: config.metadata,
      state: 'created',
      image: image?.tags[0] ?? config.image,
      imageId: config.image,
      labels: config.labels,
      annotations: config.annotations,
      createdAt: this.#clock.now() + this.#serial / 1000,
      startedAt: undefined,
      finishedAt: undefined,
      exitCode: undefined,
      reason: undefined,
      message: undefined,
      logPath: join(sandbox?.logDirectory ?? '', config.logPath),
      pid: undefined,
      config,
    });
    return id;
  }

  async startContainer(id: string): Promise<void> {
    const container = this.#get(id);
    container.state = 'running';
    container.startedAt = this.#clock.now();
    this.calls.push(`start ${container.metadata.name}`);
    await mkdir(dirname(container.logPath), { recursive: true });
    await writeFile(container.logPath, '');
    this.#emit('container-started', container);
  }

  async stopContainer(id: string, graceMs: number): Promise<void> {
    const container = this.containers.get(id);
    if (container === undefined || container.state === 'exited') return;
    this.calls.push(`stop ${container.metadata.name} ${graceMs}`);
    if (this.stubborn.has(container.metadata.name) && graceMs > 0) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const listener = (event: RuntimeEvent) => {
        if (event.containerId === id && event.type === 'container-exited') resolve();
      };
      this.#listeners.add(listener);
      await promise;
      this.#listeners.delete(listener);
      return;
    }
    this.finish(id, container.state === 'running' ? 143 : 0);
  }

  async removeContainer(id: string): Promise<void> {
    const container = this.containers.get(id);
    if (container !== undefined) this.calls.push(`remove ${container.metadata.name}`);
    this.containers.delete(id);
  }

  listContainers(): readonly Container[] {
    return [...this.containers.values()].map((container) => ({ ...container }));
  }

  findContainer(id: string): Container | undefined {
    const found = this.containers.get(id);
    return found === undefined ? undefined : { ...found };
  }

  /** A container by name, newest first. */
  named(name: string): FakeContainer | undefined {
    return [...this.containers.values()]
      .filter((container) => container.metadata.name === name)
      .sort((a, b) => b.createdAt - a.createdAt)[0];
  }

  /** The container ends by itself. */
  finish(id: string, exitCode: number): void {
    const container = this.#get(id);
    if (container.state === 'exited') return;
    container.state = 'exited';
    container.exitCode = exitCode;
    container.startedAt ??= this.#clock.now();
    container.finishedAt = this.#clock.now();
    container.reason = exitCode === 0 ? 'Completed' : 'Error';
    this.#emit('container-exited', container);
  }

  async updateResources(): Promise<void> {}
  async reopenLog(id: string): Promise<void> {
    await writeFile(this.#get(id).logPath, '');
  }

  async exec(_id: string, { stdin, tty, command }: { command: readonly string[]; tty: boolean; stdin: boolean }): Promise<ExecSession> {
    return this.#session(command.join(' '), stdin, tty);
  }

  async execSync(_id: string, command: readonly string[]): Promise<{ exitCode: number; stdout: Buffer; stderr: Buffer }> {
    const { exitCode, stdout } = this.execs.get(command.join(' ')) ?? { exitCode: 0, stdout: '' };
    this.calls.push(`exec ${command.join(' ')}`);
    return { exitCode, stdout: Buffer.from(stdout), stderr: Buffer.alloc(0) };
  }

  async attach(_id: string, { stdin }: { stdin: boolean }): Promise<ExecSession> {
    return this.#session('attach', stdin, false);
  }

  /** With stdin it echoes until the input ends, else it says the result of `execs`. */
  #session(command: string, stdin: boolean, tty: boolean): ExecSession {
    const { exitCode, stdout } = this.execs.get(command) ?? { exitCode: 0, stdout: '' };
    const input = stdin ? new PassThrough() : undefined;
    const output = input ?? Readable.from(stdout === '' ? [] : [Buffer.from(stdout)]);
    const { promise, resolve } = Promise.withResolvers<number>();
    output.once('end', () => resolve(exitCode));
    return {
      stdin: input,
      stdout: output,
      stderr: tty ? undefined : Readable.from([Buffer.from('err\n')]),
      resize: (width, height) => void this.calls.push(`resize ${width}x${height}`),
      exit: promise,
      close: () => output.destroy(),
    };
  }

  /** Echoes. */
  async portForward(_sandboxId: string, port: number): Promise<Duplex> {
    this.calls.push(`forward ${port}`);
    return new PassThrough();
  }

  async stats(): Promise<readonly ContainerStats[]> {
    return [...this.containers.values()]
      .filter((container) => container.state === 'running')
      .map((container) => ({
        containerId: container.id,
        cpuUsageNanos: 1e9,
        memoryWorkingSetBytes: 1e6,
        memoryUsageBytes: 2e6,
        writableLayerBytes: 3e6,
        pids: 1,
      }));
  }

  async *events(signal: AbortSignal): AsyncIterable<RuntimeEvent> {
    const queue: RuntimeEvent[] = [];
    let wake = () => {};
    const listener = (event: RuntimeEvent) => {
      queue.push(event);
      wake();
    };
    this.#listeners.add(listener);
    signal.addEventListener('abort', () => wake(), { once: true });
    while (!signal.aborted) {
      const event = queue.shift();
      if (event !== undefined) yield event;
      else
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
    }
    this.#listeners.delete(listener);
  }

  readonly images: ImageService = {
    list: () => [...this.imageList.values()],
    find: (reference) => this.imageList.get(reference) ?? [...this.imageList.values()].find((image) => image.id === reference),
    pull: async (reference) => {
      this.calls.push(`pull ${reference}`);
      const found = this.imageList.get(reference);
      if (found === undefined) throw new RuntimeError('ErrImagePull', `no such image: ${reference}`);
      return found;
    },
    remove: async (id) => {
      for (const [name, image] of this.imageList) if (image.id === id) this.imageList.delete(name);
    },
    usage: async () => ({ usedBytes: 0, capacityBytes: 1e12 }),
  };

  #get(id: string): FakeContainer {
    const found = this.containers.get(id);
    if (found === undefined) throw new RuntimeError('NotFound', `container ${id} not found`);
    return found;
  }

  #emit(type: RuntimeEvent['type'], container: FakeContainer): void {
    const event = {
      type,
      sandboxId: container.sandboxId,
      containerId: container.id,
      podUid: container.labels['io.kubernetes.pod.uid'] ?? '',
    };
    for (const listener of [...this.#listeners]) listener(event);
  }
}
