// SPDX-License-Identifier: Apache-2.0
// A runtime without processes, for scale and for machines without Linux. Containers run until they are stopped; images are present
// once pulled, and every pull succeeds. exec, attach and port-forward are refused: there is nothing behind them.
import type { Duplex } from 'node:stream';
import type { Clock } from '#component';
import { digestOf, InvalidReferenceError, normalizeReference, parseReference, repositoryOf } from '#registry-client';
import { EventHub } from '../event-hub.ts';
import type {
  Container,
  ContainerConfig,
  ContainerResources,
  ContainerStats,
  ExecOptions,
  ExecSession,
  Image,
  ImageService,
  Runtime,
  RuntimeEvent,
  RuntimeInfo,
  Sandbox,
  SandboxConfig,
} from '../runtime.ts';
import { RuntimeError } from '../runtime.ts';

export interface SimulatedRuntimeOptions {
  readonly clock: Clock;
  /** The next free Pod address. */
  readonly ips: () => string;
  /** Distinguishes the IDs of several runtimes. @default sim */
  readonly name?: string;
}

const KILLED = 137;
const TERMINATED = 143;

export function createSimulatedRuntime(options: SimulatedRuntimeOptions): SimulatedRuntime {
  return new SimulatedRuntime(options);
}

export class SimulatedRuntime implements Runtime {
  readonly info: RuntimeInfo = { name: 'simulated', version: '0.1.0', scheme: 'simulated', canResize: true };
  readonly images: ImageService = new SimulatedImages();
  readonly #options: SimulatedRuntimeOptions;
  readonly #events = new EventHub();
  readonly #sandboxes = new Map<string, Sandbox>();
  readonly #containers = new Map<string, Container>();
  #count = 0;

