// SPDX-License-Identifier: Apache-2.0
// The `Runtime` by conmon and runc or crun: composes sandboxes, containers, streaming and images. See mod.ts for the outline.
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import type { Clock, Logger } from '#component';
import type { PodNetwork } from '#network';
import { EventHub } from '../event-hub.ts';
import type {
  Container,
  ContainerConfig,
  ContainerResources,
  ContainerStats,
  ExecOptions,
  ExecSession,
  Runtime,
  RuntimeEvent,
  RuntimeInfo,
  Sandbox,
  SandboxConfig,
} from '../runtime.ts';
import { RuntimeError } from '../runtime.ts';
import { Cgroups } from './cgroups.ts';
import { must } from './commands.ts';
import { type ContainerRecord, Containers } from './containers.ts';
import { DiskUsage } from './disk-usage.ts';
import { Streaming } from './exec.ts';
import { makeFolders } from './files.ts';
import { probeHost } from './host.ts';
import { EmbeddedImages } from './images/service.ts';
import { ImageStore } from './images/store.ts';
import { nativeProgram } from './native-program.ts';
import { Sandboxes } from './sandboxes.ts';

export interface EmbeddedRuntimeOptions {
  /** Images; may be shared by the runtimes of one machine. */
  readonly root: string;
  /** Sandboxes and containers of this node. On a local disk, not shared. */
  readonly stateDir: string;
  /** Undefined: only Pods on the host network can run. */
  readonly network: PodNetwork | undefined;
  readonly logger: Logger;
  readonly clock: Clock;
  /** Prefix of all cgroups, '' for none; the kubelet must use the same. */
  readonly cgroupRoot: string;
  readonly insecureRegistries?: readonly string[];
}

/** What only a started runtime has. */
interface Parts {
  readonly sandboxes: Sandboxes;
  readonly containers: Containers;
  readonly streaming: Streaming;
  readonly images: EmbeddedImages;
  readonly cgroups: Cgroups;
}

/** Makes the runtime; `start` probes the host and finds again what runs. */
export function createEmbeddedRuntime(options: EmbeddedRuntimeOptions): EmbeddedRuntime {
  return new EmbeddedRuntime(options);
}

export class EmbeddedRuntime implements Runtime {
  readonly #options: EmbeddedRuntimeOptions;
  readonly #events = new EventHub();
  readonly #disk: DiskUsage;
  readonly #closing = new AbortController();
  #started: Parts | undefined;
  #building: Promise<void> = Promise.resolve();
  #info: RuntimeInfo = { name: 'sagong', version: '0.1.0', scheme: 'sagong' };

  constructor(options: EmbeddedRuntimeOptions) {
    this.#options = options;
    this.#disk = new DiskUsage(options.clock);
  }

  get info(): RuntimeInfo {
    return this.#info;
  }

  get images(): EmbeddedImages {
    return this.#parts.images;
  }

  get #parts(): Parts {
    if (this.#started === undefined) throw new RuntimeError('Unavailable', 'the runtime is not started');
    return this.#started;
  }

