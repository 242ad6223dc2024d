// SPDX-License-Identifier: Apache-2.0
// The containers of one node: their records on disk, root file systems, start, stop and exit. The exit folder, which conmon writes
// and `fs.watch` follows, is the only source of exits, live and after a restart alike.
import { randomBytes } from 'node:crypto';
import { watch } from 'node:fs';
import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Clock, Logger } from '#component';
import type { ImageConfig } from '#registry-client';
import { type Container, type ContainerConfig, type ContainerResources, RuntimeError, type RuntimeEvent } from '../runtime.ts';
import type { Cgroups } from './cgroups.ts';
import { must, run } from './commands.ts';
import { createUnderConmon, reopenLogs } from './conmon.ts';
import { makeFolders, namesIn, readJson, writeJson } from './files.ts';
import type { Host } from './host.ts';
import type { ImageStore } from './images/store.ts';
import { readInside } from './inside.ts';
import { allHostDevices, hostDevice } from './oci/devices.ts';
import { buildSpec, resources } from './oci/spec.ts';
import { resolveUser } from './oci/users.ts';
import { identify, isAlive, type ProcessId, parseSignal, sendSignal } from './processes.ts';
import type { Sandboxes, SandboxRecord } from './sandboxes.ts';

export interface ContainerRecord extends Container {
  readonly config: ContainerConfig;
  readonly process: ProcessId | undefined;
  readonly conmon: ProcessId | undefined;
  readonly cgroup: string;
  readonly stopSignal: number;
}

export interface ContainersOptions {
  readonly stateDir: string;
  readonly cgroupRoot: string;
  readonly host: Host;
  readonly store: ImageStore;
  readonly sandboxes: Sandboxes;
  readonly cgroups: Cgroups;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly emit: (event: RuntimeEvent) => void;
}

const START_FAILED = 128;
const LOST = 255;
const SIGKILL = 9;
const SIGTERM = 15;
const KERNEL_MESSAGE_LIMIT = 4096;

export class Containers {
  readonly #options: ContainersOptions;
  readonly #records = new Map<string, ContainerRecord>();
  /** Called once at exit, per container. */
  readonly #waiting = new Map<string, Set<() => void>>();
  /** Clean-ups in the OCI runtime after an exit, awaited before a removal. */
  readonly #deletions = new Map<string, Promise<void>>();

  constructor(options: ContainersOptions) {
    this.#options = options;
  }