  constructor(options: SimulatedRuntimeOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {}

  async runSandbox(config: SandboxConfig, signal: AbortSignal): Promise<Sandbox> {
    signal.throwIfAborted();
    const sandbox: Sandbox = {
      id: this.#nextId(),
      metadata: config.metadata,
      state: 'ready',
      createdAt: this.#options.clock.now(),
      labels: config.labels,
      annotations: config.annotations,
      ips: config.namespaces.network === 'pod' ? [this.#options.ips()] : [],
      networkNamespace: undefined,
    };
    this.#sandboxes.set(sandbox.id, sandbox);
    this.#emit('sandbox-changed', sandbox.id);
    return sandbox;
  }

  async stopSandbox(id: string): Promise<void> {
    const sandbox = this.#sandboxes.get(id);
    if (sandbox === undefined || sandbox.state === 'notready') return;
    for (const container of this.#of(id)) this.#end(container, KILLED);
    this.#sandboxes.set(id, { ...sandbox, state: 'notready' });
    this.#emit('sandbox-changed', id);
  }

  async removeSandbox(id: string): Promise<void> {
    if (!this.#sandboxes.has(id)) return;
    await this.stopSandbox(id);
    for (const container of this.#of(id)) await this.removeContainer(container.id);
    this.#emit('sandbox-removed', id);
    this.#sandboxes.delete(id);
  }

  listSandboxes(): readonly Sandbox[] {
    return [...this.#sandboxes.values()];
  }

  async createContainer(sandboxId: string, config: ContainerConfig, signal: AbortSignal): Promise<string> {
    signal.throwIfAborted();
    const sandbox = this.#sandboxes.get(sandboxId);
    if (sandbox === undefined) throw new RuntimeError('NotFound', `sandbox "${sandboxId}" not found`);
    const image = this.images.find(config.image);
    if (image === undefined) throw new RuntimeError('CreateContainerError', `image "${config.image}" not found`);
    const { metadata, labels, annotations, logPath } = config;
    const id = this.#nextId();
    const times = { createdAt: this.#options.clock.now(), startedAt: undefined, finishedAt: undefined };
    const outcome = { exitCode: undefined, reason: undefined, message: undefined, pid: undefined };
    const names = { id, sandboxId, metadata, labels, annotations, image: config.image, imageId: image.id, logPath };
    this.#containers.set(id, { ...names, ...times, ...outcome, state: 'created' });
    return id;
  }

  async startContainer(id: string): Promise<void> {
    const container = this.#get(id);
    if (container.state !== 'created') throw new RuntimeError('RunContainerError', `container "${id}" is in ${container.state} state`);
    this.#containers.set(id, { ...container, state: 'running', startedAt: this.#options.clock.now() });
    this.#emit('container-started', container.sandboxId, id);
  }

  async stopContainer(id: string, graceMs: number): Promise<void> {
    const container = this.#containers.get(id);
    if (container !== undefined) this.#end(container, graceMs > 0 ? TERMINATED : KILLED);
  }

  async removeContainer(id: string): Promise<void> {
    const container = this.#containers.get(id);
    if (container === undefined) return;
    this.#end(container, KILLED);
    this.#containers.delete(id);
    this.#emit('container-removed', container.sandboxId, id);
  }

  listContainers(): readonly Container[] {
    return [...this.#containers.values()];
  }

  findContainer(id: string): Container | undefined {
    return this.#containers.get(id);
  }

  /** Lets a container end by itself: for tests and scenarios of restarts. */
  exitContainer(id: string, exitCode: number): void {
    this.#end(this.#get(id), exitCode);
  }

  async updateResources(id: string, _resources: ContainerResources): Promise<void> {
    this.#get(id);
  }

  async reopenLog(id: string): Promise<void> {
    this.#get(id);
  }

  /** Probes by command succeed and print nothing. */
  async execSync(id: string): Promise<{ exitCode: number; stdout: Buffer; stderr: Buffer }> {
    if (this.#get(id).state !== 'running') throw new RuntimeError('NotRunning', `container "${id}" is not running`);
    return { exitCode: 0, stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) };
  }

  async exec(id: string, _options: ExecOptions): Promise<ExecSession> {
    this.#get(id);
    throw new RuntimeError('Unavailable', 'exec is not possible on a simulated node');
  }

  async attach(id: string): Promise<ExecSession> {
    this.#get(id);
    throw new RuntimeError('Unavailable', 'attach is not possible on a simulated node');
  }

  async portForward(): Promise<Duplex> {
    throw new RuntimeError('Unavailable', 'port-forward is not possible on a simulated node');
  }

  async stats(): Promise<readonly ContainerStats[]> {
    const usage = { cpuUsageNanos: 0, memoryWorkingSetBytes: 0, memoryUsageBytes: 0, writableLayerBytes: 0, pids: 1 };
    return [...this.#containers.values()].filter(({ state }) => state === 'running').map(({ id }) => ({ containerId: id, ...usage }));
  }

  events(signal: AbortSignal): AsyncIterable<RuntimeEvent> {
    return this.#events.subscribe(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  #end(container: Container, exitCode: number): void {
    const current = this.#containers.get(container.id);
    if (current?.state !== 'running') return;
    const reason = exitCode === 0 ? 'Completed' : 'Error';
    this.#containers.set(container.id, { ...current, state: 'exited', exitCode, reason, finishedAt: this.#options.clock.now() });
    this.#emit('container-exited', container.sandboxId, container.id);
  }

  #of(sandboxId: string): Container[] {
    return [...this.#containers.values()].filter((container) => container.sandboxId === sandboxId);
  }

  #get(id: string): Container {
    const container = this.#containers.get(id);
    if (container === undefined) throw new RuntimeError('NotFound', `container "${id}" not found`);
    return container;
  }

  #emit(type: RuntimeEvent['type'], sandboxId: string, containerId?: string): void {
    this.#events.emit({ type, sandboxId, containerId, podUid: this.#sandboxes.get(sandboxId)?.metadata.uid ?? '' });
  }

  /** Looks like a real one, costs nothing. */
  #nextId(): string {
    return digestOf(Buffer.from(`${this.#options.name ?? 'sim'}-${++this.#count}`)).slice('sha256:'.length);
  }
}

class SimulatedImages implements ImageService {
  readonly #images = new Map<string, Image>();

  list(): readonly Image[] {
    return [...this.#images.values()];
  }

  find(reference: string): Image | undefined {
    if (this.#images.has(reference)) return this.#images.get(reference);
    try {
      return this.#images.get(idOf(normalizeReference(reference)));
    } catch {
      return undefined;
    }
  }

  async pull(text: string): Promise<Image> {
    try {
      const reference = parseReference(text);
      const full = normalizeReference(text);
      const id = idOf(full);
      const tags = reference.tag === undefined ? [] : [full];
      const image = { id, tags, digests: [`${repositoryOf(reference)}@${reference.digest ?? id}`], sizeBytes: 0, user: '' };
      this.#images.set(id, image);
      return image;
    } catch (cause) {
      if (!(cause instanceof InvalidReferenceError)) throw cause;
      throw new RuntimeError('InvalidImageName', cause.message, { cause });
    }
  }

  async remove(id: string): Promise<void> {
    this.#images.delete(this.find(id)?.id ?? '');
  }

  async usage(): Promise<{ usedBytes: number; capacityBytes: number }> {
    return { usedBytes: 0, capacityBytes: 100 * 2 ** 30 };
  }
}

function idOf(reference: string): string {
  return digestOf(Buffer.from(reference));
}