  async start(signal: AbortSignal): Promise<void> {
    const { root, stateDir, network, logger, clock, cgroupRoot } = this.#options;
    await makeFolders(root, stateDir, join(stateDir, 'sandboxes'));
    const host = await probeHost(stateDir);
    const version = /version (\S+)/.exec(await must(host.ociRuntime, ['--version']))?.[1] ?? 'unknown';
    this.#info = { ...this.#info, version: `0.1.0-${host.ociRuntimeName}-${version}` };
    const store = await ImageStore.open(root);
    const native = (): Promise<string> => nativeProgram(join(root, 'bin'));
    const sandboxes = new Sandboxes(join(stateDir, 'sandboxes'), network, logger, native);
    const cgroups = new Cgroups(host.unified);
    const emit = (event: RuntimeEvent): void => this.#events.emit(event);
    const containers = new Containers({ stateDir, cgroupRoot, host, store, sandboxes, cgroups, clock, logger, emit });
    await sandboxes.load();
    await containers.load(AbortSignal.any([signal, this.#closing.signal]));
    const images = new EmbeddedImages(store, { insecureRegistries: this.#options.insecureRegistries });
    const streaming = new Streaming({ host, containers, native, clock });
    this.#started = { sandboxes, containers, streaming, images, cgroups };
    if (host.minOomScoreAdj > -1000) logger.warn({}, 'No CAP_SYS_RESOURCE: negative OOM scores are raised to what is allowed');
    this.#building = native().then(drop, (error: unknown) =>
      logger.warn({ error: String(error) }, 'exec with a terminal, attach and port-forward will fail'),
    );
  }

  async runSandbox(config: SandboxConfig, signal: AbortSignal): Promise<Sandbox> {
    const id = randomBytes(32).toString('hex');
    const sandbox = await this.#parts.sandboxes.create(id, config, this.#options.clock.now(), signal);
    this.#emitSandbox('sandbox-changed', sandbox.id, config.metadata.uid);
    return sandbox;
  }

  async stopSandbox(id: string): Promise<void> {
    const { sandboxes, containers } = this.#parts;
    const record = sandboxes.find(id);
    if (record === undefined) return;
    await Promise.all(this.#containersOf(id).map((container) => containers.stop(container.id, 0)));
    const current = sandboxes.find(id);
    if (current === undefined) return;
    await sandboxes.stop(current);
    if (record.ready) this.#emitSandbox('sandbox-changed', id, record.config.metadata.uid);
  }

  async removeSandbox(id: string): Promise<void> {
    const { sandboxes, containers } = this.#parts;
    const record = sandboxes.find(id);
    if (record === undefined) return;
    await this.stopSandbox(id);
    await Promise.all(this.#containersOf(id).map((container) => containers.remove(container.id)));
    await sandboxes.remove(id);
    this.#emitSandbox('sandbox-removed', id, record.config.metadata.uid);
  }

  listSandboxes(): readonly Sandbox[] {
    return this.#parts.sandboxes.list();
  }

  async createContainer(sandboxId: string, config: ContainerConfig, signal: AbortSignal): Promise<string> {
    signal.throwIfAborted();
    const sandbox = this.#parts.sandboxes.get(sandboxId);
    if (!sandbox.ready) throw new RuntimeError('CreateContainerError', `sandbox container "${sandboxId}" is not running`);
    return this.#parts.containers.create(sandbox, config);
  }

  startContainer(id: string): Promise<void> {
    return this.#parts.containers.start(id);
  }

  stopContainer(id: string, graceMs: number): Promise<void> {
    return this.#parts.containers.stop(id, graceMs);
  }

  async removeContainer(id: string): Promise<void> {
    this.#disk.forget(join(this.#parts.containers.bundle(id), 'upper'));
    await this.#parts.containers.remove(id);
  }

  listContainers(): readonly Container[] {
    return this.#parts.containers.list();
  }

  findContainer(id: string): Container | undefined {
    return this.#parts.containers.find(id);
  }

  updateResources(id: string, resources: ContainerResources): Promise<void> {
    return this.#parts.containers.update(id, resources);
  }

  reopenLog(id: string): Promise<void> {
    return this.#parts.containers.reopenLog(id);
  }

  exec(id: string, options: ExecOptions): Promise<ExecSession> {
    return this.#parts.streaming.exec(id, options);
  }

  execSync(
    id: string,
    command: readonly string[],
    options: { timeoutMs: number; limitBytes?: number },
  ): Promise<{ exitCode: number; stdout: Buffer; stderr: Buffer }> {
    return this.#parts.streaming.execSync(id, command, options);
  }

  attach(id: string, options: { stdin: boolean }): Promise<ExecSession> {
    return this.#parts.streaming.attach(id, options);
  }

  async portForward(sandboxId: string, port: number): Promise<Duplex> {
    const { sandboxes, streaming } = this.#parts;
    const record = sandboxes.get(sandboxId);
    if (!record.ready) throw new RuntimeError('NotRunning', `sandbox container "${sandboxId}" is not running`);
    return streaming.portForward(sandboxId, sandboxes.paths(record).network, port);
  }

  async stats(): Promise<readonly ContainerStats[]> {
    const { containers, cgroups } = this.#parts;
    const running = containers.list().filter((container) => container.state === 'running');
    const all = await Promise.all(
      running.map(async (container): Promise<ContainerStats | undefined> => {
        const usage = await cgroups.usage(container.cgroup);
        if (usage === undefined) return undefined;
        return {
          containerId: container.id,
          ...usage,
          writableLayerBytes: await this.#disk.of(join(containers.bundle(container.id), 'upper')),
        };
      }),
    );
    return all.filter((stats) => stats !== undefined);
  }

  events(signal: AbortSignal): AsyncIterable<RuntimeEvent> {
    return this.#events.subscribe(signal);
  }

  /** Stops watching. Containers go on. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    await this.#building;
  }

  #containersOf(sandboxId: string): readonly ContainerRecord[] {
    return this.#parts.containers.list().filter((container) => container.sandboxId === sandboxId);
  }

  #emitSandbox(type: 'sandbox-changed' | 'sandbox-removed', sandboxId: string, podUid: string): void {
    this.#events.emit({ type, sandboxId, containerId: undefined, podUid });
  }
}

function drop(): void {}