  /** Reads records back and starts watching for exits until `signal`. */
  async load(signal: AbortSignal): Promise<void> {
    await makeFolders(this.#exits, this.#folder, this.runtimeRoot);
    const watcher = watch(this.#exits, { signal }, (_event, name) => {
      if (name !== null && this.#records.has(name)) void this.#collectExit(name);
    });
    watcher.on('error', (error) => this.#options.logger.error({ error: String(error) }, 'Watching container exits failed'));
    for (const id of await namesIn(this.#folder)) {
      const record = await readJson<ContainerRecord>(join(this.bundle(id), 'container.json'));
      if (record === undefined) await this.#erase(id);
      else this.#records.set(id, record);
    }
    for (const record of [...this.#records.values()])
      if (record.state === 'running') await this.#recover(record);
      else if (record.state === 'created') await this.#abandonStart(record);
  }

  get runtimeRoot(): string {
    return join(this.#options.stateDir, 'oci');
  }

  get #folder(): string {
    return join(this.#options.stateDir, 'containers');
  }

  get #exits(): string {
    return join(this.#options.stateDir, 'exits');
  }

  bundle(id: string): string {
    return join(this.#folder, id);
  }

  list(): readonly ContainerRecord[] {
    return [...this.#records.values()];
  }

  find(id: string): ContainerRecord | undefined {
    return this.#records.get(id);
  }

  /** @throws {RuntimeError} `NotFound` */
  get(id: string): ContainerRecord {
    const record = this.#records.get(id);
    if (record === undefined) throw new RuntimeError('NotFound', `container "${id}" not found`);
    return record;
  }

  /** @throws {RuntimeError} `NotRunning` */
  getRunning(id: string): ContainerRecord {
    const record = this.get(id);
    if (record.state !== 'running') throw new RuntimeError('NotRunning', `container "${id}" is in ${record.state} state, expected running`);
    return record;
  }

  /** Prepares root file system and OCI bundle; nothing runs yet. */
  async create(sandbox: SandboxRecord, config: ContainerConfig): Promise<string> {
    const { store, clock, cgroupRoot } = this.#options;
    const image = store.find(config.image);
    if (image === undefined)
      throw new RuntimeError('CreateContainerError', `failed to get image from containerd "${config.image}": not found`);
    const id = randomBytes(32).toString('hex');
    const cgroup = join('/', cgroupRoot, sandbox.config.cgroupParent, id);
    try {
      await store.lease(id, image.id);
      const imageConfig = await store.config(image.id);
      await this.#mountRootfs(id, await store.layersOf(image.id));
      await this.#writeBundle(id, cgroup, sandbox, config, imageConfig);
      const record: ContainerRecord = {
        id,
        sandboxId: sandbox.id,
        metadata: config.metadata,
        state: 'created',
        image: config.image,
        imageId: image.id,
        labels: config.labels,
        annotations: config.annotations,
        createdAt: clock.now(),
        startedAt: undefined,
        finishedAt: undefined,
        exitCode: undefined,
        reason: undefined,
        message: undefined,
        logPath: join(sandbox.config.logDirectory, config.logPath),
        pid: undefined,
        config,
        process: undefined,
        conmon: undefined,
        cgroup,
        stopSignal: parseSignal(imageConfig.stopSignal) ?? SIGTERM,
      };
      await this.#save(record);
      return id;
    } catch (cause) {
      await this.#erase(id);
      if (cause instanceof RuntimeError) throw cause;
      const words = cause instanceof Error ? cause.message : String(cause);
      throw new RuntimeError('CreateContainerError', `failed to create containerd container: ${words}`, { cause });
    }
  }

  async start(id: string): Promise<void> {
    const { host, logger } = this.#options;
    const record = this.get(id);
    if (record.state !== 'created')
      throw new RuntimeError('RunContainerError', `container "${id}" is in ${record.state} state, expected created`);
    const { tty, stdin, stdinOnce, metadata } = record.config;
    const bundle = this.bundle(id);
    try {
      await mkdir(dirname(record.logPath), { recursive: true });
      const options = { id, name: metadata.name, bundle, logPath: record.logPath, exitFolder: this.#exits, runtimeRoot: this.runtimeRoot };
      const pid = await createUnderConmon(host, { ...options, tty, stdin, stdinOnce });
      const conmonPid = Number(await readFile(join(bundle, 'conmon.pid'), 'utf8').catch(() => '0'));
      // Saved before the start, so that a process killed in between finds the container again.
      await this.#save({ ...record, state: 'running', pid, process: identify(pid), conmon: identify(conmonPid) });
      await must(host.ociRuntime, ['--root', this.runtimeRoot, 'start', id]);
    } catch (cause) {
      if (this.get(id).state === 'exited') return; // It was so short that starting it came too late; its exit is known.
      const words = ociMessage(cause);
      logger.debug({ container: id, error: words }, 'Container start failed');
      const message = `failed to create containerd task: failed to create shim task: OCI runtime create failed: ${words}: unknown`;
      await this.#finish(this.get(id), { exitCode: START_FAILED, reason: 'StartError', message, finishedAt: this.#options.clock.now() });
      throw new RuntimeError('RunContainerError', message, { cause });
    }
    const started = this.get(id);
    if (started.state !== 'running') return; // It has ended already.
    await this.#save({ ...started, startedAt: this.#options.clock.now() });
    this.#emit('container-started', started);
    void this.#collectExit(id); // The file may have come before the watcher could match it.
  }

  /** Signals, waits, kills. Resolves when the container is gone. */
  async stop(id: string, graceMs: number): Promise<void> {
    const record = this.#records.get(id);
    if (record === undefined || record.state !== 'running') return;
    const exited = this.waitForExit(id);
    if (graceMs > 0) sendSignal(record.process, record.stopSignal);
    else await this.#killAll(record);
    using _timer = this.#options.clock.after(Math.max(0, graceMs), () => void this.#killAll(record));
    await exited;
  }

  /** Resolves at once for one that does not run. */
  waitForExit(id: string): Promise<void> {
    return new Promise((resolve) => {
      if (this.#records.get(id)?.state !== 'running') return resolve();
      const waiting = this.#waiting.get(id) ?? new Set();
      this.#waiting.set(id, waiting.add(resolve));
    });
  }

  async remove(id: string): Promise<void> {
    const record = this.#records.get(id);
    if (record === undefined) return;
    await this.stop(id, 0);
    await this.#deletions.get(id);
    this.#records.delete(id);
    await this.#erase(id);
    this.#emit('container-removed', record);
  }

  async update(id: string, wanted: ContainerResources): Promise<void> {
    const record = this.get(id);
    const { host } = this.#options;
    if (record.state === 'running') {
      const input = JSON.stringify(resources(wanted, host));
      await must(host.ociRuntime, ['--root', this.runtimeRoot, 'update', '--resources', '-', id], { input });
    }
    await this.#save({ ...this.get(id), config: { ...record.config, resources: wanted } });
  }

  async reopenLog(id: string): Promise<void> {
    this.getRunning(id);
    await reopenLogs(this.bundle(id));
  }

  async #mountRootfs(id: string, layers: readonly string[]): Promise<void> {
    const bundle = this.bundle(id);
    const [upper, work, rootfs] = ['upper', 'work', 'rootfs'].map((name) => join(bundle, name)) as [string, string, string];
    await makeFolders(bundle);
    await Promise.all([upper, work, rootfs].map((path) => mkdir(path, { mode: 0o755 })));
    // An image without layers still needs a lower folder; names are relative to keep the options within a page.
    const lower = layers.length === 0 ? ['.'] : [...layers].reverse();
    const options = `lowerdir=${lower.join(':')},upperdir=${upper},workdir=${work}`;
    if (layers.length === 0) return void (await must('mount', ['--bind', upper, rootfs]));
    await must('mount', ['-t', 'overlay', '-o', options, 'overlay', rootfs], { cwd: join(this.#options.store.root, 'layers') });
  }

  async #writeBundle(id: string, cgroup: string, sandbox: SandboxRecord, config: ContainerConfig, image: ImageConfig): Promise<void> {
    const { sandboxes, host } = this.#options;
    const paths = sandboxes.paths(sandbox);
    const bundle = this.bundle(id);
    const rootfs = join(bundle, 'rootfs');
    const [passwd, group] = await Promise.all([readInside(rootfs, '/etc/passwd'), readInside(rootfs, '/etc/group')]);
    const { security } = config;
    const profile = security.seccomp.type === 'Localhost' ? security.seccomp.path : undefined;
    const spec = buildSpec({
      config,
      sandbox: sandbox.config,
      image,
      rootfs,
      cgroupsPath: cgroup,
      user: resolveUser(security.user, image.user, security.supplementalGroups, { passwd, group }),
      namespaces: {
        ...(paths.network === undefined ? {} : { network: paths.network }),
        ...(paths.ipc === undefined ? {} : { ipc: paths.ipc }),
        uts: paths.uts,
        ...this.#pidNamespace(sandbox, config),
      },
      hostname: (await readFile(paths.hostname, 'utf8')).trim(),
      files: { hostname: paths.hostname, resolvConf: paths.resolvConf, shm: paths.shm },
      devices: security.privileged
        ? await allHostDevices()
        : await Promise.all(config.devices.map((device) => hostDevice(device.hostPath, device.containerPath))),
      host,
      seccompProfile: profile === undefined ? undefined : (JSON.parse(await readFile(profile, 'utf8')) as object),
    });
    for (const mount of config.mounts) await stat(mount.hostPath); // A clear error now, not the OCI runtime's later.
    await writeFile(join(bundle, 'config.json'), JSON.stringify(spec), { mode: 0o600 });
  }

  #pidNamespace(sandbox: SandboxRecord, config: ContainerConfig): { pid?: string } {
    if (config.pidTarget !== undefined) return { pid: `/proc/${this.getRunning(config.pidTarget).pid}/ns/pid` };
    if (sandbox.config.namespaces.pid === 'node') return {};
    return { pid: sandbox.pidHolder === undefined ? 'new' : `/proc/${sandbox.pidHolder.pid}/ns/pid` };
  }

  /** Its start was under way when the process ended: what the OCI runtime has of it goes. */
  async #abandonStart(record: ContainerRecord): Promise<void> {
    if ((await readFile(join(this.bundle(record.id), 'pidfile'), 'utf8').catch(() => '')) === '') return;
    const end = {
      exitCode: START_FAILED,
      reason: 'StartError',
      message: 'The start was interrupted',
      finishedAt: this.#options.clock.now(),
    };
    await this.#finish(record, end);
  }

  /** After a restart: ended meanwhile, still running, or lost with its conmon. */
  async #recover(record: ContainerRecord): Promise<void> {
    if (await this.#collectExit(record.id)) return;
    if (isAlive(record.process) && record.startedAt !== undefined) return;
    if (record.startedAt === undefined && isAlive(record.process)) await this.#killAll(record); // Created, never started.
    if (isAlive(record.conmon)) return; // It is about to write the exit file.
    const message = 'The container was lost: its monitor ended without leaving an exit code';
    await this.#finish(record, { exitCode: LOST, reason: 'Error', message, finishedAt: this.#options.clock.now() });
  }

  /** True if there is an exit file. */
  async #collectExit(id: string): Promise<boolean> {
    const path = join(this.#exits, id);
    const text = await readFile(path, 'utf8').catch(() => '');
    if (!/^\d+/.test(text)) return false;
    const record = this.#records.get(id);
    if (record === undefined || record.state !== 'running') return true;
    const finishedAt = Math.trunc((await stat(path)).mtimeMs);
    const oom = await this.#options.cgroups.oomKilled(record.cgroup);
    const exitCode = Number.parseInt(text, 10);
    const reason = oom && exitCode !== 0 ? 'OOMKilled' : exitCode === 0 ? 'Completed' : 'Error';
    if (this.#records.get(id)?.state === 'running') await this.#finish(this.get(id), { exitCode, reason, message: undefined, finishedAt });
    return true;
  }

  async #finish(record: ContainerRecord, end: Pick<Container, 'exitCode' | 'reason' | 'message' | 'finishedAt'>): Promise<void> {
    const done: ContainerRecord = { ...record, ...end, state: 'exited', pid: undefined, startedAt: record.startedAt ?? end.finishedAt };
    const saving = this.#save(done); // In memory at once: a second call for the same exit sees it.
    this.#deletions.set(record.id, this.#delete(done));
    await saving;
    for (const resolve of this.#waiting.get(record.id) ?? []) resolve();
    this.#waiting.delete(record.id);
    this.#emit('container-exited', done);
  }

  async #delete(record: ContainerRecord): Promise<void> {
    const { host, logger } = this.#options;
    for (const pid of await this.#options.cgroups.processes(record.cgroup)) sendSignal(identify(pid), SIGKILL);
    const { code, stderr } = await run(host.ociRuntime, ['--root', this.runtimeRoot, 'delete', '--force', record.id]);
    if (code !== 0 && !/does not exist/.test(stderr.toString('utf8')))
      logger.warn({ container: record.id, error: stderr.toString('utf8').trim() }, 'Cannot delete a container in the OCI runtime');
  }

  /** All of it: with a shared PID namespace its first process does not take the others along. */
  async #killAll(record: ContainerRecord): Promise<void> {
    sendSignal(record.process, SIGKILL);
    for (const pid of await this.#options.cgroups.processes(record.cgroup)) sendSignal(identify(pid), SIGKILL);
  }

  async #erase(id: string): Promise<void> {
    const { host, store, logger } = this.#options;
    const bundle = this.bundle(id);
    await run('umount', ['-l', '-q', join(bundle, 'rootfs')]);
    await run(host.ociRuntime, ['--root', this.runtimeRoot, 'delete', '--force', id]);
    await rm(bundle, { recursive: true, force: true }).catch((error: unknown) =>
      logger.warn({ container: id, error: String(error) }, 'Cannot remove a container folder'),
    );
    await rm(join(this.#exits, id), { force: true });
    await store.release(id);
  }

  async #save(record: ContainerRecord): Promise<void> {
    this.#records.set(record.id, record);
    await writeJson(join(this.bundle(record.id), 'container.json'), record).catch((error: unknown) => {
      if (this.#records.has(record.id)) throw error; // Else it was removed meanwhile.
    });
  }

  #emit(type: RuntimeEvent['type'], record: ContainerRecord): void {
    const podUid = this.#options.sandboxes.find(record.sandboxId)?.config.metadata.uid ?? '';
    this.#options.emit({ type, sandboxId: record.sandboxId, containerId: record.id, podUid });
  }
}

/** The OCI runtime's own words: it logs JSON lines or `level=error msg=…`. */
function ociMessage(cause: unknown): string {
  const text = (cause instanceof Error ? cause.message : String(cause)).slice(0, KERNEL_MESSAGE_LIMIT);
  const logged = /msg="((?:[^"\\]|\\.)*)"/.exec(text)?.[1];
  if (logged !== undefined) return logged.replace(/\\(.)/g, '$1');
  return text.trim();
}
